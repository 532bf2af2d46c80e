"""The interface of a runtime in a benchmark: transcribe audio, and decode a number of tokens.

Each runtime has a file in this package, which opens one model for one process with a fixed number
of threads. All runtimes decode greedily, in one language, without timestamps, temperature fallback,
voice activity detection or the text of the previous chunk. Audio over 30 s is cut into the same
chunks for every runtime (`infer.long_form.chunks`). The record of each
runtime (`runtime.Runtime`) states any difference as its policy.
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
    """A runtime that is not installed; its rows are left out with this message."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """One model for one process; `options` are specific to the runtime."""

    folder: Path
    threads: int
    language: str
    max_new_tokens: int
    options: dict[str, Any] = field(default_factory=dict)


class System(Protocol):
    """An opened model of a runtime; audio is float32 [samples] at 16 kHz."""

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        """The text of `audio`, of any length."""
        ...

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        """Decode `tokens` tokens of at most 30 s, past the end of text; returns their number."""
        ...

    def facts(self) -> dict[str, str]:
        """Versions and build of the runtime, for the record."""
        ...


Opener = Callable[[Setup], System]


def require_module(module: str) -> ModuleType:
    """Import the module of a runtime; SystemMissing names the command that installs it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SystemMissing(
            f"{module} cannot be imported ({error}); install it with {INSTALL}"
        ) from None
