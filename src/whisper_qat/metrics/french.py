"""French normalisation (`fr`): one written form for numbers, hours, money and signs.

Number words become digits by text2num (kept library; threshold 0 also takes lone digits). Policies:

- case is dropped, accents stay (they distinguish words), ligatures are spelt out (oe, ae)
- apostrophes and hyphens become spaces: "l'est-il" is "l est il"
- "un" is "1", "neuf" is "9" on both sides; "une" stays a word, but before "heure" and in 21, 31 ...
- ordinals: "1er", "1ère", "2ème" from words, "2e", "IIe" is left alone; "second" stays
- hours: "8h30", "8 h 30", "8:30", "huit heures trente" are "8 heures 30"
- money and percent: "€", "EUR" are "euros", "$" "dollars", "%" and "pour cent" "pourcent"
- titles: "M.", "Mr", "Mme", "Mlle", "Dr" in full; "n°" is "numéro", "&" is "et"
- text in brackets or parentheses is dropped, as `card` does; fillers stay unless asked otherwise

A rule applies to reference and hypothesis alike, and normalised text normalises to itself.
"""

import re
import unicodedata

from text_to_num import alpha2digit

LANGUAGE = "fr"
EVERY_NUMBER = 0.0  # text2num's threshold: below it a lone number stays a word
DIGITS = r"(?<![\d,])"  # a number begins here

SIGNS = str.maketrans(
    {
        "’": "'",
        "ʼ": "'",
        "`": "'",
        "œ": "oe",
        "æ": "ae",
        "\u00a0": " ",
        "\u202f": " ",
        "\u2009": " ",
        "‐": "-",
        "‑": "-",
        "–": "-",
        "—": " ",
    }
)
# Applied in order to lower-case text, before number words are turned into digits.
WORDS = [
    (r"[<\[][^>\]]*[>\]]|\([^)]*\)", " "),
    (r"\bm\.\s+(?=[a-z])|\bmr\b\.?", "monsieur "),
    (r"\bmme\b\.?", "madame "),
    (r"\bmlle\b\.?", "mademoiselle "),
    (r"\bdr\b\.?", "docteur "),
    (r"\bn°\s*", "numéro "),
    (r"&", " et "),
    (r"%|\bpour[ -]cents?\b|\bpourcents?\b", " pourcent "),
    (r"€|\beur\b|\beuros?\b", " euros "),
    (r"\$|\bdollars?\b", " dollars "),
    (r"(?<=[^\W\d])[-']|[-'](?=[^\W\d])", " "),
    (r"\bzéros?\b", "0"),
    (r"\bune(?=\s+heures?\b)", "1"),
]
# Applied in order after it.
NUMBERS = [
    (r"(?<=\d)\s+(?=000\b)", ""),
    (DIGITS + r"(\d{1,3}) (?=\d{3}(?: \d{3})*\s+(?:euros|dollars|pourcent)\b)", r"\1"),
    (DIGITS + r"(\d{1,2})\s*(?:h|:|heures?\b)\s*(\d{2})\b", r"\1 heures \2"),
    (DIGITS + r"(\d{1,2})\s*(?:h\b|heures?\b)", r"\1 heures"),
    (r"\b1(?:re|ère|ere)\b", "1ère"),
    (r"\b(\d+)(?:ième|ieme|eme|e|ème)\b", r"\1ème"),
    (r"(?<=\d)\.(?=\d)", ","),
]
FILLERS = r"\b(?:euh|heu|hein|ben|hum|hmm+)\b"
MAX_PASSES = 5
ONE_F = "unefeminine"  # no French word; hides "une" from text2num


def normalize_french(text: str, *, drop_fillers: bool = False) -> str:
    """`text` in its normal form: lower-case words and digits, single spaces."""
    text = unicodedata.normalize("NFC", text).lower().translate(SIGNS)
    if drop_fillers:
        text = re.sub(FILLERS, " ", text)
    # What one rule leaves can be another's case ("un cent - euros"); in speech one pass does it.
    for _ in range(MAX_PASSES):
        before, text = text, _once(text)
        if text == before:
            break
    return text


def _once(text: str) -> str:
    text = _substitute(WORDS, text)
    text = _digits(text)
    text = _substitute(NUMBERS, text)
    text = re.sub(r"(?<!\d),|,(?!\d)", " ", text)
    return " ".join(re.sub(r"[^\w\s,]|_", " ", text).split())


def _digits(text: str) -> str:
    """Number words as digits; a lone "une" is an article far more often than a number."""
    text = re.sub(r"(?<!et )(?<!et)\bune\b", ONE_F, text)
    return alpha2digit(text, LANGUAGE, EVERY_NUMBER).replace(ONE_F, "une")


def _substitute(rules: list[tuple[str, str]], text: str) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text
