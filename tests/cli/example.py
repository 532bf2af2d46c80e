"""A small configuration with every kind of flag."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from whisper_qat.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Example:
    """Do something at 100 % once."""

    model_path: str
    """Folder of the model (50 % of it)."""
    num_epochs: int = 3
    learning_rate: float = 1e-5
    quantization_type: Literal["int8", "int4", "none"] = "int8"
    corpora: list[str] = field(default_factory=list)
    compare: tuple[str, ...] = ()
    max_samples: int | None = None
    split: str | None = None
    dry_run: bool = False
    output_dir: Path = field(default=Path("out"), metadata={"help": "where to"})

    def __post_init__(self) -> None:
        if self.num_epochs < 1:
            raise InputError(f"num_epochs: expected at least 1, got {self.num_epochs}")


@dataclass(frozen=True, kw_only=True)
class Positional:
    """Look at one folder."""

    folder: Path = field(metadata={"positional": True})
    limit: int = 3


@dataclass(frozen=True, kw_only=True)
class Files:
    """Read files."""

    audio: list[str] = field(metadata={"positional": True})
    timestamps: bool = False
    fallback: bool = True
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Speech:
    """Which clips.

    Args:
        train_data: where the clips are
        max_samples: a draw of so many
    """

    train_data: str
    max_samples: int | None = None


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Which steps.

    Args:
        learning_rate: peak
        steps: how many
    """

    learning_rate: float = 1e-5
    steps: tuple[int, ...] = (1, 2)
    kind: Literal["a", "b", ""] = field(default="", metadata={"default": "a"})


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """Train something.

    Args:
        seed: of everything
    """

    data: Speech
    schedule: Schedule = field(default_factory=Schedule)
    seed: int = 0
