"""Prepare speech data: turn any source into a data folder that all other commands accept.

The folder holds 16 kHz FLAC audio, train/validation/test.jsonl, left_out.jsonl (each clip that is
not in a split, with the reason) and manifest.json, written last. Running it again continues where
it stopped, or does nothing when the folder is finished.
"""

import json
import logging
import re
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.conversion import Outcome, convert, refuse_other_conversion
from whisper_qat.data.clips.fingerprint import hash_records
from whisper_qat.data.clips.screen import Rejected
from whisper_qat.data.clips.source import JOURNAL_NAME, ONLY, Collection, load_splits
from whisper_qat.data.clips.split import (
    describe,
    divide,
    has_own_splits,
    has_speakers,
    keep_apart,
    sample_clips,
)
from whisper_qat.data.corpora.record import Request
from whisper_qat.data.corpora.registry import SOURCES, sources_with
from whisper_qat.errors import InputError, nearest
from whisper_qat.runs.folders import hash_file, is_finished, read_manifest, write_manifest
from whisper_qat.runs.locks import LOCK_NAME, folder_lock

logger = logging.getLogger(__name__)
SPLITS = ("train", "validation", "test")
Splits = dict[str, list[Clip]]


@dataclass(frozen=True, kw_only=True)
class PrepareDataConfig:
    """Decode a speech source, split it and write a data folder.

    Args:
        source: {sources}, or a manifest, folder or Hub id (owner/name or
            owner/name:configuration)
        output_dir: folder to write
        archive: Mozilla release archive, for common-voice-fr
        cache_dir: downloads and unpacked archives (default: downloads/SOURCE beside output_dir)
        text_field: column of the reference text, where its name is not one of the usual ones
        seed: seed of the split and of the draw
        train_fraction: share of the train split, for a source without splits of its own
        validation_fraction: share of the validation split
        test_fraction: share of the test split
        max_samples: use at most this many clips, drawn at random (from the train split alone, where
            the source has splits)
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "source": ("source", "archive", "cache_dir", "text_field"),
        "splits": ("max_samples", "seed", "train_fraction", "validation_fraction", "test_fraction"),
        "output": ("output_dir",),
    }  # fmt: skip

    source: str
    output_dir: str
    archive: str | None = None
    cache_dir: str | None = None
    text_field: str | None = None
    seed: int = 42
    train_fraction: float = 0.7
    validation_fraction: float = 0.1
    test_fraction: float = 0.2
    max_samples: int | None = None

    def __post_init__(self) -> None:
        fractions = self.fractions
        if min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
            shown = " + ".join(str(fraction) for fraction in fractions.values())
            raise InputError(f"split fractions {shown}: expected none below 0 and a sum of 1")
        if self.max_samples is not None and self.max_samples < 1:
            raise InputError(f"--max_samples {self.max_samples}: expected at least 1")
        known = SOURCES.get(self.source)
        if self.archive and (known is None or "archive" not in known.takes):
            names = " or ".join(sources_with("archive"))
            raise InputError(f"--archive is for --source {names}, not {self.source}")
        if self.text_field and known is not None and "text_field" not in known.takes:
            raise InputError(f"--text_field: {self.source} has one kind of text; leave it out")

    @property
    def fractions(self) -> dict[str, float]:
        """Share of each split, by name."""
        shares = (self.train_fraction, self.validation_fraction, self.test_fraction)
        return dict(zip(SPLITS, shares, strict=True))

    @property
    def settings(self) -> dict[str, Any]:
        """Settings that determine the content of the folder, whatever its path and its cache."""
        return {k: v for k, v in asdict(self).items() if k not in ("output_dir", "cache_dir")}


assert PrepareDataConfig.__doc__ is not None
PrepareDataConfig.__doc__ = PrepareDataConfig.__doc__.replace("{sources}", ", ".join(SOURCES))


def run(config: PrepareDataConfig) -> None:
    """Write the folder, continue an unfinished one, or report that it is finished."""
    folder = Path(config.output_dir)
    if is_finished(folder):
        _check_finished(folder, config)
        (folder / JOURNAL_NAME).unlink(
            missing_ok=True
        )  # of a run killed between its last two steps
        logger.info(f"{folder}: finished before, nothing to do")
        print(_table(folder))
        return
    _refuse_foreign(folder)
    with folder_lock(folder):
        try:
            _prepare(config, folder)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted; the same command goes on from here") from None
    print(_table(folder))


def _check_finished(folder: Path, config: PrepareDataConfig) -> None:
    manifest = read_manifest(folder)
    refuse_other_conversion(folder, manifest.get("config", {}), config.settings)
    recorded = manifest["inputs"].get(config.source)
    if Path(config.source).is_file() and recorded != hash_file(config.source):
        raise InputError(
            f"{folder}: {config.source} has changed since; give another --output_dir or delete it"
        )


def _refuse_foreign(folder: Path) -> None:
    """InputError unless the folder is new, empty or an unfinished one of this command."""
    if folder.is_file():
        raise InputError(f"--output_dir {folder}: a file, expected a folder")
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if names - {LOCK_NAME} and JOURNAL_NAME not in names:
        raise InputError(
            f"--output_dir {folder}: holds files of something else; expected an empty or new folder"
        )


def _prepare(config: PrepareDataConfig, folder: Path) -> None:
    collection = collect(config)
    found = describe(_all(collection.splits))
    splits, leaks = _apart(collection.splits)
    splits = draw(splits, config)
    logger.info(f"{config.source}: {found}; taking {describe(_all(splits))}")
    outcomes = convert(_all(splits), folder, config.settings, collection.read)
    usable, rejected = sort_out(splits, outcomes, config.source)
    final = divide(usable, config.fractions, config.seed)
    left_out = [*collection.rejected, *leaks, *rejected]
    for name, clips in final.items():
        _write_lines(folder / f"{name}.jsonl", [_row(clip, outcomes[clip.id]) for clip in clips])
    _write_lines(folder / "left_out.jsonl", [asdict(clip) for clip in left_out])
    extra = {
        "splits": {name: _summary(clips, outcomes) for name, clips in final.items()},
        "left_out": reasons(left_out),
        "drawn": {"found": found, "taken": describe(_all(usable)), "limit": config.max_samples},
        "notes": _notes(collection),
    }
    write_manifest(
        folder, kind="dataset", inputs=collection.inputs, config=config.settings, extra=extra
    )
    (folder / JOURNAL_NAME).unlink()


def _all(splits: Splits) -> list[Clip]:
    return [clip for clips in splits.values() for clip in clips]


def collect(config: PrepareDataConfig) -> Collection:
    """Collect a source by name, manifest, folder or Hub id; clip ids are unique over all splits."""
    name = re.sub(r"[^\w.-]+", "_", config.source)
    cache = Path(config.cache_dir or Path(config.output_dir).absolute().parent / "downloads" / name)
    if config.source in SOURCES:
        request = Request(cache=cache, archive=config.archive, text_field=config.text_field)
        collection = SOURCES[config.source].collect(request)
    else:
        collection = _collect_any(config)
    return replace(collection, splits=unique_ids(collection.splits))


def _collect_any(config: PrepareDataConfig) -> Collection:
    try:
        splits = load_splits(config.source, text_field=config.text_field)
    except InputError as error:
        if re.fullmatch(r"[\w-]+", config.source):  # a single word: meant as a name of a source
            hint = nearest(config.source, SOURCES) or f"; the names: {', '.join(SOURCES)}"
            raise InputError(f"{error}{hint}") from None
        raise
    known = hash_file(config.source) if Path(config.source).is_file() else "not hashed"
    return Collection(splits=splits, inputs={config.source: known})


def unique_ids(splits: Splits) -> Splits:
    """Prefix ids with their split where two splits use the same one."""
    counts = Counter(clip.id for clip in _all(splits))
    return {
        name: [replace(c, id=f"{name}/{c.id}") if counts[c.id] > 1 else c for c in clips]
        for name, clips in splits.items()
    }


def _apart(splits: Splits) -> tuple[Splits, list[Rejected]]:
    """Remove overlap between a source's own splits, and set aside splits with other names."""
    if not has_own_splits(splits):
        return splits, []
    kept, leaks = keep_apart({name: splits[name] for name in SPLITS if name in splits})
    return kept, [Rejected(id=leak.clip.id, reason=leak.reason) for leak in leaks]


