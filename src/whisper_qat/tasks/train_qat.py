"""Training: a float checkpoint and speech in, a `final/` folder with plan and scales out."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, set_seed
from tqdm import tqdm
from transformers import WhisperForConditionalGeneration

from whisper_qat.artifacts import new_folder, write_manifest
from whisper_qat.config import InputError
from whisper_qat.data.context import AudioContext
from whisper_qat.data.features import Features
from whisper_qat.data.loader import Collator, Examples, Labeller
from whisper_qat.data.selection import Selection, select
from whisper_qat.infer.decoding_rules import DecodingRules, read_rules
from whisper_qat.locking import folder_lock
from whisper_qat.model.final import Info, save_final
from whisper_qat.model.load import fingerprint, load_whisper, resolve_checkpoint
from whisper_qat.model.plan_file import check_type, read_rules_file
from whisper_qat.model.prepare import Plan, apply_plan, default_rules, plan
from whisper_qat.model.scope import set_prompt_length
from whisper_qat.tasks.preflight import Preflight, check
from whisper_qat.tasks.training_folder import has_begun, is_done, record_settings
from whisper_qat.tasks.validate import Validator
from whisper_qat.train import curriculum, precision, scales
from whisper_qat.train.curriculum import Curriculum
from whisper_qat.train.loop import Data, Loop, Settings
from whisper_qat.train.objective import Objective, Whisper


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of a training run; every name is a flag and a key of the YAML file.

    Args:
        base_model: float checkpoint: a folder, a Hub id, or ctranslate2:FOLDER
        train_data: folder, manifest or Hub id; its train split is used
        eval_data: like train_data; its validation split is used (default: train_data)
        output_dir: receives checkpoints/ and final/
        quantization_type: int8, int4, or none for the float control
        block_size: weights per scale along K: 32, 64 or 128
        plan: YAML list of rules (pattern, scheme, why) in place of quantization_type's own
        scales: rule (ORT's, following the weights) or learned (LSQ)
        scale_start: of learned scales: ort or least-squares
        scale_lr_ratio: learning rate of learned scales, as a share of learning_rate
        curriculum: coarser stages before the plan, as in float:0.1,int8:0.3 (shares of the steps)
        num_epochs: passes over the training clips
        max_samples: seeded random draw of this many training clips (default: all)
        max_eval_samples: seeded random draw of this many validation clips
        per_device_batch_size: clips per micro-batch and process
        gradient_accumulation_steps: micro-batches per optimizer step and process
        learning_rate: peak, after warm-up
        warmup_ratio: share of the steps that warm up linearly; the rest decays linearly to 0
        weight_decay: AdamW's
        max_grad_norm: gradients are clipped to this norm
        ce_weight: weight of the cross-entropy on the reference text
        kl_weight: weight of the distillation from the float checkpoint; 0 runs no teacher
        temperature: of the distillation
        encoder_weight: weight of the distillation of the encoder states; 0 leaves it out
        audio_context: full (30 s) or dynamic (the longest clip of the batch + margin_s)
        margin_s: seconds of silence after the clip in a dynamic context
        language: code of the language that is spoken
        task: transcribe or translate
        mixed_precision: auto, no, bf16 or fp16; matrix products only
        gradient_checkpointing: recompute activations in the backward pass to save memory
        num_workers: processes that compute features ahead
        eval_steps: optimizer steps between evaluations (0: once per epoch)
        save_steps: optimizer steps between checkpoints
        seed: of the draw, the order and every random state
        resume: go on from the newest checkpoint of output_dir (false: refuse if there is one)
        dry_run: stop after the preflight
    """

    base_model: str = "bofenghuang/whisper-large-v3-distil-fr-v0.2"
    train_data: str = "data/common-voice-fr"
    eval_data: str | None = None
    output_dir: str = "outputs/models/whisper-qat-int8"
    quantization_type: str = "int8"
    block_size: int = 32
    plan: Path | None = None
    scales: Literal["rule", "learned"] = "rule"
    scale_start: Literal["ort", "least-squares"] = "least-squares"
    scale_lr_ratio: float = 0.1
    curriculum: str = ""
    num_epochs: int = 5
    max_samples: int | None = None
    max_eval_samples: int | None = 200
    per_device_batch_size: int = 8
    gradient_accumulation_steps: int = 4
    learning_rate: float = 5e-6
    warmup_ratio: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    ce_weight: float = 0.8
    kl_weight: float = 1.0
    temperature: float = 2.0
    encoder_weight: float = 0.0
    audio_context: str = "full"
    margin_s: float = 3.0
    language: str = "fr"
    task: str = "transcribe"
    mixed_precision: str = "auto"
    gradient_checkpointing: bool = False
    num_workers: int = 2
    eval_steps: int = 0
    save_steps: int = 50
    seed: int = 0
    resume: bool = True
    dry_run: bool = False

    def __post_init__(self) -> None:
        default_rules(self.quantization_type, 32)
        AudioContext(mode=self.audio_context, margin_s=self.margin_s)
        if self.block_size not in (32, 64, 128):
            raise InputError(f"block_size={self.block_size}: expected 32, 64 or 128")
        for name in ("num_epochs", "per_device_batch_size", "gradient_accumulation_steps",
                     "save_steps", "learning_rate", "temperature", "max_grad_norm"):  # fmt: skip
            if getattr(self, name) <= 0:
                raise InputError(f"{name}={getattr(self, name)}: expected more than 0")
        for name in ("eval_steps", "num_workers", "ce_weight", "kl_weight", "weight_decay",
                     "encoder_weight", "scale_lr_ratio"):  # fmt: skip
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)}: expected 0 or more")
        if self.ce_weight == 0 and self.kl_weight == 0:
            raise InputError("ce_weight=0 and kl_weight=0: nothing would be trained")
        if curriculum.parse(self.curriculum) and self.quantization_type == "none":
            raise InputError(
                f"curriculum={self.curriculum!r}: quantization_type none has no grid to go to"
            )
        if not 0 <= self.warmup_ratio < 1:
            raise InputError(f"warmup_ratio={self.warmup_ratio}: expected 0 to below 1")

    @property
    def context(self) -> AudioContext:
        return AudioContext(mode=self.audio_context, margin_s=self.margin_s)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a run is made of, loaded and planned."""

    base: Path
    selection: Selection
    model: WhisperForConditionalGeneration
    teacher: WhisperForConditionalGeneration | None
    plan: Plan | None
    features: Features
    labeller: Labeller
    collator: Collator
    rules: DecodingRules
    info: Info


def run(config: TrainConfig) -> int | None:
    """Train into `output_dir`: goes on with an unfinished run, leaves a finished one alone."""
    folder = Path(config.output_dir)
    mode, why = precision.resolve(config.mixed_precision)
    # A stage before the plan leaves learned scales without a gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=bool(config.curriculum))
    accelerator = Accelerator(mixed_precision=mode, kwargs_handlers=[unused])
    say = accelerator.print
    with folder_lock(folder) if accelerator.is_main_process else nullcontext():
        if is_done(folder, recorded(config), resume=config.resume):
            say(f"{folder / 'final'}: finished with these settings; nothing to do")
            return None
        accelerator.wait_for_everyone()
        parts = _load(config, folder, accelerator)
        say(
            f"precision: {why}; parameters, codes and scales float32",
            *parts.selection.notes,
            sep="\n",
        )
        _train(config, folder, accelerator, parts)
    return None


def _train(config: TrainConfig, folder: Path, accelerator: Accelerator, parts: Parts) -> None:
    loop = _loop(config, folder, accelerator, parts)
    if accelerator.is_main_process:
        check(_preflight(config, folder, parts, loop), say=accelerator.print)
    accelerator.wait_for_everyone()
    if config.dry_run:
        accelerator.print("dry run: stopping before step 1")
        return
    if accelerator.is_main_process:
        record_settings(folder, recorded(config), parts.selection)
    set_seed(config.seed)
    step = loop.resume()
    if step:
        accelerator.print(f"resuming after step {step} of {loop.total}")
    with _bar(loop, enabled=accelerator.is_main_process) as report:
        loop.run(report)
    if accelerator.is_main_process:
        _finish(folder / "final", config, parts, loop)
        accelerator.print(f"trained model: {folder / 'final'}")


def _load(config: TrainConfig, folder: Path, accelerator: Accelerator) -> Parts:
    with accelerator.main_process_first():
        base = resolve_checkpoint(config.base_model, folder / "imported")
    model = load_whisper(base)
    rules = read_rules(base, language=config.language, task=config.task)
    labeller = Labeller.from_pretrained(
        base, rules.prompt, model.config.eos_token_id, model.config.max_target_positions
    )
    selection = select(
        config.train_data, config.eval_data or config.train_data, max_samples=config.max_samples,
        max_eval_samples=config.max_eval_samples, seed=config.seed, fits=labeller.fits,
    )  # fmt: skip
    needed = config.kl_weight or config.encoder_weight
    teacher = deepcopy(model).requires_grad_(False) if needed else None
    made = _planned(model, config)
    set_prompt_length(model, len(rules.prompt))
    return Parts(
        base=base, selection=selection, model=model, teacher=teacher, plan=made,
        features=Features.from_pretrained(base), labeller=labeller,
        collator=Collator(config.context, len(rules.prompt)), rules=rules,
        info=_info(config, base),
    )  # fmt: skip


def _planned(model: WhisperForConditionalGeneration, config: TrainConfig) -> Plan | None:
    if config.quantization_type == "none":
        return None
    rules = default_rules(config.quantization_type, config.block_size)
    if config.plan is not None:
        rules = read_rules_file(config.plan)
    made = plan(model, rules)
    check_type(made, model, config.quantization_type)
    apply_plan(model, made)
    if config.scales == "learned":
        scales.learn(model, config.scale_start)
    return made


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The settings as the run's folder keeps them: the plan by its rules, not by its path."""
    rules = None
    if config.plan is not None:
        rules = [asdict(rule) for rule in read_rules_file(config.plan)]
    return asdict(config) | {"plan": rules}


