"""The shared command line: one frozen dataclass becomes flags, a YAML file and a resolved record.

Command line beats ``--config FILE`` beats the dataclass. jsonargparse parses and checks types;
this module only orders the three sources and turns every refusal into one line with the place, the
value and what would be right. A field's help is its ``metadata["help"]`` or its docstring.
"""

import dataclasses
import errno
import os
import re
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import docstring_parser
import jsonargparse
import yaml

from whisper_qat.errors import GateError, InputError, nearest

Config = TypeVar("Config")
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "text"}


def main(
    config_class: type[Config],
    run: Callable[[Config], int | None],
    argv: list[str] | None = None,
    prog: str | None = None,
) -> int | None:
    """Parse ``argv`` into ``config_class`` and call ``run``; returns only on success.

    Otherwise raises SystemExit: 2 for what the user can mend (InputError, a bad flag or file, a
    full disk), 1 for a missed gate, 130 for Ctrl-C, or the status that ``run`` returned.
    """
    try:
        config = parse(config_class, sys.argv[1:] if argv is None else argv, prog=prog)
        _announce(config)
        status = run(config)
    except InputError as error:
        _stop(f"error: {error}", 2)
    except GateError as error:
        _stop(f"error: {error}", 1)
    except KeyboardInterrupt as error:
        _stop(str(error) or "interrupted", 130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _stop(f"error: {error.filename or 'output'}: disk full; free some space and rerun", 2)
    else:
        if status:
            raise SystemExit(status)
    return 0


def _stop(message: str, status: int) -> typing.NoReturn:
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(status)


def _announce(config: object) -> None:
    """Print the resolved configuration, once however many processes ``accelerate`` started."""
    if os.environ.get("RANK", "0") == "0":
        values = {name: _yaml_value(value) for name, value in vars(config).items()}
        text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        print(f"# resolved configuration\n{text}", file=sys.stderr, flush=True)


def _yaml_value(value: object) -> object:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def parse(config_class: type[Config], argv: list[str], *, prog: str | None = None) -> Config:
    """Resolve command line over ``--config`` file over defaults; InputError for anything wrong."""
    hints = typing.get_type_hints(config_class)
    parser = build_parser(config_class, prog=prog)
    files, rest = _take_config_flag(argv)
    for file in files:
        parser.set_defaults(read_config(file, parser, hints))
    try:
        values = parser.parse_args(rest).as_dict()
    except jsonargparse.ArgumentError as error:
        raise InputError(_flag_message(str(error), hints)) from None
    values.pop("config", None)
    _require(config_class, values)
    pairs = {name: _as_declared(value, hints[name]) for name, value in values.items()}
    return config_class(**pairs)


def build_parser(config_class: type, *, prog: str | None = None) -> jsonargparse.ArgumentParser:
    """One flag per field, with the field's own (underscored) name, type and help.

    A field whose metadata has "positional" is a word without a flag, and required.
    """
    documented = docstring_parser.parse_from_object(config_class)
    described = {p.arg_name: p.description for p in documented.params}
    parser = jsonargparse.ArgumentParser(
        prog=prog,
        description=documented.short_description,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file of the same names")
    hints = typing.get_type_hints(config_class)
    for field in dataclasses.fields(config_class):
        text = field.metadata.get("help") or described.get(field.name) or "%(type)s"
        form = _flag_form(hints[field.name])
        if field.metadata.get("positional"):
            parser.add_argument(field.name, nargs="?", help=text, **form)
        else:
            parser.add_argument(f"--{field.name}", default=_default(field), help=text, **form)
    return parser


def _default(field: dataclasses.Field) -> object:
    """The field's default in the form that jsonargparse checks; None when there is none."""
    if field.default_factory is not dataclasses.MISSING:
        return _yaml_value(field.default_factory())
    return None if field.default is dataclasses.MISSING else _yaml_value(field.default)


def _flag_form(hint: Any) -> dict[str, Any]:
    """How one type is written on a command line: lists as words, booleans with or without value."""
    inner, _ = _without_none(hint)
    if typing.get_origin(inner) in (list, tuple):
        return {"nargs": "+", "type": typing.get_args(inner)[0]}
    if inner is bool:
        return {"nargs": "?", "const": True, "type": bool}
    if inner is Path:
        return {"type": str}
    return {"type": hint}


def _without_none(hint: Any) -> tuple[Any, bool]:
    """``X | None`` as (X, True); any other type as (type, False)."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint, False
    members = [member for member in typing.get_args(hint) if member is not type(None)]
    optional = len(members) < len(typing.get_args(hint))
    return (members[0] if len(members) == 1 else typing.Union[tuple(members)]), optional  # noqa: UP007


def _as_declared(value: object, hint: Any) -> object:
    inner, _ = _without_none(hint)
    if typing.get_origin(inner) is tuple and isinstance(value, list):
        return tuple(value)
    return Path(value) if inner is Path and isinstance(value, str) else value


def _take_config_flag(argv: list[str]) -> tuple[list[str], list[str]]:
    """Split off ``--config FILE``: wherever it stands, the flags beside it win."""
    files, rest, words = [], [], iter(argv)
    for word in words:
        if word == "--config":
            files.append(next(words, ""))
        elif word.startswith("--config="):
            files.append(word.removeprefix("--config="))
        else:
            rest.append(word)
    if "" in files:
        raise InputError("--config: expected the name of a YAML file")
    return files, rest


def read_config(
    path: str, parser: jsonargparse.ArgumentParser, hints: dict[str, Any]
) -> dict[str, Any]:
    """Checked values of a YAML file; InputError names the file and the key or line."""
    values = _load_yaml(path)
    for name, value in values.items():
        if name not in hints:
            raise InputError(f"{path}: unknown key {name!r}{nearest(str(name), hints)}")
        if not _fits_outside(value, hints[name]):
            raise InputError(_type_message(f"{path}: {name}", value, hints[name]))
    checked = {}
    for name, value in values.items():
        try:
            checked[name] = parser.parse_object({name: value}, defaults=False)[name]
        except jsonargparse.ArgumentError:
            raise InputError(_type_message(f"{path}: {name}", value, hints[name])) from None
    return checked


def _load_yaml(path: str) -> dict[Any, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--config {path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: cannot be read ({error})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{path}: line {line}: not YAML ({error.problem})") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(values, dict | None):
        raise InputError(f"{path}: expected lines 'name: value', got {type(values).__name__}")
    return values or {}


def _fits_outside(value: object, hint: Any) -> bool:
    """The two checks jsonargparse leaves out: null for a plain type, a scalar for a list."""
    inner, optional = _without_none(hint)
    if value is None:
        return optional
    return isinstance(value, list) == (typing.get_origin(inner) in (list, tuple))


def _require(config_class: type, values: dict[str, Any]) -> None:
    missing = (dataclasses.MISSING, dataclasses.MISSING)
    for field in dataclasses.fields(config_class):
        needed = (field.default, field.default_factory) == missing
        if needed and values.get(field.name) is None:
            word = field.name.upper() if field.metadata.get("positional") else f"--{field.name}"
            raise InputError(f"{word} is required (on the command line or in --config)")


def _flag_message(message: str, hints: dict[str, Any]) -> str:
    """jsonargparse's several lines about the command line as one of ours."""
    found = re.search(r'Parser key "(\w+)".*(?:Got|Given) value: (.*)', message, re.DOTALL)
    if found:
        return _type_message(f"--{found[1]}", found[2], hints[found[1]])
    if "unrecognized arguments:" in message:
        words = message.split("unrecognized arguments:")[1].split()
        flag = next((word for word in words if word.startswith("-")), None)
        if flag is None:
            return f"unexpected argument {words[0]!r}; values belong to a flag"
        name = flag.split("=")[0]
        return f"unknown flag {name!r}{nearest(name, [f'--{hint}' for hint in (*hints, 'config')])}"
    return " ".join(message.replace("argument --", "--").split())


def _type_message(where: str, value: object, hint: Any) -> str:
    return f"{where}: expected {_expected(hint)}, got {value!r}{_nearest_member(value, hint)}"


def _nearest_member(value: object, hint: Any) -> str:
    inner, _ = _without_none(hint)
    if typing.get_origin(inner) is not Literal:
        return ""
    return nearest(str(value), [str(member) for member in typing.get_args(inner)])


def _expected(hint: Any) -> str:
    inner, optional = _without_none(hint)
    if typing.get_origin(inner) is Literal:
        text = "one of " + ", ".join(str(member) for member in typing.get_args(inner))
    elif typing.get_origin(inner) in (list, tuple):
        text = "a list of " + _expected(typing.get_args(inner)[0])
    elif typing.get_origin(inner) in (types.UnionType, typing.Union):
        text = " or ".join(_expected(member) for member in typing.get_args(inner))
    else:
        text = KINDS.get(inner, getattr(inner, "__name__", str(inner)))
    return text + (" or null" if optional else "")
