"""Files and folders of a command line as recordings, each with the file its transcript goes to.

A folder stands for all audio files below it, and its tree is kept under the output folder. What
cannot be transcribed is listed beside the rest and stops nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.data.audio.reading import probe
from whisper_qat.errors import InputError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An audio file and where its transcript is written; None: to standard output."""

    path: Path
    duration_s: float
    output: Path | None


def gather(
    paths: Sequence[str], output_dir: Path | None, suffix: str
) -> tuple[list[Recording], list[InputError]]:
    """The recordings under `paths`, in order, and what is wrong with the others.

    InputError when two of them would be written to one file.
    """
    recordings: dict[Path, Recording] = {}
    problems: list[InputError] = []
    taken: dict[Path, Path] = {}
    for path, relative in _files(paths, problems):
        if path in recordings:
            continue
        output = None if output_dir is None else (output_dir / relative).with_suffix(suffix)
        if output is not None and taken.setdefault(output, path) != path:
            raise InputError(
                f"{taken[output]} and {path}: both would be written to {output}; "
                "transcribe them into different --output_dir"
            )
        try:
            recordings[path] = Recording(
                path=path, duration_s=probe(path).duration_s, output=output
            )
        except InputError as error:
            problems.append(error)
    return list(recordings.values()), problems


def _files(paths: Sequence[str], problems: list[InputError]) -> Iterator[tuple[Path, Path]]:
    """(file, its name below the output folder) of each path."""
    for name in paths:
        path = Path(name)
        if not path.is_dir():
            yield path, Path(path.name)
            continue
        found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
        if not found:
            kinds = ", ".join(SUFFIXES)
            problems.append(InputError(f"{name}: no audio files in this folder ({kinds})"))
        yield from ((file, file.relative_to(path)) for file in found)