def _info(config: TrainConfig, base: Path) -> Info:
    quantized = config.quantization_type != "none"
    return Info(
        quantization_type=config.quantization_type, method="qat" if quantized else "float",
        fine_tuned=True, audio_context=asdict(config.context),
        base_model={"name": config.base_model, "fingerprint": fingerprint(base)},
        training_seed=config.seed,
    )  # fmt: skip


def _loop(config: TrainConfig, folder: Path, accelerator: Accelerator, parts: Parts) -> Loop:
    def examples(clips):  # type: ignore[no-untyped-def]
        return Examples(clips, parts.features, parts.labeller)

    train, held = parts.selection.train, parts.selection.validation
    data = Data(examples(train), [clip.duration_s for clip in train], parts.collator)  # type: ignore[misc]
    teacher = None if parts.teacher is None else Whisper(parts.teacher)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(accelerator.mixed_precision)
    validate = Validator(
        base=parts.base, clips=held, teacher=teacher, examples=examples(held),
        collator=parts.collator, rules=parts.rules, context=config.context,
        batch_size=config.per_device_batch_size, num_workers=config.num_workers, autocast=dtype,
    )  # fmt: skip
    student = Whisper(parts.model, checkpointing=config.gradient_checkpointing)
    return Loop(
        accelerator,
        student,
        teacher,
        data,
        _settings(config, len(train), accelerator),
        folder,
        validate,
        _curriculum(config, student),
    )


