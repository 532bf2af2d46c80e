"""Material: the utterances on which torch and the runtime are compared.

Real clips with their reference tokens where there are any; otherwise seeded noise, which shows
wiring as well but says little about how often codes flip on speech, and is labelled so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.loader import Labeller
from whisper_qat.front_end import SAMPLE_RATE

NOISE_SECONDS = (1.5, 4.0, 9.0)
NOISE_TOKENS = 12


@dataclass(frozen=True)
class Utterance:
    """mel float32 [1, n_mels, frames]; tokens int64 [1, n], the prompt first, without the end."""

    id: str
    mel: NDArray[np.float32]
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """`kind` is speech or noise; the first `prompt_length` tokens of each are its prompt."""

    kind: str
    utterances: Sequence[Utterance]
    prompt_length: int

    @property
    def positions(self) -> int:
        """Logit rows that a comparison sees: from the last prompt token on."""
        return sum(u.tokens.shape[1] - self.prompt_length + 1 for u in self.utterances)

    def first(self, number: int) -> "Material":
        return Material(self.kind, self.utterances[:number], self.prompt_length)


def speech(
    clips: Sequence[Clip], features: Features, context: AudioContext, labeller: Labeller,
    *, max_positions: int,
) -> Material:  # fmt: skip
    """Clips with their reference text, each at its own audio context, until `max_positions`."""
    utterances: list[Utterance] = []
    for clip in clips:
        if Material("speech", utterances, len(labeller.prompt)).positions >= max_positions:
            break
        mel = features.log_mel(read_audio(clip), context)[None]
        tokens = np.array([labeller(clip.text)[:-1]], np.int64)
        utterances.append(Utterance(clip.id, mel, tokens))
    return Material("speech", utterances, len(labeller.prompt))


def noise(features: Features, context: AudioContext, labeller: Labeller) -> Material:
    """Three stretches of seeded noise with random text tokens."""
    rng = np.random.default_rng(0)
    utterances = []
    for seconds in NOISE_SECONDS:
        audio = 0.1 * rng.standard_normal(int(seconds * SAMPLE_RATE)).astype(np.float32)
        text = rng.integers(0, labeller.end, NOISE_TOKENS).tolist()
        tokens = np.array([[*labeller.prompt, *text]], np.int64)
        mel = features.log_mel(audio, context)[None]
        utterances.append(Utterance(f"noise-{seconds:g}s", mel, tokens))
    return Material("noise", utterances, len(labeller.prompt))
