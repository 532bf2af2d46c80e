"""Transcribe files and folders as text, subtitles or JSON, to standard output or into a folder.

Each transcript is written whole or not at all, and existing ones are skipped, so the same command
continues after an interruption. An output folder belongs to one model and one set of
settings.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.recordings import Recording, gather
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.long_form import chunks
from whisper_qat.infer.long_form.queue import Queue
from whisper_qat.infer.long_form.subtitles import srt, vtt
from whisper_qat.infer.transcribe import Repetition, SpokenSegment, Transcriber, Transcription
from whisper_qat.runs.folders import hash_folder, read_json, write_json, write_text
from whisper_qat.runs.locks import folder_lock
from whisper_qat.runs.progress import Bar
from whisper_qat.runs.settings import refuse_other_settings

logger = logging.getLogger(__name__)
SETTINGS_NAME = ".transcribe.json"
SUFFIX = {"text": ".txt", "srt": ".srt", "vtt": ".vtt", "json": ".json"}
BAR = "{percentage:3.0f}% {n:.0f}/{total:.0f} s of audio [{elapsed}<{remaining}, {rate_fmt}]"
WRONG_INPUT = 2  # exit status


@dataclass(frozen=True, kw_only=True)
class TranscribeConfig:
    """Transcribe audio files with a converted model.

    Args:
        model_path: folder written by convert
        audio: audio files, and folders that are searched for them
        output_dir: folder with one file per recording; existing files are skipped; without it
            transcripts go to standard output
        output_format: text, srt or vtt subtitles, or json with segments, tokens and the model
        language: language of the audio; an English-only checkpoint does not use it
        timestamps: let the model mark segments; without timestamps a segment is a chunk of at most
            30 s
        threads: threads of each ONNX operator (default: chosen by onnxruntime)
        batch_size: chunks decoded at once, across recordings
        num_beams: number of beams; 1 is greedy decoding
        max_new_tokens: largest number of tokens per 30 s (default: the checkpoint's own limit)
        audio_context: length of the encoder input: folder (the one that the model was converted
            for) or full (30 s)
        fallback: replace a chunk that repeats itself by the first of five samples, at rising
            temperatures, that does not (after openai/whisper); without it such chunks are only
            reported
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "input": ("model_path", "audio", "language", "audio_context"),
        "decoding": ("timestamps", "num_beams", "max_new_tokens", "fallback"),
        "speed": ("threads", "batch_size"),
        "output": ("output_dir", "output_format"),
    }  # fmt: skip

    model_path: Path
    audio: list[str] = field(metadata={"positional": True})
    output_dir: Path | None = None
    output_format: Literal["text", "srt", "vtt", "json"] = "text"
    language: str = "fr"
    timestamps: bool = False
    threads: int | None = None
    batch_size: int = 1
    num_beams: int = 1
    max_new_tokens: int | None = None
    audio_context: Literal["folder", "full"] = "folder"
    fallback: bool = True

    def __post_init__(self) -> None:
        for name in ("threads", "batch_size", "num_beams", "max_new_tokens"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"--{name} {value}: expected a number from 1")


def run(config: TranscribeConfig) -> int:
    """Write the transcripts; 2 when a file could not be transcribed (all others are)."""
    recordings, problems = gather(config.audio, config.output_dir, SUFFIX[config.output_format])
    for problem in problems:
        complain(problem)
    one_only = config.output_format in ("srt", "vtt") and config.output_dir is None
    if one_only and len(recordings) > 1:
        raise InputError(
            f"--output_format {config.output_format}: subtitles of {len(recordings)} recordings "
            "need --output_dir"
        )
    failed = 0
    if recordings:
        transcriber = open_model(config)
        with destination(config, recordings) as left:
            failed = transcribe(config, transcriber, left, len(recordings) > 1)
    return WRONG_INPUT if problems or failed else 0


def complain(error: InputError) -> None:
    """Log one line on a recording that could not be transcribed."""
    logger.error(f"error: {error}")


def open_model(config: TranscribeConfig) -> Transcriber:
    """Load the model; InputError when the folder was not written by this project."""
    return Transcriber.from_folder(
        config.model_path, config.threads, language=config.language,
        max_new_tokens=config.max_new_tokens, timestamps=config.timestamps,
        batch_size=config.batch_size, num_beams=config.num_beams, fallback=fallback(config),
        audio_context=AudioContext() if config.audio_context == "full" else None,
    )  # fmt: skip


def fallback(config: TranscribeConfig) -> Fallback:
    """The treatment of chunks that repeat themselves."""
    return Fallback() if config.fallback else Fallback(temperatures=())


def describe_fallback(config: TranscribeConfig) -> str | None:
    """The fallback in words; None when repeating chunks are kept."""
    return str(fallback(config)) if config.fallback else None


