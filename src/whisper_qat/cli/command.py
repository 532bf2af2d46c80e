"""Run one command: parse its arguments, call its ``run``, turn its errors into an exit status.

The scripts and the subcommands of ``whisper-qat`` both call `main`.
"""

import errno
import logging
import sys
import typing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

import yaml

from whisper_qat.cli.flags import build_parser
from whisper_qat.cli.hints import plain
from whisper_qat.cli.parsing import resolve
from whisper_qat.cli.words import CommandLine, arrange
from whisper_qat.errors import GateError, InputError
from whisper_qat.runs.messages import set_loudness
from whisper_qat.runs.setting_groups import settings_of

DISTRIBUTION = "whisper-qat"
Config = TypeVar("Config")
logger = logging.getLogger(__name__)


def main(
    config_class: type[Config],
    run: Callable[[Config], int | None],
    argv: list[str] | None = None,
    prog: str | None = None,
) -> int | None:
    """Parse ``argv`` into ``config_class`` and call ``run``; returns only on success.

    Otherwise raises SystemExit: 2 for what the user can fix (InputError, a bad flag or file, a
    full disk), 1 for a failed gate, 130 for Ctrl-C, or the status that ``run`` returned.
    """
    with statuses():
        line = arrange(sys.argv[1:] if argv is None else argv, settings_of(config_class))
        _answer(line, config_class, prog)
        set_loudness(quiet="quiet" in line.general, verbose="verbose" in line.general)
        config = resolve(config_class, line)
        _announce(config)
        status = run(config)
        if status:
            raise SystemExit(status)
    return 0


@contextmanager
def statuses() -> Iterator[None]:
    """Turn the errors that mean something to the caller into one line and an exit status."""
    set_loudness()
    try:
        yield
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


def _stop(message: str, status: int) -> typing.NoReturn:
    logger.error(message)
    raise SystemExit(status)


def _answer(line: CommandLine, config_class: type, prog: str | None) -> None:
    """Answer --help or --version and exit; InputError for flags that contradict each other."""
    if "help" in line.general:
        print(build_parser(config_class, prog=prog).format_help(), end="")
        raise SystemExit(0)
    if "version" in line.general:
        print(version_line())
        raise SystemExit(0)
    if {"quiet", "verbose"} <= line.general:
        raise InputError("--quiet, --verbose: give one of them")


def version_line() -> str:
    """Name and version of the installed package; the version is defined only in pyproject.toml."""
    try:
        return f"{DISTRIBUTION} {version(DISTRIBUTION)}"
    except PackageNotFoundError:
        return f"{DISTRIBUTION} (not installed)"


def _announce(config: object) -> None:
    """Log the checked configuration: the settings that differ from the defaults, or all of them."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug(version_line())
        logger.debug("# configuration\n%s", _yaml(config, everything=True))
        return
    text = _yaml(config, everything=False)
    if text:
        logger.info("# configuration (what differs from the defaults)\n%s", text)


def _yaml(config: object, *, everything: bool) -> str:
    """The configuration as YAML, in its groups; reading it back gives the same configuration."""
    content: dict[str, typing.Any] = {}
    for setting in settings_of(type(config)):
        holder = config if setting.group is None else getattr(config, setting.group)
        value = getattr(holder, setting.name)
        if everything or setting.required or value != setting.default:
            place = content if setting.group is None else content.setdefault(setting.group, {})
            place[setting.name] = plain(value)
    if not content:
        return ""
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).rstrip("\n")
