"""Converts clips of any source into a folder of 16 kHz FLAC files, resuming after an interruption.

Every finished clip is a line in a journal: its file, duration and hash, or why it was left out. A
rerun reads the journal and converts only the remaining clips. FLAC is lossless, half the size of
WAV, and stores its own length, so a file that is truncated later is noticed.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.screen import MAX_DURATION_S, check_duration, examine
from whisper_qat.data.clips.source import JOURNAL_NAME
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.runs.progress import Bar
from whisper_qat.runs.settings import refuse_other_settings

AUDIO_FOLDER = "audio"
MAX_NAME = 120  # characters; file systems allow 255 bytes
Outcome = dict[str, Any]  # {"id", "audio", "duration", "sha256"} or {"id", "reason"}


def convert(
    clips: list[Clip], folder: Path, settings: dict[str, Any], read: Callable[[Clip], np.ndarray]
) -> dict[str, Outcome]:
    """Decode ``clips`` into ``folder``/audio, resuming an earlier run; return outcomes by clip id.

    A clip that cannot be used has a ``reason`` instead of a file. InputError when the folder was
    begun with other ``settings``.
    """
    journal = folder / JOURNAL_NAME
    outcomes = read_journal(journal, settings)
    (folder / AUDIO_FOLDER).mkdir(exist_ok=True)
    names = file_names([clip.id for clip in clips])
    todo = [clip for clip in clips if clip.id not in outcomes]
    with open(journal, "a", encoding="utf-8") as log, ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(convert_clip, clip, folder, names[clip.id], read) for clip in todo]
        bar = Bar(total=len(clips), initial=len(clips) - len(todo), unit="clip", desc="decoding")
        try:
            for job in as_completed(jobs):
                outcome = job.result()
                outcomes[outcome["id"]] = outcome
                log.write(json.dumps(outcome, ensure_ascii=False) + "\n")
                log.flush()
                bar.update()
        finally:
            bar.close()
            pool.shutdown(cancel_futures=True)
    return outcomes


def read_journal(path: Path, settings: dict[str, Any]) -> dict[str, Outcome]:
    """Read the outcomes so far; creates a missing journal, drops a half-written last line."""
    if not path.exists():
        path.write_text(json.dumps({"settings": settings}) + "\n", encoding="utf-8")
        return {}
    whole, _, _ = path.read_text(encoding="utf-8").rpartition("\n")
    first, *lines = whole.split("\n")
    refuse_other_conversion(
        path.parent, json.loads(first)["settings"] if first else settings, settings
    )
    path.write_text(
        "\n".join([json.dumps({"settings": settings}), *lines]) + "\n", encoding="utf-8"
    )
    return {outcome["id"]: outcome for outcome in map(json.loads, lines)}


def refuse_other_conversion(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """InputError naming the settings in which an existing data folder differs from this run."""
    advice = "give another --output_dir or delete it"
    refuse_other_settings(str(folder), before, now, advice=advice, ignore_former=True)


def file_names(ids: list[str]) -> dict[str, str]:
    """A file name for each clip id: safe characters, short, and unique on any file system."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for clip_id in ids:
        stem = re.sub(r"[^\w.-]+", "_", clip_id).strip("._")[-MAX_NAME:] or "clip"
        if stem.casefold() in taken:
            stem += "-" + hashlib.sha256(clip_id.encode()).hexdigest()[:12]
        taken.add(stem.casefold())
        names[clip_id] = f"{AUDIO_FOLDER}/{stem}.flac"
    return names


def convert_clip(
    clip: Clip, folder: Path, name: str, read: Callable[[Clip], np.ndarray]
) -> Outcome:
    """Decode, check and write one clip; an unusable clip is an outcome, not an error."""
    try:
        samples = examine(clip, read)
        duration_s = len(samples) / SAMPLE_RATE
        check_duration(duration_s, MAX_DURATION_S)
    except InputError as error:
        return {"id": clip.id, "reason": str(error).removeprefix(f"{clip.where}: ")}
    data = encode_flac(samples)
    path = folder / name
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)  # through Python, so that a full disk is an OSError with its errno
    partial.replace(path)
    digest = hashlib.sha256(data).hexdigest()
    return {"id": clip.id, "audio": name, "duration": round(duration_s, 6), "sha256": digest}


def encode_flac(samples: np.ndarray) -> bytes:
    """Encode float32 [samples] at 16 kHz as 16-bit FLAC; values beyond full scale are clipped."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
