"""Text normalisers: named, versioned rules, applied once to both reference and hypothesis.

`card` is the BasicTextNormalizer of transformers, with which the published figures of v0.2 were
scored; whisper_normalizer has the same code without torch (a test compares them). `fr` is our own.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from whisper_normalizer.basic import BasicTextNormalizer

from whisper_qat.errors import InputError, nearest
from whisper_qat.metrics.french import normalize_french

PROBES = (
    "L'œuvre d'Étienne, rendez-vous à 8h30 !",
    "Appuyez sur 1 ; composez le 2e code (99 €).",
    "M. et Mme Dupont : quatre-vingt-dix-neuf pour cent [rires]",
    "Euh… c’est-à-dire 10 000 EUR, le 1er mai 2024, 3,5 %",
)


@dataclass(frozen=True)
class Normalizer:
    """A text normaliser with the name and version that are recorded in results."""

    name: str
    version: int
    apply: Callable[[str], str]

    @property
    def fingerprint(self) -> str:
        """Hash of name, version and behaviour on fixed sentences; it changes if a library does."""
        parts = [self.name, str(self.version), *map(self.apply, PROBES)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def normalize_card(text: str) -> str:
    """Lower-case text without brackets and their content or symbols; accents are kept."""
    return BasicTextNormalizer()(text).strip()


NORMALIZERS = {
    "card": Normalizer("card", 1, normalize_card),
    "fr": Normalizer("fr", 1, normalize_french),
}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name; InputError suggests the nearest name."""
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer={name!r}: expected one of {', '.join(NORMALIZERS)}"
            f"{nearest(name, NORMALIZERS)}"
        )
    return NORMALIZERS[name]