def _curriculum(config: TrainConfig, student: Whisper) -> Curriculum:
    start = config.scale_start if config.scales == "learned" else None
    return Curriculum(student, curriculum.parse(config.curriculum), start)


def _settings(config: TrainConfig, num_clips: int, accelerator: Accelerator) -> Settings:
    shared = {
        name: getattr(config, name)
        for name in Settings.__dataclass_fields__
        if hasattr(config, name)
    }
    how = Objective(
        ce_weight=config.ce_weight, kl_weight=config.kl_weight, temperature=config.temperature,
        encoder_weight=config.encoder_weight,
    )  # fmt: skip
    if not config.eval_steps:
        per_step = config.per_device_batch_size * config.gradient_accumulation_steps
        shared["eval_steps"] = max(1, -(-num_clips // (per_step * accelerator.num_processes)))
    return Settings(**shared, objective=how)


def _preflight(config: TrainConfig, folder: Path, parts: Parts, loop: Loop) -> Preflight:
    return Preflight(
        loop=loop, selection=parts.selection, folder=folder, base=parts.base, plan=parts.plan,
        info=parts.info, rehearse=config.dry_run or not has_begun(folder),
    )  # fmt: skip


@contextmanager
def _bar(loop: Loop, *, enabled: bool) -> Iterator[Any]:
    """A progress bar with rate and time left; yields what takes each step's metrics."""
    with tqdm(
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
