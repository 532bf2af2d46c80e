"""Selects the clips that a run trains and evaluates on, once, and records the selection.

When both come from the same source, its train and validation splits are used. From a source with
one split, 5 % is held out, disjoint by text and, where known, by speaker. `max_samples` is a seeded
draw from the training clips.
"""

from collections.abc import Callable
from dataclasses import dataclass

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.fingerprint import hash_splits
from whisper_qat.data.clips.screen import Rejected, screen
from whisper_qat.data.clips.source import load_splits
from whisper_qat.data.clips.split import describe, hold_out, sample_clips, text_key
from whisper_qat.errors import InputError

Splits = dict[str, list[Clip]]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The selected clips, with known durations; `notes` describe how they were chosen."""

    train: list[Clip]
    validation: list[Clip]
    rejected: list[Rejected]
    notes: list[str]

    @property
    def fingerprint(self) -> str:
        """A hash of the selected clips, which changes with any id, text or order."""
        return hash_splits({"train": self.train, "validation": self.validation})


def select(
    train_data: str, eval_data: str, *, max_samples: int | None, max_eval_samples: int | None,
    seed: int, fits: Callable[[str], bool],
) -> Selection:  # fmt: skip
    """Select the clips of a run; `fits` says whether a text's tokens fit the decoder."""
    train, validation, notes = _parts(train_data, eval_data, seed)
    notes.append(f"train: {describe(train)} in {train_data}")
    train = sample_clips(train, max_samples, seed)
    kept, rejected = _usable(train, fits)
    held, rejected_held = _usable(sample_clips(validation, max_eval_samples, seed), fits)
    if not kept:
        raise InputError(f"train_data={train_data!r}: no usable clip{_first(rejected)}")
    if not held:
        raise InputError(f"eval_data={eval_data!r}: no usable clip{_first(rejected_held)}")
    notes.append(f"training on {describe(kept)} (seed {seed}); evaluating on {describe(held)}")
    left_out = rejected + rejected_held
    if left_out:
        notes.append(f"left out {len(left_out)} clips (listed in left_out.jsonl){_first(left_out)}")
    return Selection(train=kept, validation=held, rejected=left_out, notes=notes)


def _parts(train_data: str, eval_data: str, seed: int) -> tuple[list[Clip], list[Clip], list[str]]:
    splits = load_splits(train_data)
    train = _one(splits, "train", train_data)
    if eval_data != train_data:
        other = load_splits(eval_data)
        validation = _one(other, "validation" if "validation" in other else "test", eval_data)
        return _without_shared_texts(train, validation)
    if "validation" in splits:
        return train, splits["validation"], []
    rest, held = hold_out(train, seed=seed)
    if not rest:
        raise InputError(
            f"train_data={train_data!r}: all clips share a text or speaker, so nothing can be held "
            "out; give another --eval_data"
        )
    return rest, held, [f"held out {describe(held)} of {train_data}, by text and known speaker"]


def _one(splits: Splits, wanted: str, where: str) -> list[Clip]:
    if wanted in splits:
        return splits[wanted]
    if len(splits) == 1:
        return next(iter(splits.values()))
    raise InputError(f"{where}: no {wanted!r} split; it has {', '.join(sorted(splits))}")


def _without_shared_texts(
    train: list[Clip], validation: list[Clip]
) -> tuple[list[Clip], list[Clip], list[str]]:
    texts = {text_key(clip.text) for clip in validation}
    kept = [clip for clip in train if text_key(clip.text) not in texts]
    if len(kept) == len(train):
        return train, validation, []
    return kept, validation, [f"left {len(train) - len(kept)} clips out of train: their text is in "
                              "the evaluation data"]  # fmt: skip


def _usable(clips: list[Clip], fits: Callable[[str], bool]) -> tuple[list[Clip], list[Rejected]]:
    screened = screen(clips, decode=False)
    kept = [clip for clip in screened.kept if fits(clip.text)]
    long = [clip for clip in screened.kept if not fits(clip.text)]
    reasons = [Rejected(id=clip.id, reason="text longer than the decoder holds") for clip in long]
    return kept, screened.rejected + reasons


def _first(rejected: list[Rejected]) -> str:
    return f"; first: {rejected[0].id}: {rejected[0].reason}" if rejected else ""
