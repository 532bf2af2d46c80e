"""The training and validation clips of one run, out of ``--train_data`` and ``--eval_data``.

The same path for both gives its train and validation splits. A source with a single split gives up
a part of it, apart by text and by speaker where known, and that is said aloud and recorded: a
validation loss on trained sentences is the commonest way to fool oneself.
"""

from dataclasses import dataclass
from typing import Any

from whisper_qat.config import InputError
from whisper_qat.data.clip import Clip, total_hours
from whisper_qat.data.source import load_clips, load_splits
from whisper_qat.data.split import HOLD_OUT_FRACTION, describe, hold_out, sample_clips, text_key


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """``messages`` are for the user's eyes, ``record`` for the manifest of the run."""

    train: list[Clip]
    validation: list[Clip]
    messages: list[str]
    record: dict[str, Any]


def load_training_set(
    train_data: str,
    eval_data: str | None,
    *,
    max_samples: int | None = None,
    text_field: str | None = None,
    seed: int = 0,
) -> TrainingSet:
    """Clips to train on (at most ``max_samples``, a seeded draw) and to validate on, never both."""
    if eval_data is None or eval_data == train_data:
        train, validation, message = _from_one(train_data, text_field, seed)
    else:
        train = load_clips(train_data, split="train", text_field=text_field)
        validation = load_clips(eval_data, split="validation", text_field=text_field)
        message = _shared(train, validation)
    drawn = sample_clips(train, max_samples, seed)
    messages = [message] if message else []
    if len(drawn) < len(train):
        messages.append(f"drew {describe(drawn)} of {describe(train)} (seed {seed})")
    record = {
        "train": {"clips": len(drawn), "hours": total_hours(drawn), "of": len(train)},
        "validation": {"clips": len(validation), "hours": total_hours(validation)},
        "max_samples": max_samples,
        "seed": seed,
        "messages": messages,
    }
    return TrainingSet(train=drawn, validation=validation, messages=messages, record=record)


def _from_one(
    spec: str, text_field: str | None, seed: int
) -> tuple[list[Clip], list[Clip], str | None]:
    splits = load_splits(spec, text_field=text_field)
    if "train" in splits and "validation" in splits:
        return splits["train"], splits["validation"], None
    if len(splits) > 1 and "train" not in splits:
        raise InputError(f"{spec}: no split 'train'; it has {', '.join(splits)}")
    whole = splits["train"] if "train" in splits else next(iter(splits.values()))
    train, validation = hold_out(whole, HOLD_OUT_FRACTION, seed)
    if not train:
        raise InputError(
            f"{spec}: no validation split, and none can be held out: its {len(whole)} clips all "
            "share a text or speaker; give other clips as --eval_data"
        )
    message = (
        f"{spec} has no validation split: held out {describe(validation)} of {len(whole):,} clips, "
        "apart by text, and by speaker where known"
    )
    return train, validation, message


def _shared(train: list[Clip], validation: list[Clip]) -> str | None:
    """A warning when two separate sources have texts in common."""
    texts = {text_key(clip.text) for clip in train}
    count = sum(text_key(clip.text) in texts for clip in validation)
    if not count:
        return None
    return f"{count} of {len(validation)} validation texts are also in the training data"
