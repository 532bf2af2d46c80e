"""Normalisers: what counts as the same word; named, versioned, and applied once to both sides.

`card` is transformers' BasicTextNormalizer, with which the published v0.2 figures were scored;
whisper_normalizer holds the same code without torch (equality is tested). `fr` is ours.
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
    """A text normaliser with the name and version that results carry."""

    name: str
    version: int
    apply: Callable[[str], str]

    @property
    def fingerprint(self) -> str:
        """Hash of name, version and behaviour on fixed probes: changes when a library does."""
        parts = [self.name, str(self.version), *map(self.apply, PROBES)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def normalize_card(text: str) -> str:
    """Lower case, bracketed and parenthesised text removed, symbols to spaces; accents stay."""
    return BasicTextNormalizer()(text).strip()


NORMALIZERS = {
    "card": Normalizer("card", 1, normalize_card),
    "fr": Normalizer("fr", 1, normalize_french),
}


def get_normalizer(name: str) -> Normalizer:
    """The normaliser of that name; InputError with the nearest one otherwise."""
    if name not in NORMALIZERS:
        raise InputError(
            f"normalizer={name!r}: expected one of {', '.join(NORMALIZERS)}"
            f"{nearest(name, NORMALIZERS)}"
        )
    return NORMALIZERS[name]
