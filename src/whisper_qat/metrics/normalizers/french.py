"""The French normaliser (`fr`): one written form for numbers, times, money and signs.

text2num turns number words into digits; its threshold 0 includes single digits. The rules:

- text is lower-cased, accents are kept (they distinguish words), ligatures are spelt out (oe, ae)
- apostrophes and hyphens become spaces: "l'est-il" is "l est il"
- "un" is "1", "neuf" is "9"; "une" remains a word, except before "heure" and in 21, 31 ...
- ordinals: "1er", "1ère", "2ème" from words and "2e"; "IIe" and "second" are unchanged
- hours: "8h30", "8 h 30", "8:30", "huit heures trente" are "8 heures 30"; "8h05" is "8 heures 5"
- numbers: "10 500", "10.500" are "10500", "1,5 million" "1500000", "01" "0 1", "-5" "moins 5"
- money and percent: "€", "EUR" are "euros", "$" "dollars", "%" and "pour cent" "pourcent"
- "12€50" is "12 euros 50", as spoken; "5 °C" is "5 degrés"; "8h30min" is "8 heures 30"
- titles: "M.", "MM.", "Mr", "Mme", "Mmes", "Mlle", "Dr" in full; "n°" is "numéro", "&" is "et"
- text in brackets or parentheses is removed, as by `card`; fillers are kept by default

Roman numerals, "et demie" and cents are not unified. FrenchTextNormalizer of whisper_normalizer is
not used, because it leaves "8h30", "1er" and "10000 eur" unlike their spoken forms and drops "%".
All rules apply to reference and hypothesis alike, and normalised text is left unchanged by them.
"""

import re
import unicodedata
from collections.abc import Callable
from decimal import Decimal

from text_to_num import alpha2digit

from whisper_qat.metrics.normalizers.normalizer import Normalizer

LANGUAGE = "fr"
EVERY_NUMBER = 0.0  # threshold of text2num, below which a single number stays a word
DIGITS = r"(?<![\d,])"  # a number begins here
THOUSANDS = DIGITS + r"[1-9]\d{0,2}(?:[ .]\d{3})+(?!\d)"
AFTER_NUMBER = r"(?<!\d)(?<!\d )"  # "6 m. de long" and "12 € 50" are units, not titles or prefixes
MILLIONS = DIGITS + r"(\d+(?:[.,]\d+)?)\s+(million|milliard)s?\b"
POWERS = {"million": 6, "milliard": 9}

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

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
        "ᵉ": "e",
        "ʳ": "r",
    }
)
# Applied in this order to lower-case text, before number words become digits.
WORDS: list[Rule] = [
    (r"[<\[][^>\]]*[>\]]|\([^)]*\)", " "),
    (AFTER_NUMBER + r"\bm\.\s+(?=[^\W\d])|\bmr\b\.?", "monsieur "),
    (AFTER_NUMBER + r"\bmm\.\s+(?=[^\W\d])", "messieurs "),
    (r"\bmme\b\.?", "madame "),
    (r"\bmmes\b\.?", "mesdames "),
    (r"\bmlle\b\.?", "mademoiselle "),
    (r"\bdr\b\.?", "docteur "),
    (r"\bn°\s*", "numéro "),
    (r"&", " et "),
    (r"%|\bpour[ -]cents?\b|\bpourcents?\b", " pourcent "),
    (r"(?<=\d)\s*°(?:\s*c\b)?|\bdegrés?\b(?:\s+celsius\b)?", " degrés "),
    (r"\b2nd(e?s?)\b", r"second\1"),
    (AFTER_NUMBER + r"([€$])\s*(\d+(?:[.,]\d+)?)", r"\2 \1"),
    (r"€|\beur\b|\beuros?\b", " euros "),
    (r"\$|\bdollars?\b", " dollars "),
    (r"(?<![\w-])-(?=\d)", "moins "),
    (r"(?<=[^\W\d])[-']|[-'](?=[^\W\d])", " "),
    (r"\bzéros?\b", "0"),
    (r"(?<!et )\bune(?=\s+heures?\b)", "1"),
    (THOUSANDS, lambda found: re.sub(r"[ .]", "", found[0])),
    (MILLIONS, lambda found: _times(found[1], found[2])),
]
# Applied in this order afterwards.
NUMBERS: list[Rule] = [
    (THOUSANDS, lambda found: re.sub(r"[ .]", "", found[0])),
    (r"(?<=\d)\s+d\s+(?=(?:euros|dollars)\b)", " "),
    (DIGITS + r"(\d{1,2})\s*(?:h|:|heures?\b)\s*(\d{2})(?=\s*min|\b)", r"\1 heures \2"),
    (r"(?<=heures) 00\b", ""),
    (r"(?<=heures) 0(?=\d\b|\dmin)", " "),
    (r"(?<=heures) (\d{1,2})\s*min(?:utes?)?\b", r" \1"),
    (r"\b0 virgule (?=\d)", "0,"),
    (r"(?<![\d,])0(?=\d)", "0 "),
    (DIGITS + r"(\d{1,2})\s*(?:h\b|heures?\b)", r"\1 heures"),
    (r"\b1(?:re|ère|ere)\b", "1ère"),
    (r"\b(\d+)(?:ième|ieme|eme|e|ème)\b", r"\1ème"),
    (r"(?<=\d)\.(?=\d)", ","),
]
FILLERS = r"\b(?:euh|heu|hein|ben|hum|hmm+)\b"
MAX_PASSES = 5
ONE_F = "unefeminine"  # not a French word; hides "une" from text2num


def normalize_french(text: str, *, drop_fillers: bool = False) -> str:
    """The normal form of `text`: lower-case words and digits with single spaces."""
    text = unicodedata.normalize("NFC", text).lower().translate(SIGNS)
    if drop_fillers:
        text = re.sub(FILLERS, " ", text)
    # The result of one rule can match another ("un cent - euros"); speech needs one pass.
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
    """Number words as digits, except a single "une", which is usually an article."""
    text = re.sub(r"(?<!et )(?<!et)\bune\b", ONE_F, text)
    return alpha2digit(text, LANGUAGE, EVERY_NUMBER).replace(ONE_F, "une")


def _times(number: str, power: str) -> str:
    """ "2", "million" -> "2000000"; "1,5", "million" -> "1500000"."""
    return str(int(Decimal(number.replace(",", ".")).scaleb(POWERS[power])))


def _substitute(rules: list[Rule], text: str) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text)
    return text


FRENCH = Normalizer(
    name="fr", version=1, apply=normalize_french,
    about="French: one written form for numbers, hours, money, percent, titles and signs",
)  # fmt: skip
