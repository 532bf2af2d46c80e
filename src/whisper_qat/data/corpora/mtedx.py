"""mTEDx (OpenSLR 100): utterances as stretches of whole talks.

Layout of a language folder: ``data/SPLIT/wav/TALK.flac``, ``data/SPLIT/txt/SPLIT.yaml`` with one
``{offset, duration, speaker_id, wav}`` for each utterance, and ``txt/SPLIT.fr`` with the
references, line for line.
"""

from pathlib import Path
from typing import Any

import yaml

from whisper_qat.data.clips.clip import Clip, Segment
from whisper_qat.data.corpora.record import FolderLayout
from whisper_qat.errors import InputError

AUDIO_SUFFIXES = (".flac", ".wav")


def is_mtedx(folder: Path, split: str) -> bool:
    """True when ``folder`` has the layout above for ``split``."""
    return (folder / "data" / split / "txt" / f"{split}.yaml").is_file()


def load_segments(folder: Path, split: str, lang: str = "fr") -> list[Clip]:
    """The utterances of one split; InputError names file and entry."""
    texts_path = folder / "data" / split / "txt" / f"{split}.{lang}"
    yaml_path = texts_path.with_suffix(".yaml")
    if not texts_path.is_file():
        raise InputError(f"{texts_path}: no such file; expected one reference a line")
    texts = texts_path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    entries = _entries(yaml_path)
    if len(texts) != len(entries):
        raise InputError(
            f"{texts_path}: {len(texts)} lines, {yaml_path} has {len(entries)} entries"
        )
    wavs = folder / "data" / split / "wav"
    return [
        _clip(f"{yaml_path}: entry {i}", i, entry, text, wavs, lang)
        for i, (entry, text) in enumerate(zip(entries, texts, strict=True))
    ]


def _entries(path: Path) -> list[Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 20 times faster, where libyaml is
    try:
        entries = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected a list of {{offset, duration, wav}}")
    return entries


def _clip(place: str, index: int, entry: Any, text: str, wavs: Path, lang: str) -> Clip:
    try:
        offset_s, duration_s = float(entry["offset"]), float(entry["duration"])
        talk = Path(str(entry["wav"])).stem
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{place}: {entry!r}, expected offset, duration and wav") from None
    found = [wavs / f"{talk}{suffix}" for suffix in AUDIO_SUFFIXES]
    path = next((path for path in found if path.is_file()), found[0])
    return Clip(
        id=f"{talk}_{index:05d}",
        audio=Segment(path=str(path), offset_s=offset_s, duration_s=duration_s),
        text=text.strip(),
        duration_s=duration_s,
        speaker=str(entry.get("speaker_id") or talk),
        lang=lang,
    )


MTEDX = FolderLayout(name="mtedx", matches=is_mtedx, load=load_segments)
