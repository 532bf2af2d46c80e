"""Validation loss on held-out clips: teacher-forced, in float32 whatever training uses."""

from collections.abc import Sequence

import torch
from torch import nn

from whisper_qat.data.batches import MicroBatch
from whisper_qat.data.loader import Collator, Examples, iterate
from whisper_qat.model.fake_quant.layers import quantized_once
from whisper_qat.train import losses, objective
from whisper_qat.train.objective import Whisper


def micro_batches(durations_s: Sequence[float], batch_size: int) -> list[MicroBatch]:
    """All clips once, by length, so that a dynamic context pads little."""
    order = sorted(range(len(durations_s)), key=lambda i: (durations_s[i], i))
    return [MicroBatch(tuple(order[i : i + batch_size])) for i in range(0, len(order), batch_size)]


@torch.no_grad()
def mean_loss(
    student: nn.Module, teacher: Whisper | None, examples: Examples, batches: list[MicroBatch],
    collator: Collator, *, num_workers: int, autocast: torch.dtype | None,
) -> dict[str, float]:  # fmt: skip
    """Mean per token of cross-entropy (`loss`) and KL(teacher || student) at T = 1 (`kl`).

    `autocast` repeats the cross-entropy with products in that dtype (`loss_autocast`): what
    training sees of the same weights.
    """
    device = next(student.parameters()).device
    sums = {"loss": 0.0, "kl": 0.0, "loss_autocast": 0.0}
    tokens = 0
    with quantized_once(student):
        for batch in iterate(examples, batches, collator, num_workers):
            batch = objective.to_device(batch, device)
            logits, _ = student(batch.mel, batch.tokens)
            sums["loss"] += losses.cross_entropy_sum(logits, batch.labels).item()
            if teacher is not None:
                heard = batch.mel if batch.teacher_mel is None else batch.teacher_mel
                target, _ = teacher(heard, batch.tokens)
                kl = losses.distillation_sum(logits, target, batch.labels, temperature=1.0)
                sums["kl"] += kl.item()
            if autocast is not None:
                with torch.autocast(device.type, dtype=autocast):
                    rough, _ = student(batch.mel, batch.tokens)
                sums["loss_autocast"] += losses.cross_entropy_sum(rough, batch.labels).item()
            tokens += batch.num_tokens
    wanted = {"loss": True, "kl": teacher is not None, "loss_autocast": autocast is not None}
    return {name: sums[name] / tokens for name, present in wanted.items() if present}
