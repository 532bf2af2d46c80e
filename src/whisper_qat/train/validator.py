"""Validation during training: loss in float32 and WER of greedy transcripts, on held-out clips."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.loader import Collator, Examples
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.metrics.normalize import get_normalizer
from whisper_qat.metrics.wer import count_words, total
from whisper_qat.model.fake_quant.layers import quantized_once
from whisper_qat.runs.progress import Bar
from whisper_qat.train.objective import Whisper
from whisper_qat.train.validation import mean_loss, micro_batches

NORMALIZER = "card"


@dataclass(frozen=True, kw_only=True)
class Validator:
    """Called with the student (`Whisper`) at every evaluation; returns `eval_*` metrics.

    `autocast` is the dtype of training's products; the loss of the same weights in it is reported
    beside the float32 loss.
    """

    base: Path
    clips: Sequence[Clip]
    teacher: Whisper | None
    examples: Examples
    collator: Collator
    rules: DecodingRules
    context: AudioContext
    batch_size: int
    num_workers: int
    autocast: torch.dtype | None

    def __call__(self, student: nn.Module) -> dict[str, float]:
        assert isinstance(student, Whisper)
        student.eval()
        durations = [clip.duration_s or 0.0 for clip in self.clips]
        measured = mean_loss(
            student, self.teacher, self.examples, micro_batches(durations, self.batch_size),
            self.collator, num_workers=self.num_workers, autocast=self.autocast,
        )  # fmt: skip
        return {f"eval_{name}": value for name, value in measured.items()} | {
            "eval_wer": self._word_error_rate(student)
        }

    def _word_error_rate(self, student: Whisper) -> float:
        """WER (`card` normaliser), each clip at its own audio context, on torch."""
        normalize = get_normalizer(NORMALIZER).apply
        transcriber = Transcriber(
            backend=TorchBackend(student.model), features=self.examples.features,
            text_decoder=TextDecoder.from_folder(self.base), context=self.context, rules=self.rules,
        )  # fmt: skip
        counts = []
        with quantized_once(student):
            for clip in Bar(self.clips, desc="validating", unit="clip", leave=False):
                reference = normalize(clip.text)
                if reference:
                    heard = transcriber.transcribe(read_audio(clip)).text
                    counts.append(count_words(reference, normalize(heard)))
        return total(counts).rate