@contextmanager
def destination(config: TranscribeConfig, recordings: list[Recording]) -> Iterator[list[Recording]]:
    """Lock the output folder; yields the recordings that have no transcript in it."""
    if config.output_dir is None:
        yield recordings
        return
    with folder_lock(config.output_dir) as folder:
        check_settings(folder, settings(config), recordings)
        left = [r for r in recordings if r.output is not None and not r.output.exists()]
        if len(left) < len(recordings):
            done = len(recordings) - len(left)
            logger.info(f"{folder}: {done} of {len(recordings)} transcripts are there")
        try:
            yield left
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                f"interrupted; the transcripts so far, and the chunks of an unfinished one, are "
                f"kept in {folder}; the same command goes on from there"
            ) from None


def settings(config: TranscribeConfig) -> dict[str, Any]:
    """Settings that all transcripts of an output folder share."""
    return {
        "model": hash_folder(config.model_path),
        "language": config.language,
        "timestamps": config.timestamps,
        "num_beams": config.num_beams,
        "max_new_tokens": config.max_new_tokens,
        "fallback": describe_fallback(config),
        "audio_context": None if config.audio_context == "folder" else config.audio_context,
    }


def check_settings(folder: Path, now: dict[str, Any], recordings: list[Recording]) -> None:
    """Write `now` into a new folder; InputError when an old one has other settings."""
    path = folder / SETTINGS_NAME
    if not path.is_file():
        for recording in recordings:
            if recording.output is not None and recording.output.exists():
                raise InputError(
                    f"{recording.output}: exists and is not a transcript of this command; give "
                    "another --output_dir"
                )
        write_json(path, now)
        return
    refuse_other_settings(
        f"--output_dir {folder}", read_json(path), now,
        advice="give another --output_dir or remove it", ignore_former=True,
    )  # fmt: skip


def transcribe(
    config: TranscribeConfig, transcriber: Transcriber, recordings: list[Recording], named: bool
) -> int:
    """Transcribe all; returns the number of failures. `named`: print each recording's name."""
    failures: list[Recording] = []
    render = renderer(config, transcriber.rules.language)

    def fail(recording: Recording, error: InputError) -> None:
        failures.append(recording)
        complain(error)

    def finish(recording: Recording, found: Transcription) -> None:
        for repetition in found.repetitions:
            logger.warning(f"{recording.path}: {describe_repetition(repetition)}")
        text = render(recording, found)
        if recording.output is not None:
            write_text(recording.output, text)
        elif config.output_format == "text" and named:
            Bar.write(f"{recording.path}\t{text}", file=sys.stdout, end="")
        else:
            Bar.write(text, file=sys.stdout, end="")

    total = sum(recording.duration_s for recording in recordings)
    with Bar(total=total, unit="s", bar_format=BAR) as bar:
        Queue(transcriber, finish, fail, bar.update).run(recordings)
    return len(failures)


def describe_repetition(repetition: Repetition) -> str:
    """A message on a chunk that repeats itself, or did before the fallback."""
    where = f"{repetition.start_s:.1f} to {repetition.end_s:.1f} s"
    ratio = f"compression ratio {repetition.compression_ratio:.1f}"
    if not repetition.temperature:
        return f"{where} repeats itself ({ratio}); kept as it is"
    return f"{where} repeated itself; decoded at temperature {repetition.temperature} ({ratio})"


def renderer(config: TranscribeConfig, language: str) -> Callable[[Recording, Transcription], str]:
    """The function that turns a transcription in `language` into the content of its file."""
    if config.output_format == "srt":
        return lambda recording, found: srt(found.segments)
    if config.output_format == "vtt":
        return lambda recording, found: vtt(found.segments)
    if config.output_format == "text":
        return lambda recording, found: found.text + "\n"
    made_by = {"folder": str(config.model_path), "fingerprint": hash_folder(config.model_path)}
    indent = None if config.output_dir is None else 2  # standard output: one line each

    def as_json(recording: Recording, found: Transcription) -> str:
        content = record(config, language, recording, found) | {"model": made_by}
        return json.dumps(content, ensure_ascii=False, indent=indent) + "\n"

    return as_json


def record(
    config: TranscribeConfig, language: str, recording: Recording, found: Transcription
) -> dict[str, Any]:
    """The JSON of one recording in `language`, times in seconds."""
    return {
        "audio": str(recording.path),
        "duration_s": recording.duration_s,
        "language": language,
        "text": found.text,
        "segments": [in_seconds(segment) for segment in found.segments],
        "tokens": found.tokens,
        "chunks": found.chunks,
        "repetitions": [in_seconds(repetition) for repetition in found.repetitions],
        "wall_s": round(found.wall_s, 3),
        "timestamps": config.timestamps,
        "num_beams": config.num_beams,
        "fallback": describe_fallback(config),
        "audio_context": config.audio_context,
        "long_form": chunks.METHOD,
    }


def in_seconds(part: SpokenSegment | Repetition) -> dict[str, Any]:
    """A part of a recording with its start and end in seconds."""
    fields = asdict(part)
    return {"start": fields.pop("start_s"), "end": fields.pop("end_s")} | fields
