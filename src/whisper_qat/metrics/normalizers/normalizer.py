"""A text normaliser as a record: what counts as the same word, under a name and a version."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

PROBES = (
    "L'œuvre d'Étienne, rendez-vous à 8h30 !",
    "Appuyez sur 1 ; composez le 2e code (99 €).",
    "M. et Mme Dupont : quatre-vingt-dix-neuf pour cent [rires]",
    "Euh… c’est-à-dire 10 000 EUR, le 1er mai 2024, 3,5 %",
)


@dataclass(frozen=True, kw_only=True)
class Normalizer:
    """`apply` brings one text into its normal form; results carry `name` and `version`.

    `about` says in a few words what it does, for reports.
    """

    name: str
    version: int
    apply: Callable[[str], str]
    about: str

    @property
    def fingerprint(self) -> str:
        """Hash of name, version and behaviour on fixed sentences; it changes if a library does."""
        parts = [self.name, str(self.version), *map(self.apply, PROBES)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
