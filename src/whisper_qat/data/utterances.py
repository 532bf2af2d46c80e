"""The utterances on which torch and the runtime are compared: clips of speech or seeded noise.

Real clips with their reference tokens are used where available. Seeded noise reveals wrong wiring
just as well, but says little about how often codes flip on speech, so results are labelled noise.
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
    """One utterance: mel float32 [1, n_mels, frames] and tokens int64 [1, n].

    Tokens begin with the prompt and exclude the end token.
    """

    id: str
    mel: NDArray[np.float32]
    tokens: NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """A set of utterances of one kind, speech or noise.

    The first `prompt_length` tokens of each utterance are its prompt.
    """

    kind: str
    utterances: Sequence[Utterance]
    prompt_length: int

    @property
    def positions(self) -> int:
        """Number of logit rows compared: those from the last prompt token on."""
        return sum(u.tokens.shape[1] - self.prompt_length + 1 for u in self.utterances)

    def first(self, number: int) -> "Material":
        return Material(self.kind, self.utterances[:number], self.prompt_length)


def speech(
    clips: Sequence[Clip], features: Features, context: AudioContext, labeller: Labeller,
    *, max_positions: int,
) -> Material:  # fmt: skip
    """Take clips with their reference text until they have `max_positions` logit rows.

    Each clip has its own audio context.
    """
    utterances: list[Utterance] = []
    for clip in clips:
        if Material("speech", utterances, len(labeller.prompt)).positions >= max_positions:
            break
        mel = features.log_mel(read_audio(clip), context)[None]
        tokens = np.array([labeller(clip.text)[:-1]], np.int64)
        utterances.append(Utterance(clip.id, mel, tokens))
    return Material("speech", utterances, len(labeller.prompt))


def noise(features: Features, context: AudioContext, labeller: Labeller) -> Material:
    """Generate three utterances of seeded noise with random text tokens."""
    rng = np.random.default_rng(0)
    utterances = []
    for seconds in NOISE_SECONDS:
        audio = 0.1 * rng.standard_normal(int(seconds * SAMPLE_RATE)).astype(np.float32)
        text = rng.integers(0, labeller.end, NOISE_TOKENS).tolist()
        tokens = np.array([[*labeller.prompt, *text]], np.int64)
        mel = features.log_mel(audio, context)[None]
        utterances.append(Utterance(f"noise-{seconds:g}s", mel, tokens))
    return Material("noise", utterances, len(labeller.prompt))
