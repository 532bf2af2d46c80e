"""The two errors that a command reports without a traceback, and suggestions for mistyped names.

Any other exception is a bug of this project and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Input that cannot be used; its one line says where, which value, and what would be right."""


class GateError(RuntimeError):
    """A measured result missed its required threshold; the measurements have been kept on disk."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """Suggest the closest choice as ``"; did you mean 'x'?"``; ``""`` when none is close."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
