"""Calibration clips of the PTQ baselines: a seeded draw from the train split, never from test."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.screen import screen
from whisper_qat.data.clips.source import load_splits
from whisper_qat.data.clips.split import sample_clips
from whisper_qat.data.loader import Labeller
from whisper_qat.data.utterances import speech
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.ptq.calibration import Sample


def calibration_clips(data: str, number: int, seed: int) -> list[Clip]:
    """Draw `number` clips (or all there are) of the train split of `data`, else of validation.

    InputError when `data` has a test split and neither of these, or no usable clip.
    """
    return _draw(data, number, seed, ("train", "validation"), "--calibration_data")


def held_out_clips(data: str, number: int, seed: int) -> list[Clip]:
    """Draw `number` clips of the validation split of `data`, else of train, to tune on; never test.

    InputError when `data` has a test split and neither of these, or no usable clip.
    """
    return _draw(data, number, seed, ("validation", "train"), "--data")


def calibration_samples(
    clips: list[Clip], final: Final, source: Path, language: str
) -> list[Sample]:
    """Turn `clips` into model inputs: features in `final`'s audio context, tokens of the reference.

    `source` holds the tokenizer and feature settings. Clips with a text too long for the decoder
    are left out.
    """
    rules = read_rules(source, language=language)
    config = final.model.config
    labeller = Labeller.from_pretrained(
        source, rules.prompt, config.eos_token_id, config.max_target_positions
    )
    found = samples_of(
        [clip for clip in clips if labeller.fits(clip.text)], Features.from_pretrained(source),
        AudioContext(**final.info.audio_context), labeller,
    )  # fmt: skip
    if not found:
        raise InputError("--calibration_data: every text is longer than the decoder holds")
    return found


def samples_of(
    clips: Sequence[Clip], features: Features, context: AudioContext, labeller: Labeller
) -> list[Sample]:
    """Compute features and text tokens of `clips`, whose texts must fit the decoder."""
    material = speech(clips, features, context, labeller, max_positions=sys.maxsize)
    return [
        Sample(torch.from_numpy(u.mel), torch.from_numpy(u.tokens), len(labeller.prompt))
        for u in material.utterances
    ]


def _draw(data: str, number: int, seed: int, preferred: tuple[str, str], flag: str) -> list[Clip]:
    splits = load_splits(data)
    names = [name for name in preferred if name in splits]
    only = [name for name in splits if name != "test"] if len(splits) == 1 else []
    if not names + only:
        raise InputError(f"{flag} {data}: no train or validation split; it has {', '.join(splits)}")
    usable = screen(sample_clips(splits[(names + only)[0]], number, seed), decode=False).kept
    if not usable:
        raise InputError(f"{flag} {data}: no usable clip")
    return usable
