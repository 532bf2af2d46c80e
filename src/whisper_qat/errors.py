"""The two errors that end a command in words, and the nearest spelling of a mistyped name.

A command line shows the text of an error instead of a traceback only for these two types, so a
bug of ours (any other exception) keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Something the user gave cannot be used; one line: where, what value, what would be right."""


class GateError(RuntimeError):
    """A measured result missed its gate; what was measured has been kept on disk."""


def nearest(word: str, choices: Iterable[str]) -> str:
    """``"; did you mean 'x'?"`` for the closest of ``choices``, or ``""`` when none is close."""
    found = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""