def draw(splits: Splits, config: PrepareDataConfig) -> Splits:
    """At most ``max_samples`` clips: of train where the source has splits, else of everything."""
    if has_own_splits(splits):
        train = sample_clips(splits["train"], config.max_samples, config.seed)
        return splits | {"train": train}
    return {ONLY: sample_clips(_all(splits), config.max_samples, config.seed)}


def sort_out(
    splits: Splits, outcomes: dict[str, Outcome], source: str
) -> tuple[Splits, list[Rejected]]:
    """Separate converted clips, with their durations, from rejected ones, with the reason."""
    rejected = [
        Rejected(id=clip.id, reason=outcomes[clip.id]["reason"])
        for clip in _all(splits)
        if "reason" in outcomes[clip.id]
    ]
    usable = {
        name: [
            replace(clip, duration_s=outcomes[clip.id]["duration"])
            for clip in clips
            if "reason" not in outcomes[clip.id]
        ]
        for name, clips in splits.items()
    }
    if not _all(usable):
        why = f"; the first: {rejected[0].id}: {rejected[0].reason}" if rejected else ""
        raise InputError(f"{source}: no usable clip among {len(rejected)}{why}")
    return usable, rejected


def _row(clip: Clip, outcome: Outcome) -> dict[str, Any]:
    row = {"audio": outcome["audio"], "id": clip.id, "text": clip.text}
    row |= {"duration": outcome["duration"], "speaker": clip.speaker, "lang": clip.lang}
    return {name: value for name, value in row.items() if value is not None}


