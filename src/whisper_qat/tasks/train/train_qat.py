"""Train a float checkpoint on speech, and write a `final/` folder with plan and scales."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import set_seed

from whisper_qat.model.checkpoint.final import save_final
from whisper_qat.model.checkpoint.load import fingerprint
from whisper_qat.runs.folders import new_folder, write_manifest
from whisper_qat.runs.locks import folder_lock
from whisper_qat.runs.progress import Bar
from whisper_qat.tasks.train.config import TrainConfig, recorded
from whisper_qat.tasks.train.parts import Parts, load, make_accelerator, make_loop
from whisper_qat.tasks.train.preflight import Preflight, check
from whisper_qat.train import precision
from whisper_qat.train.loop import Loop
from whisper_qat.train.run_folder import has_begun, is_done, record_settings

logger = logging.getLogger(__name__)


def run(config: TrainConfig) -> int | None:
    """Train into `output_dir`; continues an unfinished run, leaves a finished one unchanged."""
    folder = Path(config.output.output_dir)
    accelerator, why = make_accelerator(config)
    with folder_lock(folder) if accelerator.is_main_process else nullcontext():
        if is_done(folder, recorded(config), resume=config.output.resume):
            logger.info(f"{folder / 'final'}: finished with these settings; nothing to do")
            return None
        accelerator.wait_for_everyone()
        parts = load(config, folder, accelerator)
        logger.info(f"precision: {why}; parameters, codes and scales float32")
        if slow := precision.cpu_warning(accelerator.mixed_precision):
            logger.warning(f"warning: {slow}")
        for note in parts.selection.notes:
            logger.info(note)
        _train(config, folder, accelerator, parts)
    return None


def _train(config: TrainConfig, folder: Path, accelerator: Accelerator, parts: Parts) -> None:
    loop = make_loop(config, folder, accelerator, parts)
    if accelerator.is_main_process:
        check(_preflight(config, folder, parts, loop))
    accelerator.wait_for_everyone()
    if config.output.dry_run:
        logger.info("dry run: stopping before step 1")
        return
    if accelerator.is_main_process:
        record_settings(folder, recorded(config), parts.selection)
    set_seed(config.schedule.seed)
    step = loop.resume()
    if step:
        logger.info(f"resuming after step {step} of {loop.total}")
    with _bar(loop, enabled=accelerator.is_main_process) as report:
        loop.run(report)
    if accelerator.is_main_process:
        _finish(folder / "final", config, parts, loop)
        logger.info(f"trained model: {folder / 'final'}")


def _preflight(config: TrainConfig, folder: Path, parts: Parts, loop: Loop) -> Preflight:
    return Preflight(
        loop=loop, selection=parts.selection, folder=folder, base=parts.base, plan=parts.plan,
        info=parts.info, language=parts.rules.language,
        rehearse=config.output.dry_run or not has_begun(folder),
    )  # fmt: skip


@contextmanager
def _bar(loop: Loop, *, enabled: bool) -> Iterator[Any]:
    """A progress bar with rate and time left; yields a function that takes a step's metrics."""
    with Bar(
        total=loop.total, initial=loop.progress.step, desc="training", unit="step",
        disable=not enabled, dynamic_ncols=True,
    ) as bar:  # fmt: skip

        def report(metrics: dict[str, float]) -> None:
            bar.set_postfix_str(
                f"epoch {metrics['epoch']:.2f}, loss {metrics['loss']:.4f}", refresh=False
            )
            bar.update(int(metrics["step"]) - bar.n)

        yield report


def _finish(final: Path, config: TrainConfig, parts: Parts, loop: Loop) -> None:
    selection, info = parts.selection, parts.info
    with new_folder(final) as folder:
        save_final(parts.model, folder, plan=parts.plan, info=info, companions=parts.base)
        write_manifest(
            folder,
            kind="model",
            inputs={
                "base_model": info.base_model["fingerprint"],
                "clips": selection.fingerprint,
            },
            config=recorded(config),
            extra={
                "steps": loop.total,
                "data": selection.notes,
                "audio_s": sum(clip.duration_s or 0.0 for clip in selection.train),
                "best": {"step": loop.progress.best_step, "eval_loss": loop.progress.best_loss},
                "weights": fingerprint(folder),
            },
        )
