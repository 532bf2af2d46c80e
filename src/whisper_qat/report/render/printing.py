"""How numbers are printed; fractions become percentages or points here and nowhere else.

A value that was not measured (None) is printed as a dash, never as zero.
"""

from collections.abc import Sequence

NOT_MEASURED = "–"
MINUS = "−"


def number(value: float | None, decimals: int = 2) -> str:
    """A number with a typographic minus sign and without negative zero."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:.{decimals}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def percent(fraction: float | None, decimals: int = 2) -> str:
    """A fraction in percent, without the percent sign: 0.1234 -> '12.34'."""
    return number(None if fraction is None else 100 * fraction, decimals)


def points(fraction: float | None, decimals: int = 2) -> str:
    """A difference of fractions as signed percentage points: 0.0012 -> '+0.12'."""
    text = percent(fraction, decimals)
    return f"+{text}" if fraction is not None and fraction > 0 and float(text) != 0 else text


def percent_interval(rate: float, low: float, high: float) -> str:
    """A rate with its interval: '12.34 [11.20, 13.50]'."""
    return f"{percent(rate)} [{percent(low)}, {percent(high)}]"


def points_interval(delta: float, low: float, high: float) -> str:
    """A difference with its interval: '+0.12 [−0.40, +0.65]'."""
    return f"{points(delta)} [{points(low)}, {points(high)}]"


def p_value(p: float) -> str:
    """A p value with three decimals; 10,000 resamples do not resolve smaller differences."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def megabytes(num_bytes: float | None) -> str:
    """Bytes as MB of 10^6 bytes, the unit of download sizes."""
    return number(None if num_bytes is None else num_bytes / 1e6, 1)


def count(value: int | None) -> str:
    """A whole number with separated thousands."""
    return NOT_MEASURED if value is None else f"{value:,}"


def duration(seconds: float | None) -> str:
    """An audio length in seconds, minutes or hours, whichever reads best."""
    if seconds is None:
        return NOT_MEASURED
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plural(amount: int, word: str) -> str:
    """A number with its noun: '1 clip', '2 clips', '1,234 clips'."""
    return f"{amount:,} {word}{'' if amount == 1 else 's'}"


def listing(words: Sequence[str]) -> str:
    """Words joined as in a sentence: 'a', 'a and b', 'a, b and c'."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
