"""Records of the benchmark: a runtime, the forms of the checkpoint it loads, and its rows.

One `Runtime` stands in each file beside this one and in the `registry`; the benchmark reads nothing
else, so adding a runtime touches its own file, its test and the registry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.measure.systems.system import Opener

# Float checkpoint, new folder, settings, the plan that the settings name -> writes the folder.
Maker = Callable[[Path, Path, dict[str, Any], Path | None], None]
CHECKPOINT, ONNX = (
    "checkpoint",
    "onnx",
)  # kinds without a maker: as it is; as this project quantizes


@dataclass(frozen=True, kw_only=True)
class Form:
    """A float checkpoint as a runtime loads it: a folder that `make` writes once and that is kept.

    The folder is found again by `name`, `kind`, `settings` (a "plan" among them is the name of a
    shipped plan), the checkpoint's content and the versions of `converters`, Python packages that
    decide what is written.
    """

    name: str
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    make: Maker | None = None
    converters: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        assert self.make is not None or self.kind in (CHECKPOINT, ONNX), self.kind


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a runtime: a form of the checkpoint, and options for the runtime's opener.

    A `short` variant gets the clip and a margin (option `margin_s`) instead of 30 s, and is
    measured on short clips only.
    """

    name: str
    form: Form
    options: dict[str, Any] = field(default_factory=dict)
    short: bool = False


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What decodes: `open` loads a form for one process; `modules` must be importable for it.

    `policy`, and `short_policy` for its short variants, state where it differs from the others.
    `is_ours`: the folder itself carries the audio context, and plots tell its rows from the rest.
    """

    name: str
    open: Opener
    variants: tuple[Variant, ...]
    policy: str
    short_policy: str = ""
    modules: tuple[str, ...] = ()
    is_ours: bool = False

    def __post_init__(self) -> None:
        if any(variant.short for variant in self.variants):
            assert self.short_policy, f"{self.name}: no policy for its short variants"
