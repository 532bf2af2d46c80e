"""The training loop: optimizer steps over micro-batches, with evaluation, checkpoints and resume.

The only module that knows accelerate. Every loss is a sum over tokens divided by the tokens of the
whole step on all processes, so W processes with accumulation A equal one process with A * W.
Everything that decides a run's numbers is a function of (settings, seed, step) plus the checkpoint.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from whisper_qat.data.batches import epoch_batches, num_steps, step_batches
from whisper_qat.data.loader import Batch, Collator, Examples, iterate
from whisper_qat.errors import InputError
from whisper_qat.train import checkpoint, objective, scales, schedule
from whisper_qat.train.curriculum import Curriculum
from whisper_qat.train.history import History
from whisper_qat.train.interrupt import Interrupt
from whisper_qat.train.objective import Losses, Objective
from whisper_qat.train.out_of_memory import out_of_memory
from whisper_qat.train.step_weights import quantized_for_step
from whisper_qat.train.terms.registry import TERMS

Evaluate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the loop; all of them but the two intervals change the run's numbers."""

    num_epochs: int
    per_device_batch_size: int
    gradient_accumulation_steps: int
    learning_rate: float
    warmup_ratio: float
    weight_decay: float
    max_grad_norm: float
    seed: int
    num_workers: int
    eval_steps: int
    save_steps: int
    objective: Objective
    scale_lr_ratio: float = 0.1


@dataclass(frozen=True)
class Data:
    """Training clips as examples with their durations, and the way they are batched."""

    examples: Examples
    durations_s: Sequence[float]
    collator: Collator


