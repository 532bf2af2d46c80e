"""What a benchmark asks of a runtime: a transcript, and a given number of tokens.

One file per runtime beside this one, with its record (`runtime.Runtime`); each opens one model for
one process with a fixed number of threads. All decode greedily, in one language, without
timestamps, temperature fallback, voice detection or text of the piece before; audio over 30 s is
cut into the same pieces for every runtime (`infer.long_form.chunks`). Where a runtime differs, its
record says so.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whisper_qat.errors import InputError

INSTALL = ".venv/bin/pip install -e '.[bench]'"


class SystemMissing(InputError):
    """A runtime that is not installed: its rows are left out with this line."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One model for one process; `options` are the adapter's own."""

    folder: Path
    threads: int
    language: str
    max_new_tokens: int
    options: dict[str, Any] = field(default_factory=dict)


class System(Protocol):
    """A model of some runtime, ready to transcribe float32 [samples] at 16 kHz."""

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        """The text of `audio`, of any length."""
        ...

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        """Decode `tokens` tokens of at most 30 s, past the end; the number that were decoded."""
        ...

    def facts(self) -> dict[str, str]:
        """Versions and build of the runtime, for the record."""
        ...


Opener = Callable[[Setup], System]


def require_module(module: str) -> ModuleType:
    """The runtime's module; SystemMissing with the line that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SystemMissing(f"{module} cannot be imported ({error}); {INSTALL}") from None
