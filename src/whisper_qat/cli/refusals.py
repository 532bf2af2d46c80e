"""One-line error messages for wrong settings: where, what was given, and what is expected.

jsonargparse's own messages run over several lines and use its names for types.
"""

import re
from collections.abc import Mapping
from typing import Any

from whisper_qat.cli.hints import choices, expectation
from whisper_qat.errors import nearest


def wrong_type(where: str, value: object, hint: Any) -> str:
    """The error for `value` at `where`, which is not of the type `hint`."""
    text = f"{where}: expected {expectation(hint)}, got {value!r}"
    return text + (nearest(str(value), choices(hint)) if choices(hint) else "")


def wrong_flag(message: str, hints: Mapping[str, Any]) -> str:
    """Reduce jsonargparse's message about the command line, of several lines, to one."""
    found = re.search(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)', message, re.DOTALL)
    if found:
        return wrong_type(f"--{found[1]}", found[2], hints[found[1]])
    return " ".join(message.replace("argument --", "--").split())
