"""Every refusal in one line: where, what was given, and what would be right.

jsonargparse's own messages run over several lines and name its types; these name ours.
"""

import re
from collections.abc import Mapping
from typing import Any

from whisper_qat.cli.hints import choices, expectation
from whisper_qat.errors import nearest


def wrong_type(where: str, value: object, hint: Any) -> str:
    """`value` at `where` is not of the type `hint`."""
    text = f"{where}: expected {expectation(hint)}, got {value!r}"
    return text + (nearest(str(value), choices(hint)) if choices(hint) else "")


def wrong_flag(message: str, hints: Mapping[str, Any]) -> str:
    """jsonargparse's several lines about the command line as one of ours."""
    found = re.search(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)', message, re.DOTALL)
    if found:
        return wrong_type(f"--{found[1]}", found[2], hints[found[1]])
    return " ".join(message.replace("argument --", "--").split())
