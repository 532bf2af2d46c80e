"""One flag per setting of a configuration, and the help that lists them in groups.

jsonargparse checks the values. The help is put together here, because jsonargparse prints Python
types where a reader needs choices, the default and what is required. A setting's help is its
``metadata["help"]``, its line under ``Args:`` or its docstring. Groups are the dataclasses that the
configuration is composed of, or those in its ``HELP_GROUPS`` (title -> names).
"""

import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import docstring_parser
import jsonargparse

from whisper_qat.cli.hints import is_list, is_switch, metavar, plain, without_none
from whisper_qat.cli.words import positional_of
from whisper_qat.runs.setting_groups import Setting, groups_of, settings_of

GENERAL_HELP = {
    "config": "YAML file of the same names, or the name of a configuration that comes with the "
    "package; flags win over it, and a later file over an earlier one",
    "help": "show this help and exit",
    "version": "show the version and exit",
    "quiet": "show errors and warnings only",
    "verbose": "show the version, the whole configuration and debugging messages",
}
EPILOG = (
    "A flag that takes true or false may stand alone for true; --no-FLAG is false. Hyphens and "
    "underscores in a flag's name are the same."
)


class HelpFormatter(jsonargparse.DefaultHelpFormatter):
    """Prints help texts unchanged: they already hold choices, defaults and "(required)"."""

    def _get_help_string(self, action: Any) -> str:
        return action.help or ""


def build_parser(config_class: type, *, prog: str | None = None) -> jsonargparse.ArgumentParser:
    """Build the parser of a configuration; flags are named like the settings, with underscores."""
    settings = settings_of(config_class)
    positional = positional_of(settings)
    parser = jsonargparse.ArgumentParser(
        prog=prog,
        usage=f"%(prog)s {_word(positional)}[flags]",
        epilog=EPILOG,
        description=docstring_parser.parse_from_object(config_class).short_description,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
        add_help=False,
    )
    texts = _texts(config_class)
    for title, members in _titled(config_class, settings):
        group = parser.add_argument_group(title)
        for setting in members:
            group.add_argument(
                f"--{setting.name}", default=plain(setting.default), metavar=_metavar(setting),
                help=_help(setting, texts.get(setting.name, ""), setting is positional),
                **_form(setting.hint),
            )  # fmt: skip
    _add_general(parser)
    return parser


def _add_general(parser: jsonargparse.ArgumentParser) -> None:
    """Add the general flags for --help only: `cli.words` removes them before parsing."""
    group = parser.add_argument_group("general")
    for name, text in GENERAL_HELP.items():
        short = ["-h"] if name == "help" else []
        form: dict[str, Any] = {"metavar": "FILE"} if name == "config" else {"action": "store_true"}
        group.add_argument(*short, f"--{name}", help=text, **form)


def _texts(config_class: type) -> dict[str, str]:
    """Help text of each setting, from the docstrings of a configuration and of its groups."""
    texts: dict[str, str] = {}
    for described in (config_class, *groups_of(config_class).values()):
        parsed = docstring_parser.parse_from_object(described)
        texts |= {p.arg_name: p.description or "" for p in parsed.params}
    return texts


def _titled(config_class: type, settings: list[Setting]) -> Iterable[tuple[str, list[Setting]]]:
    titles: dict[str, Iterable[str]] = getattr(config_class, "HELP_GROUPS", {})
    of_name = {name: title for title, names in titles.items() for name in names}
    unknown = of_name.keys() - {setting.name for setting in settings}
    assert not unknown, f"{config_class.__name__}.HELP_GROUPS names {sorted(unknown)}"
    found: dict[str, list[Setting]] = {title: [] for title in titles}
    for setting in settings:
        title = setting.group or of_name.get(setting.name) or "settings"
        found.setdefault(title, []).append(setting)
    return found.items()


def _word(positional: Setting | None) -> str:
    if positional is None:
        return ""
    name = positional.name.upper()
    return f"{name} [{name} ...] " if is_list(positional.hint) else f"{name} "


def _metavar(setting: Setting) -> str:
    return "{true,false}" if is_switch(setting.hint) else metavar(setting.hint)


def _help(setting: Setting, text: str, positional: bool) -> str:
    text = setting.field.metadata.get("help") or text
    shown = shown_default(setting)
    notes = ["required"] if setting.required else [f"default: {shown}"] if shown else []
    if positional:
        notes.append("the flag itself may be left out")
    return f"{text} ({'; '.join(notes)})".strip() if notes else text


def shown_default(setting: Setting) -> str:
    """A default as the user would type it; empty where the default is to leave the setting out.

    Where the default follows from other settings, ``metadata["default"]`` is the usual one.
    """
    value = setting.field.metadata.get("default") or plain(setting.default)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _form(hint: Any) -> dict[str, Any]:
    """Arguments that make jsonargparse read one type: lists as words, paths as unchecked text."""
    inner, _ = without_none(hint)
    if is_list(inner):
        return {"nargs": "+", "type": typing.get_args(inner)[0]}
    if is_switch(hint):
        return {"nargs": "?", "const": True, "type": bool}
    return {"type": str if inner is Path else hint}
