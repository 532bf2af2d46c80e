"""Records of corpora: a source that prepare_data knows by name, and a published folder layout.

Each stands in the file of its kind of source beside this one, and in the `registry`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.source import Collection


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user gives along with the name: `cache` receives downloads and unpacked archives."""

    cache: Path
    archive: str | None = None
    text_field: str | None = None


@dataclass(frozen=True, kw_only=True)
class NamedSource:
    """`collect` gives clips by split; `takes` names the fields of a `Request` that it reads.

    A field that it does not take is refused by prepare_data when it is given.
    """

    name: str
    collect: Callable[[Request], Collection]
    takes: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class FolderLayout:
    """`matches` says whether a folder has this layout for a split, `load` reads that split."""

    name: str
    matches: Callable[[Path, str], bool]
    load: Callable[[Path, str], list[Clip]]
