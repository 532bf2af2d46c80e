"""Settings in groups: a dataclass of dataclasses in code, a flat set of names elsewhere.

Code reads ``config.schedule.learning_rate``. A command line, a YAML file and a manifest know the
same setting as ``learning_rate``, so a name is unique among the groups of a configuration. A
configuration without groups counts as one group without a name.
"""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

Config = TypeVar("Config")


@dataclass(frozen=True)
class Setting:
    """One value of a configuration: its field, its resolved type, and the group that holds it."""

    field: dataclasses.Field
    hint: Any
    owner: type  # the dataclass that declares the field
    group: str | None = None

    @property
    def name(self) -> str:
        return self.field.name

    @property
    def required(self) -> bool:
        """True when the setting has no default."""
        absent = dataclasses.MISSING
        return self.field.default is absent and self.field.default_factory is absent

    @property
    def default(self) -> Any:
        """The default; None for a setting that has none."""
        if self.field.default_factory is not dataclasses.MISSING:
            return self.field.default_factory()
        return None if self.required else self.field.default


def settings_of(config_class: type) -> list[Setting]:
    """All settings in the order of declaration; those of a group stand at the group's position."""
    hints = typing.get_type_hints(config_class)
    found: list[Setting] = []
    for field in dataclasses.fields(config_class):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint):
            found += [
                dataclasses.replace(inner, group=field.name)
                for inner in settings_of(typing.cast(type, hint))
            ]
        else:
            found.append(Setting(field, hint, config_class))
    names = [setting.name for setting in found]
    assert len(set(names)) == len(names), f"{config_class.__name__}: a name stands in two groups"
    return found


def groups_of(config_class: type) -> dict[str, type]:
    """Group name -> its dataclass; empty for a configuration without groups."""
    hints = typing.get_type_hints(config_class)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(config_class)}
    return {
        name: typing.cast(type, hint)
        for name, hint in fields.items()
        if dataclasses.is_dataclass(hint)
    }


def flat(config: Any) -> dict[str, Any]:
    """All settings of `config` by flat name, regardless of their group."""
    values: dict[str, Any] = {}
    for setting in settings_of(type(config)):
        holder = config if setting.group is None else getattr(config, setting.group)
        values[setting.name] = getattr(holder, setting.name)
    return values


def build(config_class: type[Config], values: Mapping[str, Any]) -> Config:
    """Build a configuration from `values` by flat name, else from defaults, and run its checks.

    An unknown name is a TypeError, as it is for the dataclass itself.
    """
    left = dict(values)
    arguments: dict[str, Any] = {}
    for name, group_class in groups_of(config_class).items():
        own = [setting.name for setting in settings_of(group_class)]
        arguments[name] = build(group_class, {key: left.pop(key) for key in own if key in left})
    return config_class(**left, **arguments)


def changed(config: Config, **values: Any) -> Config:
    """A copy of `config` with other `values` by flat name; its checks run again."""
    return build(type(config), flat(config) | values)
