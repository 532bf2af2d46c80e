"""The French normaliser as a dictionary of texts that become equal or stay different."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from whisper_qat.metrics.normalizers.french import normalize_french

EQUAL = [
    ("99", "quatre-vingt-dix-neuf"),
    ("99", "Quatre vingt dix neuf."),
    ("71", "soixante et onze"),
    ("72", "septante-deux"),
    ("90", "nonante"),
    ("1984", "mille neuf cent quatre-vingt-quatre"),
    ("10 000 EUR", "dix mille euros"),
    ("10\u202f000 €", "dix mille euros"),
    ("1 500 euros", "mille cinq cents euros"),
    ("3,5 %", "trois virgule cinq pour cent"),
    ("3.5 %", "3,5 pourcent"),
    ("100 %", "cent pour cent"),
    ("8h30", "huit heures trente"),
    ("8 h 30", "8h30"),
    ("8:30", "8h30"),
    ("à 8h.", "à huit heures"),
    ("1h", "une heure"),
    ("1er", "premier"),
    ("1re", "première"),
    ("1ère", "première"),
    ("le 2e étage", "le deuxième étage"),
    ("le 2ème étage", "le deuxième étage"),
    ("21e", "vingt et unième"),
    ("appuyez sur 1", "appuyez sur un"),
    ("appuyez sur 4 ou 6", "Appuyez sur quatre ou six."),
    ("0 1 2 3", "zéro un deux trois"),
    ("01 23", "zéro un vingt-trois"),
    ("21h", "vingt et une heures"),
    ("8h05", "huit heures cinq"),
    ("8h00", "huit heures"),
    ("2 millions d'euros", "deux millions d'euros"),
    ("2 000 000 €", "deux millions d'euros"),
    ("1,5 million", "1 500 000"),
    ("10 500 habitants", "dix mille cinq cents habitants"),
    ("10.000 euros", "dix mille euros"),
    ("$5", "cinq dollars"),
    ("il fait -5", "il fait moins cinq"),
    ("le 2ᵉ", "le deuxième"),
    ("M. Élie", "monsieur Élie"),
    ("l’œuvre", "l'oeuvre"),
    ("c'est-à-dire", "c est à dire"),
    ("M. Dupont", "monsieur Dupont"),
    ("Mme Martin", "madame Martin"),
    ("Dr. Petit", "docteur Petit"),
    ("n° 5", "numéro cinq"),
    ("Tom & Jerry", "tom et jerry"),
    ("12€50", "douze euros cinquante"),
    ("12 € 50", "douze euros cinquante"),
    ("10 000,50 €", "dix mille virgule cinquante euros"),
    ("1 234 567,89 €", "1.234.567,89 euros"),
    ("0,5", "zéro virgule cinq"),
    ("8h30min", "huit heures trente minutes"),
    ("8h05min", "huit heures cinq minutes"),
    ("5 °C", "cinq degrés"),
    ("1°", "un degré"),
    ("le 2nd", "le second"),
    ("la 2nde", "la seconde"),
    ("MM. Dupont et Petit", "messieurs Dupont et Petit"),
    ("Mmes Martin", "mesdames Martin"),
    ("6 m. de long", "six m de long"),
    ("Bonjour [rires] !", "bonjour"),
    ("Bonjour (bis)", "bonjour"),
]
DIFFERENT = [
    ("8h30", "8h13"),
    ("1er", "première"),
    ("un", "une"),
    ("pêcheur", "pécheur"),
    ("quatre-vingt", "quatre-vingt-dix"),
    ("second", "deuxième"),
    ("dix mille", "dix millions"),
    ("3,5", "35"),
    ("monsieur", "madame"),
    ("les", "le"),
    ("12€50", "1250 €"),
    ("6 m. de long", "6 monsieur de long"),
    ("0,5", "0 5"),
]


@pytest.mark.parametrize(("a", "b"), EQUAL)
def test_equal(a, b):
    assert normalize_french(a) == normalize_french(b) != ""


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a, b):
    assert normalize_french(a) != normalize_french(b)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("8h30", "8 heures 30"),
        ("1er", "1er"),
        ("la une", "la une"),
        ("Sois sage, ô ma Douleur !", "sois sage ô ma douleur"),
        ("vingt et une", "21"),
        ("", ""),
        ("…", ""),
    ],
)
def test_known_forms(text, normal):
    """The first two become "huithtrente" and "uner" in a public leaderboard's normaliser."""
    assert normalize_french(text) == normal


def test_fillers_are_dropped_on_request():
    assert normalize_french("euh, ben oui hein") == "euh ben oui hein"
    assert normalize_french("euh, ben oui hein", drop_fillers=True) == "oui"


WORDS = st.sampled_from(
    [
        "un",
        "une",
        "deux",
        "neuf",
        "vingt",
        "et",
        "cent",
        "mille",
        "euros",
        "pour",
        "cent",
        "8h30",
        "1er",
        "2e",
        "10",
        "000",
        "3,5",
        "%",
        "€",
        "l'eau",
        "c'est",
        "peut-être",
        "premier",
        "M.",
        "Mme",
        "zéro",
        "heures",
        "douzième",
        "virgule",
        "-",
        ",",
        ".",
        "'",
        "(",
        "[x]",
        "œuvre",
        "dix-sept",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(WORDS, max_size=8).map(" ".join))
def test_normal_text_is_its_own_normal_form(text):
    once = normalize_french(text)
    assert normalize_french(once) == once
