"""Type hints of settings: how values of each type are written, read and described to users."""

import types
import typing
from pathlib import Path
from typing import Any, Literal

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "text"}
METAVARS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}


def without_none(hint: Any) -> tuple[Any, bool]:
    """``X | None`` as (X, True); any other type as (type, False)."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint, False
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    optional = len(members) < len(typing.get_args(hint))
    return (members[0] if len(members) == 1 else typing.Union[tuple(members)]), optional  # noqa: UP007


def is_list(hint: Any) -> bool:
    """True for a list or tuple: several words, a list in YAML."""
    return typing.get_origin(without_none(hint)[0]) in (list, tuple)


def is_switch(hint: Any) -> bool:
    """True for a boolean."""
    return without_none(hint)[0] is bool


def choices(hint: Any) -> list[str]:
    """The values that a Literal, or a list of Literals, allows; empty for other types.

    An empty string in a Literal means "not given"; it is not offered as a choice.
    """
    inner, _ = without_none(hint)
    if is_list(inner):
        return choices(typing.get_args(inner)[0])
    if typing.get_origin(inner) is not Literal:
        return []
    return [str(member) for member in typing.get_args(inner) if member != ""]


def expectation(hint: Any) -> str:
    """Describe the values that a type allows, for an error message."""
    inner, optional = without_none(hint)
    if typing.get_origin(inner) is Literal:
        text = "one of " + ", ".join(choices(inner))
    elif is_list(inner):
        text = "a list of " + expectation(typing.get_args(inner)[0])
    elif typing.get_origin(inner) in (types.UnionType, typing.Union):
        text = " or ".join(expectation(member) for member in typing.get_args(inner))
    else:
        text = KINDS.get(inner, getattr(inner, "__name__", str(inner)))
    return text + (" or null" if optional else "")


def metavar(hint: Any) -> str:
    """Placeholder for a value in the list of flags."""
    inner, _ = without_none(hint)
    if choices(inner):
        return "{" + ",".join(choices(inner)) + "}"
    if is_list(inner):
        return metavar(typing.get_args(inner)[0])
    return METAVARS.get(inner, "VALUE")


def plain(value: object) -> object:
    """Convert a value for YAML and jsonargparse: tuples to lists, paths to text."""
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def as_declared(value: object, hint: Any) -> object:
    """Convert a value that was read to the tuple or Path that the field declares."""
    inner, _ = without_none(hint)
    if typing.get_origin(inner) is tuple and isinstance(value, list):
        return tuple(value)
    return Path(value) if inner is Path and isinstance(value, str) else value
