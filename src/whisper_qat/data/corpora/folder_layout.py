"""A published folder layout of a corpus, as a record: how it is recognised and read."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.data.clips.clip import Clip


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """`matches` says whether a folder has this layout for a split, `load` reads that split."""

    name: str
    matches: Callable[[Path, str], bool]
    load: Callable[[Path, str], list[Clip]]
