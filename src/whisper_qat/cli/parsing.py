"""Build a configuration: the command line overrides ``--config`` files, which override defaults.

jsonargparse converts and checks the values (`cli.flags`); this module only orders the sources.
"""

from typing import TypeVar

import jsonargparse

from whisper_qat.cli.config_file import read_config
from whisper_qat.cli.flags import build_parser
from whisper_qat.cli.hints import as_declared
from whisper_qat.cli.refusals import wrong_flag
from whisper_qat.cli.words import CommandLine, arrange
from whisper_qat.errors import InputError
from whisper_qat.runs.setting_groups import Setting, build, settings_of

Config = TypeVar("Config")


def parse(config_class: type[Config], argv: list[str]) -> Config:
    """Parse the arguments of a command line into a configuration; InputError for any mistake."""
    return resolve(config_class, arrange(argv, settings_of(config_class)))


def resolve(config_class: type[Config], line: CommandLine) -> Config:
    """Build the configuration of an arranged command line; runs the configuration's own checks."""
    settings = settings_of(config_class)
    hints = {setting.name: setting.hint for setting in settings}
    parser = build_parser(config_class)
    for file in line.configs:
        parser.set_defaults(read_config(file, parser, settings))
    try:
        parsed = parser.parse_args(line.flags).as_dict()
    except jsonargparse.ArgumentError as error:
        raise InputError(wrong_flag(str(error), hints)) from None
    values = {name: as_declared(parsed[name], hints[name]) for name in hints}
    _require(settings, values)
    return build(config_class, values)


def _require(settings: list[Setting], values: dict[str, object]) -> None:
    for setting in settings:
        if setting.required and values[setting.name] is None:
            positional = setting.field.metadata.get("positional")
            word = setting.name.upper() if positional else f"--{setting.name}"
            raise InputError(f"{word} is required (on the command line or in --config)")
