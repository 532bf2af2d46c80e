"""Turns files and folders of a command line into recordings, each with its transcript's path.

A folder stands for all audio files below it, and its tree is kept under the output folder. Files
that cannot be transcribed are listed separately and do not stop the others.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.data.audio.reading import probe
from whisper_qat.errors import InputError

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


@dataclass(frozen=True, kw_only=True)
class Recording:
    """An audio file and the path of its transcript; None stands for standard output."""

    path: Path
    duration_s: float
    output: Path | None


def gather(
    paths: Sequence[str], output_dir: Path | None, suffix: str
) -> tuple[list[Recording], list[InputError]]:
    """Return the recordings under `paths`, in order, and an error for each unusable file.

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
    """Yield (file, its path below the output folder) for each audio file in `paths`."""
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
