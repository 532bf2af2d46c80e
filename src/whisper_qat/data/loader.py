"""The data loader: workers compute features and labels per batch, never for the whole data set.

Shapes: B batch, M mel bins, F mel frames, T decoder tokens.
"""

import signal
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.batches import MicroBatch
from whisper_qat.data.clips.clip import Clip
from whisper_qat.errors import InputError
from whisper_qat.front_end import MAX_FRAMES

IGNORED = -100  # torch's ignore_index: marks positions without a loss
FULL = AudioContext(mode="full")


@dataclass(frozen=True)
class Batch:
    """A training batch: mel [B, M, F], decoder input tokens [B, T] and labels [B, T].

    Labels are IGNORED at positions without a loss. teacher_mel [B, M, 3000] is the whole 30 s
    window, given only when the teacher's encoder input is longer than the student's.
    """

    mel: Tensor
    tokens: Tensor
    labels: Tensor
    ids: tuple[str, ...]
    teacher_mel: Tensor | None = None

    @property
    def num_tokens(self) -> int:
        return int((self.labels != IGNORED).sum())


@dataclass(frozen=True)
class Labeller:
    """Turns text into token ids: prompt, text with Whisper's leading space, end of text."""

    tokenizer: Tokenizer
    prompt: tuple[int, ...]
    end: int
    max_tokens: int

    @classmethod
    def from_pretrained(
        cls, folder: Path, prompt: Sequence[int], end: int, max_tokens: int
    ) -> "Labeller":
        return cls(
            Tokenizer.from_file(str(folder / "tokenizer.json")), tuple(prompt), end, max_tokens
        )

    def __call__(self, text: str) -> list[int]:
        """Return the sequence with prompt and end token; it may be longer than `max_tokens`."""
        encoded = self.tokenizer.encode(" " + text.strip(), add_special_tokens=False)
        return [*self.prompt, *encoded.ids, self.end]

    def fits(self, text: str) -> bool:
        """True when the sequence fits the decoder's positions (the end token is only a label)."""
        return len(self(text)) - 1 <= self.max_tokens


@dataclass(frozen=True)
class Example:
    """One clip: its mel [M, 3000] over the whole window, its length in samples and its tokens."""

    id: str
    mel: NDArray[np.float32]
    num_samples: int
    tokens: list[int]


class Examples(Dataset):
    """Clips as training examples; for an unreadable clip the item is the InputError itself."""

    def __init__(self, clips: Sequence[Clip], features: Features, labeller: Labeller) -> None:
        self.clips, self.features, self.labeller = clips, features, labeller

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> Example | InputError:
        clip = self.clips[index]
        try:
            audio = read_audio(clip)
        except InputError as error:
            return error  # raised in a worker, it would arrive with a page of traceback
        mel = self.features.log_mel(audio, FULL)
        return Example(clip.id, mel, len(audio), self.labeller(clip.text))


def collate(
    examples: Sequence[Example | InputError], context: AudioContext, prompt_length: int,
    *, full_teacher: bool = False,
) -> Batch:  # fmt: skip
    """Form a batch, padded to its longest clip plus the margin, and to its longest text."""
    for example in examples:
        if isinstance(example, InputError):
            raise example
    good = [example for example in examples if isinstance(example, Example)]
    frames = context.frames(max(example.num_samples for example in good))
    assert frames <= MAX_FRAMES
    mel = torch.from_numpy(np.stack([example.mel[:, :frames] for example in good]))
    length = max(len(example.tokens) for example in good) - 1
    end = good[0].tokens[-1]
    tokens = torch.full((len(good), length), end)
    labels = torch.full((len(good), length), IGNORED)
    for row, example in enumerate(good):
        ids = torch.tensor(example.tokens)
        tokens[row, : len(ids) - 1] = ids[:-1]
        # The prompt is given at inference, so the model is not trained to predict it.
        labels[row, prompt_length - 1 : len(ids) - 1] = ids[prompt_length:]
    whole = full_teacher and frames < MAX_FRAMES
    teacher_mel = torch.from_numpy(np.stack([example.mel for example in good])) if whole else None
    return Batch(mel, tokens, labels, tuple(example.id for example in good), teacher_mel)


@dataclass(frozen=True)
class Collator:
    """`collate` with its settings, for DataLoader; an InputError is passed on as a value.

    `full_teacher`: the batch carries the whole window for the teacher. `max_margin_s`: each batch
    draws its margin at random between the context's margin and this one. The draw depends only on
    `seed` (which should include the epoch) and the batch's clips, so a resumed run repeats it.
    """

    context: AudioContext
    prompt_length: int
    full_teacher: bool = False
    max_margin_s: float | None = None
    seed: tuple[int, ...] = ()

    def __call__(self, examples: Sequence[Example | InputError]) -> Batch | InputError:
        try:
            return collate(
                examples,
                self._draw_context(examples),
                self.prompt_length,
                full_teacher=self.full_teacher,
            )
        except InputError as error:
            return error

    def _draw_context(self, examples: Sequence[Example | InputError]) -> AudioContext:
        if self.max_margin_s is None:
            return self.context
        ids = "\n".join(example.id for example in examples if isinstance(example, Example))
        rng = np.random.default_rng([*self.seed, zlib.crc32(ids.encode())])
        return replace(self.context, margin_s=rng.uniform(self.context.margin_s, self.max_margin_s))


def iterate(
    examples: Examples, micro_batches: Sequence[MicroBatch], collator: Collator, num_workers: int
) -> Iterator[Batch]:
    """Yield the batches in order; `num_workers` processes compute ahead (0: in this process)."""
    loader = DataLoader(
        examples,
        batch_sampler=[list(micro.indices) for micro in micro_batches],
        collate_fn=collator,
        num_workers=num_workers,
        worker_init_fn=_ignore_interrupt,
        # Without its own generator, each new loader would draw from the random state of training,
        # and a resumed epoch, which creates one more loader, would diverge.
        generator=torch.Generator(),
        pin_memory=torch.cuda.is_available(),
    )
    for micro, batch in zip(micro_batches, loader, strict=True):
        if isinstance(batch, InputError):
            raise batch
        yield batch if micro.counts else _without_loss(batch)


def _without_loss(batch: Batch) -> Batch:
    return replace(batch, labels=torch.full_like(batch.labels, IGNORED))


def _ignore_interrupt(worker: int) -> None:
    # Ctrl-C reaches the whole process group; the main process finishes its step and saves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