def total_steps(settings: Settings, num_clips: int, num_processes: int) -> int:
    """Optimizer steps of the whole run."""
    batches = -(-num_clips // settings.per_device_batch_size)
    accumulation = settings.gradient_accumulation_steps
    return settings.num_epochs * num_steps(batches, accumulation, num_processes)


class Loop:
    """A run in `folder`: `run` trains from its last checkpoint, or the start, to the end."""

    def __init__(
        self, accelerator: Accelerator, student: nn.Module, teacher: nn.Module | None, data: Data,
        settings: Settings, folder: Path, evaluate: Evaluate, curriculum: Curriculum | None = None,
    ) -> None:  # fmt: skip
        self.accelerator, self.settings, self.data = accelerator, settings, data
        self.evaluate, self.checkpoints = evaluate, folder / "checkpoints"
        self.bare = student
        self.curriculum = curriculum or Curriculum(student, (), None)
        self.optimizer = torch.optim.AdamW(
            parameter_groups(student, settings), betas=(0.9, 0.999), eps=1e-8
        )
        self.progress = checkpoint.Progress()
        self.history = History(folder)
        self.total = total_steps(settings, len(data.durations_s), accelerator.num_processes)
        self.warmup = schedule.warmup_steps(self.total, settings.warmup_ratio)
        # A shallow copy with shared parameters: accelerate puts autocast into the forward of the
        # model that it wraps, and `bare`, on which evaluations run, must stay float32.
        self.student = accelerator.prepare_model(copy(student))
        self.teacher = None if teacher is None else accelerator.prepare_model(
            teacher, evaluation_mode=True)  # fmt: skip

    def resume(self) -> int:
        """Restore the newest checkpoint and return its step; 0 when there is none."""
        saved = checkpoint.folders(self.checkpoints)
        if saved:
            self.progress = checkpoint.restore(
                saved[-1], self.bare, self.optimizer, rank=self.accelerator.process_index,
                num_processes=self.accelerator.num_processes,
            )  # fmt: skip
            if self.accelerator.scaler is not None and self.progress.scaler:
                self.accelerator.scaler.load_state_dict(self.progress.scaler)
        if self.accelerator.is_main_process:
            self.history.keep_until(self.progress.step)
        return self.progress.step

    def run(self, report: Callable[[dict[str, float]], None]) -> None:
        """Train to the end; the main process passes the metrics of each step to `report`."""
        with Interrupt() as interrupt:
            for epoch, waited_s, batches in self._steps():
                metrics = self._step(batches) | {"epoch": epoch, "waited_s": waited_s}
                self._record(metrics, report)
                done = self.progress.step == self.total
                if done or self.progress.step % self.settings.eval_steps == 0:
                    self._evaluate()
                if done or interrupt.requested or self._is_save_step():
                    self._save()
                if interrupt.requested and not done:
                    raise KeyboardInterrupt(
                        f"interrupted: saved after step {self.progress.step} of {self.total}; "
                        "run the same command again to go on"
                    )

    def keep_nothing(self) -> None:
        """Switch off validation and checkpoints, for measuring the time of steps."""
        self._evaluate = self._save = lambda: None  # type: ignore[method-assign]

    def _is_save_step(self) -> bool:
        return self.progress.step % self.settings.save_steps == 0

    def _steps(self) -> Iterator[tuple[float, float, list[Batch]]]:
        """Yield (epoch, seconds waited for data, micro-batches on this process) per step left."""
        s, data = self.settings, self.data
        per_epoch = self.total // s.num_epochs
        while self.progress.step < self.total:
            epoch, offset = divmod(self.progress.step, per_epoch)
            batches = epoch_batches(
                data.durations_s, s.per_device_batch_size, seed=s.seed, epoch=epoch
            )
            steps = step_batches(
                batches, s.gradient_accumulation_steps, self.accelerator.num_processes,
                self.accelerator.process_index,
            )[offset:]  # fmt: skip
            flat = [micro for step in steps for micro in step]
            collator = replace(data.collator, seed=(s.seed, epoch))
            stream = iterate(data.examples, flat, collator, s.num_workers)
            for i, step in enumerate(steps):
                began = time.perf_counter()
                group = [next(stream) for _ in step]
                yield epoch + (offset + i + 1) / per_epoch, time.perf_counter() - began, group

    def _step(self, batches: list[Batch]) -> dict[str, float]:
        """One optimizer step; returns its metrics, the losses as means per token."""
        began = time.perf_counter()
        self.curriculum.begin_step(self.progress.step, self.total)
        self.student.train()
        tokens = self._sum(torch.tensor(float(sum(batch.num_tokens for batch in batches))))
        sums = torch.zeros(1 + len(TERMS))
        with self.step_weights():
            for i, batch in enumerate(batches):
                last = i == len(batches) - 1
                # Gradients travel between processes once per step, with the last micro-batch.
                with nullcontext() if last else self.accelerator.no_sync(self.student):
                    sums += self._backward(batch, tokens)
        norm = self._update()
        self.progress.step += 1
        total, *parts = (self._sum(sums) / tokens).tolist()
        return {
            "step": self.progress.step, "loss": total,
            **{term.name: part for term, part in zip(TERMS, parts, strict=True)},
            "grad_norm": norm,
            "learning_rate": self.optimizer.param_groups[0]["lr"], "tokens": tokens.item(),
            "seconds": time.perf_counter() - began,
        }  # fmt: skip

    def step_weights(self) -> AbstractContextManager[None]:
        """The context in which the forward and backward passes of a step run."""
        alone = self.accelerator.num_processes == 1
        return quantized_for_step(self.bare) if alone else nullcontext()

    def _backward(self, batch: Batch, tokens: Tensor) -> Tensor:
        """Add one micro-batch's gradients of the step's loss; returns its summed losses."""
        s = self.settings
        # Several processes' gradients are averaged; the step's loss is a sum.
        share = self.accelerator.num_processes / tokens.item()
        try:
            moved = objective.to_device(batch, self.accelerator.device)
            result = objective.compute(self.student, self.teacher, moved, s.objective)
            self._check_finite(result, batch)
            self.accelerator.backward(result.total * share)
        except RuntimeError as error:  # torch.OutOfMemoryError is one
            size, accumulation = s.per_device_batch_size, s.gradient_accumulation_steps
            raise out_of_memory(error, batch, size, accumulation) or error from None
        return torch.stack([result.total.detach(), *result.sums.values()]).float().cpu()

    def _update(self) -> float:
        factor = schedule.rate_factor(
            self.progress.step, total_steps=self.total, warmup=self.warmup
        )
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.learning_rate * group["ratio"] * factor
        scaler = self.accelerator.scaler
        if scaler is not None:
            scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.student.parameters(), self.settings.max_grad_norm)
        if scaler is not None:
            scaler.step(self.optimizer)
            scaler.update()
        else:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def _check_finite(self, result: Losses, batch: Batch) -> None:
        if not torch.isfinite(result.total):
            saved = checkpoint.folders(self.checkpoints)
            kept = f"the last good checkpoint is {saved[-1]}" if saved else "nothing was saved yet"
            raise InputError(
                f"step {self.progress.step + 1}: loss is {result.total.item()} on batch "
                f"{', '.join(batch.ids)}; {kept}: lower learning_rate or look at these clips"
            )

    def _record(self, metrics: dict[str, float], report: Callable) -> None:
        if self.accelerator.is_main_process:
            self.history.add(metrics)
            report(metrics)

    def _evaluate(self) -> None:
        if self.accelerator.is_main_process:
            self.student.eval()
            with self.curriculum.as_planned():
                metrics = self.evaluate(self.bare)
            self.history.add({"step": self.progress.step} | metrics)
            best = self.progress.best_loss
            if best is None or metrics["eval_loss"] < best:
                self.progress.best_loss = metrics["eval_loss"]
                self.progress.best_step = self.progress.step
                checkpoint.save_best(self.checkpoints, self.bare, metrics, self.progress.step)
        self.accelerator.wait_for_everyone()

    def _save(self) -> None:
        scaler = self.accelerator.scaler
        self.progress.scaler = scaler.state_dict() if scaler is not None else {}
        random_states = _gather(self.accelerator, checkpoint.randomness())
        if self.accelerator.is_main_process:
            self.history.flush()
            checkpoint.save(
                self.checkpoints, self.bare, self.optimizer, self.progress, random_states
            )
        self.accelerator.wait_for_everyone()

    def _sum(self, value: Tensor) -> Tensor:
        moved = value.to(self.accelerator.device)
        return self.accelerator.reduce(moved, reduction="sum").cpu()


def parameter_groups(student: nn.Module, settings: Settings) -> list[dict[str, Any]]:
    """The optimizer's groups: weights, and learned scales with their own rate and no decay."""
    apart = scales.learned_scales(student)
    weights = [p for p in student.parameters() if p.requires_grad and id(p) not in apart]
    groups = [{"params": weights, "ratio": 1.0, "weight_decay": settings.weight_decay,
               "lr": settings.learning_rate}]  # fmt: skip
    if apart:
        ratio = settings.scale_lr_ratio
        groups.append({"params": [scale for scale, _ in apart.values()], "ratio": ratio,
                       "weight_decay": 0.0, "lr": settings.learning_rate * ratio})  # fmt: skip
    return groups


def _gather(accelerator: Accelerator, value: dict) -> list[dict]:
    if accelerator.num_processes == 1:
        return [value]
    gathered: list = [None] * accelerator.num_processes
    torch.distributed.all_gather_object(gathered, value)
    return gathered
