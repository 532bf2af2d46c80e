"""The audio of a benchmark: short clips, 30 s clips and one long file, built from real clips.

All random choices use the seed, so the same manifest gives the same samples. Clips of 30 s and the
long file are real clips joined by PAUSE_S of silence, their transcripts joined by spaces: a 30 s
clip has one speaker, the long file takes all clips in order and repeats them when they are too
few. Samples are stored in .npy files, so that no system spends time on decoding audio.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.split import sample_clips
from whisper_qat.data.corpora.named import load_any
from whisper_qat.data.corpora.test_sets import name_of_test_set, usable
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE, WINDOW_S

SHORT, FULL, LONG = KINDS = ("short", "30s", "long")
SHORT_S = 6.0
LEAST_S = 0.5  # of a short clip
LEAST_FULL_S = 20.0
PAUSE_S = 0.5
MOST_CLIPS = 2000  # of a manifest that are looked at


@dataclass(frozen=True, kw_only=True)
class BenchClip:
    """One clip of the benchmark: samples in a file, and their reference text."""

    id: str
    path: Path
    text: str
    duration_s: float


@dataclass(frozen=True, kw_only=True)
class ClipSet:
    """Clips of one kind from one corpus; `name` is used for files and in the report."""

    name: str
    kind: str
    clips: list[BenchClip]


def build_sets(
    data: Iterable[str], folder: Path, *, short_clips: int, full_clips: int, long_s: float,
    seed: int,
) -> list[ClipSet]:  # fmt: skip
    """Write the requested sets (those with a number above 0) as far as the data suffices."""
    found = []
    for spec in data:
        name = name_of_test_set(spec)
        corpus = usable(name, load_any(spec), MOST_CLIPS, seed)
        if corpus.reason is not None:
            raise InputError(f"--data {spec}: {corpus.reason}")
        chosen = {
            SHORT: short_groups(corpus.clips, short_clips, seed),
            FULL: full_groups(corpus.clips, full_clips),
            LONG: long_group(corpus.clips, long_s),
        }
        for kind, groups in chosen.items():
            if groups:
                clips = [write(group, folder) for group in groups]
                found.append(ClipSet(name=f"{name}-{kind}", kind=kind, clips=clips))
    if not found:
        raise InputError("--short_clips, --full_clips, --long_s: nothing is left to measure")
    return found


def short_groups(clips: list[Clip], number: int, seed: int) -> list[list[Clip]]:
    """Draw `number` clips under SHORT_S; each is a group of its own."""
    fitting = [clip for clip in clips if LEAST_S <= seconds(clip) < SHORT_S]
    return [[clip] for clip in sample_clips(fitting, number, seed)] if number else []


def full_groups(clips: list[Clip], number: int) -> list[list[Clip]]:
    """The first `number` runs of one speaker's clips that last LEAST_FULL_S to 30 s."""
    by_speaker: dict[str | None, list[Clip]] = {}
    for clip in clips:
        by_speaker.setdefault(clip.speaker, []).append(clip)
    runs = [run for own in by_speaker.values() for run in fill_runs(own, WINDOW_S)]
    return [run for run in runs if LEAST_FULL_S <= duration_s(run) <= WINDOW_S][:number]


def long_group(clips: list[Clip], limit_s: float) -> list[list[Clip]]:
    """One run of clips up to `limit_s`, repeated if they are too few; empty for 0."""
    return [next(fill_runs(cycle(clips), limit_s))] if limit_s else []


def fill_runs(clips: Iterable[Clip], limit_s: float) -> Iterator[list[Clip]]:
    """Split clips, in order, into runs of at most `limit_s` with pauses; a longer clip is alone."""
    run: list[Clip] = []
    for clip in clips:
        if run and duration_s([*run, clip]) > limit_s:
            yield run
            run = []
        run.append(clip)
    yield run


def duration_s(run: list[Clip]) -> float:
    """Duration in seconds of the clips and the pauses between them."""
    return sum(map(seconds, run)) + PAUSE_S * (len(run) - 1)


def seconds(clip: Clip) -> float:
    """Duration of a clip; screening has set it."""
    assert clip.duration_s is not None, clip.id
    return clip.duration_s


def write(run: list[Clip], folder: Path) -> BenchClip:
    """Write the samples of the joined clips to a .npy file named by its content."""
    audio = join([read_audio(clip) for clip in run])
    digest = hashlib.sha256(audio.tobytes()).hexdigest()[:12]
    path = folder / f"{digest}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        np.save(path, audio)
    return BenchClip(
        id=run[0].id if len(run) == 1 else f"{run[0].id}+{len(run) - 1}", path=path,
        text=" ".join(clip.text for clip in run), duration_s=len(audio) / SAMPLE_RATE,
    )  # fmt: skip


def join(pieces: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Join the pieces with PAUSE_S of silence between them."""
    silence = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    parts = [part for piece in pieces for part in (silence, piece)]
    return np.concatenate(parts[1:])


def warm_up_clip(sets: list[ClipSet]) -> BenchClip:
    """The shortest clip, which each process transcribes first, untimed, to warm up."""
    return min((clip for one in sets for clip in one.clips), key=lambda clip: clip.duration_s)