def _write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def _summary(clips: list[Clip], outcomes: dict[str, Outcome]) -> dict[str, Any]:
    """Size of a split; its hash is over ids, texts and audio files, in order."""
    return {
        "clips": len(clips),
        "hours": round(sum(outcomes[clip.id]["duration"] for clip in clips) / 3600, 4),
        "words": sum(len(clip.text.split()) for clip in clips),
        "speakers": len({clip.speaker for clip in clips if clip.speaker}),
        "sha256": hash_records((c.id, c.text, outcomes[c.id]["sha256"]) for c in clips),
    }


def reasons(left_out: list[Rejected]) -> dict[str, int]:
    """How many clips were left out for each kind of reason (up to its first detail)."""
    kinds = Counter(re.split(r" \(|[:;] ", clip.reason)[0] for clip in left_out)
    return dict(kinds.most_common())


def _notes(collection: Collection) -> list[str]:
    """Notes for readers of the splits; those of the source come first."""
    clips = _all(collection.splits)
    notes = list(collection.notes)
    if not notes and not has_speakers(clips):
        notes.append("no two speakers are known: the splits are apart by text only")
    ignored = [name for name in collection.splits if name not in (*SPLITS, ONLY)]
    if ignored and has_own_splits(collection.splits):
        notes.append(f"splits of the source that were not taken: {', '.join(ignored)}")
    return notes


def _table(folder: Path) -> str:
    manifest = read_manifest(folder)
    lines = [f"{'split':<12}{'clips':>8}{'minutes':>10}{'words':>9}"]
    for name, split in manifest["splits"].items():
        minutes = split["hours"] * 60
        lines.append(f"{name:<12}{split['clips']:>8,}{minutes:>10.1f}{split['words']:>9,}")
    out = ", ".join(f"{count} {reason}" for reason, count in manifest["left_out"].items())
    lines.append(f"left out: {out or 'none'} (listed in {folder / 'left_out.jsonl'})")
    return "\n".join(lines)
