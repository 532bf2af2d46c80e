"""Arranges the arguments of a command line in the one form that argparse reads reliably.

jsonargparse, built on argparse, converts and checks the values. This module adds four things:
hyphens and underscores name the same flag; a boolean takes ``--flag``, ``--no-flag`` and
``--flag true|false``, and does not swallow an audio file that follows it; positional words may
stand anywhere, not only together; the error for a misspelt flag suggests the nearest one.
"""

from collections import deque
from dataclasses import dataclass, field

from whisper_qat.cli.hints import is_list, is_switch
from whisper_qat.errors import InputError, nearest
from whisper_qat.runs.setting_groups import Setting

BOOLEAN_WORDS = {"true", "false", "yes", "no"}
GENERAL = ("config", "help", "version", "quiet", "verbose")


@dataclass
class CommandLine:
    """The arguments of one command: general flags apart, the others as ``--name value`` words."""

    configs: list[str] = field(default_factory=list)  # --config, in order
    general: set[str] = field(default_factory=set)  # of GENERAL, without config
    flags: list[str] = field(default_factory=list)


def arrange(argv: list[str], settings: list[Setting]) -> CommandLine:
    """Sort the words of `argv`; InputError for an unknown flag or a word that belongs nowhere."""
    return _Reader(argv, settings).read()


def positional_of(settings: list[Setting]) -> Setting | None:
    """The setting that words without a flag belong to."""
    return next((s for s in settings if s.field.metadata.get("positional")), None)


class _Reader:
    """Reads the words from left to right and collects complete arguments in `found`."""

    def __init__(self, argv: list[str], settings: list[Setting]) -> None:
        self.words = deque(argv)
        self.settings = {setting.name: setting for setting in settings}
        self.positional = positional_of(settings)
        self.loose: list[str] = []  # values of the positional setting, with or without its flag
        self.found = CommandLine()

    def read(self) -> CommandLine:
        while self.words:
            word = self.words.popleft()
            if word == "--":
                self.loose += self.words
                self.words.clear()
            elif word == "-h":
                self.found.general.add("help")
            elif word.startswith("-") and word != "-":
                self._flag(word)
            else:
                self.loose.append(word)
        self._place_loose()
        return self.found

    def _flag(self, word: str) -> None:
        typed, equals, value = word.partition("=")
        name = typed.removeprefix("--").replace("-", "_")
        setting = self.settings.get(name)
        negated = self.settings.get(name.removeprefix("no_")) if name.startswith("no_") else None
        if not typed.startswith("--"):
            self._refuse(typed)
        elif name in GENERAL:
            self._general(name, equals, value)
        elif setting is not None and is_switch(setting.hint):
            self.found.flags.append(f"--{name}={value if equals else self._switch_value()}")
        elif setting is not None:
            self._setting(setting, equals, value)
        elif negated is not None and is_switch(negated.hint):
            if equals:
                raise InputError(f"{typed}: takes no value; give --{negated.name} {value}")
            self.found.flags.append(f"--{negated.name}=false")
        else:
            self._refuse(typed)

    def _general(self, name: str, equals: str, value: str) -> None:
        if name == "config":
            path = value if equals else (self.words.popleft() if self._value_follows() else "")
            if not path:
                raise InputError("--config: expected the name of a YAML file")
            self.found.configs.append(path)
        elif equals:
            raise InputError(f"--{name}: takes no value, got {value!r}")
        else:
            self.found.general.add(name)

    def _setting(self, setting: Setting, equals: str, value: str) -> None:
        values = [value] if equals else []
        many = is_list(setting.hint)
        while not equals and self._value_follows() and (many or not values):
            values.append(self.words.popleft())
        if setting is self.positional and values:
            self.loose += values
        elif equals:
            self.found.flags.append(f"--{setting.name}={value}")
        else:
            self.found.flags += [f"--{setting.name}", *values]

    def _switch_value(self) -> str:
        """The next word if it is a value for the switch, else true."""
        if self._value_follows():
            ours = self.words[0].lower() in BOOLEAN_WORDS
            if ours or self.positional is None:
                return self.words.popleft()
        return "true"

    def _value_follows(self) -> bool:
        return bool(self.words) and not self.words[0].startswith("--")

    def _place_loose(self) -> None:
        if not self.loose:
            return
        many = self.positional is not None and is_list(self.positional.hint)
        if self.positional is None or (len(self.loose) > 1 and not many):
            word = self.loose[0 if self.positional is None else 1]
            raise InputError(f"unexpected argument {word!r}; values belong to a flag")
        if many:
            self.found.flags += [f"--{self.positional.name}", *self.loose]
        else:
            self.found.flags.append(f"--{self.positional.name}={self.loose[0]}")

    def _refuse(self, typed: str) -> None:
        known = [f"--{name}" for name in (*self.settings, *GENERAL)]
        raise InputError(f"unknown flag {typed!r}{nearest(typed, known)}")
