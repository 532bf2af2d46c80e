"""Validation during training, on held-out clips: teacher-forced loss, and WER of transcripts.

The loss is computed in float32 whatever training uses; the transcripts are greedy, on torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.batches import MicroBatch
from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.loader import Collator, Examples, iterate
from whisper_qat.infer.decoding.rules import DecodingRules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.greedy_wer import greedy_wer
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.model.fake_quant.layers import quantized_once
from whisper_qat.runs.progress import Bar
from whisper_qat.train import objective
from whisper_qat.train.objective import Whisper
from whisper_qat.train.terms.cross_entropy import cross_entropy_sum
from whisper_qat.train.terms.distillation import distillation_sum


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
        """WER of the student's transcripts, each clip at its own audio context."""
        transcriber = Transcriber(
            backend=TorchBackend(student.model), features=self.examples.features,
            text_decoder=TextDecoder.from_folder(self.base), context=self.context, rules=self.rules,
        )  # fmt: skip
        bar = Bar(self.clips, desc="validating", unit="clip", leave=False)
        with quantized_once(student):
            return greedy_wer(transcriber, ((clip.text, read_audio(clip)) for clip in bar))


def micro_batches(durations_s: Sequence[float], batch_size: int) -> list[MicroBatch]:
    """Batch all clips once, sorted by length, so that a dynamic context needs little padding."""
    order = sorted(range(len(durations_s)), key=lambda i: (durations_s[i], i))
    return [MicroBatch(tuple(order[i : i + batch_size])) for i in range(0, len(order), batch_size)]


@torch.no_grad()
def mean_loss(
    student: nn.Module, teacher: Whisper | None, examples: Examples, batches: list[MicroBatch],
    collator: Collator, *, num_workers: int, autocast: torch.dtype | None,
) -> dict[str, float]:  # fmt: skip
    """Mean cross-entropy (`loss`) and KL(teacher || student) at T = 1 (`kl`) per token.

    `autocast` repeats the cross-entropy with products in that dtype (`loss_autocast`), as in
    training.
    """
    device = next(student.parameters()).device
    sums = {"loss": 0.0, "kl": 0.0, "loss_autocast": 0.0}
    tokens = 0
    with quantized_once(student):
        for batch in iterate(examples, batches, collator, num_workers):
            batch = objective.to_device(batch, device)
            logits, _ = student(batch.mel, batch.tokens)
            sums["loss"] += cross_entropy_sum(logits, batch.labels).item()
            if teacher is not None:
                heard = batch.mel if batch.teacher_mel is None else batch.teacher_mel
                target, _ = teacher(heard, batch.tokens)
                kl = distillation_sum(logits, target, batch.labels, temperature=1.0)
                sums["kl"] += kl.item()
            if autocast is not None:
                with torch.autocast(device.type, dtype=autocast):
                    rough, _ = student(batch.mel, batch.tokens)
                sums["loss_autocast"] += cross_entropy_sum(rough, batch.labels).item()
            tokens += batch.num_tokens
    present = {"loss": True, "kl": teacher is not None, "loss_autocast": autocast is not None}
    return {name: sums[name] / tokens for name, measured in present.items() if measured}
