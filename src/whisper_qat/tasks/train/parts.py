"""Load the parts of a training run: checkpoint, teacher, plan, speech, and the loop over them."""

import logging
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, broadcast
from transformers import WhisperForConditionalGeneration

from whisper_qat.data.audio.features import Features
from whisper_qat.data.clips.selection import Selection, select
from whisper_qat.data.clips.split import sample_clips
from whisper_qat.data.loader import Collator, Examples, Labeller
from whisper_qat.infer.decoding.rules import DecodingRules, read_rules
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.checkpoint.load import fingerprint, load_whisper, resolve_checkpoint
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.model.plan.plan import Plan, default_rules
from whisper_qat.model.plan.rules_file import check_type, read_rules_file
from whisper_qat.ptq.calibration_clips import samples_of
from whisper_qat.ptq.warm_start import start_from_gptq
from whisper_qat.runs.setting_groups import flat
from whisper_qat.tasks.train.config import QuantizationSettings, TrainConfig
from whisper_qat.train import checkpoint, curriculum, precision, scales
from whisper_qat.train.curriculum import Curriculum
from whisper_qat.train.kept_teacher import KeptTeacher
from whisper_qat.train.loop import Data, Loop, Settings
from whisper_qat.train.objective import Objective, Whisper
from whisper_qat.train.validation import Validator

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The loaded parts of a run, with the plan applied."""

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


def make_accelerator(config: TrainConfig) -> tuple[Accelerator, str]:
    """Accelerator with the processes and precision of a run, and the reason for that precision."""
    mode, why = precision.resolve(config.schedule.mixed_precision)
    # A stage before the plan leaves learned scales without a gradient.
    staged = bool(config.quantization.curriculum)
    unused = DistributedDataParallelKwargs(find_unused_parameters=staged)
    return Accelerator(mixed_precision=mode, kwargs_handlers=[unused]), why


def load(config: TrainConfig, folder: Path, accelerator: Accelerator) -> Parts:
    """Load checkpoint, speech and plan of a run in `folder`, and initialise learned scales."""
    data, context = config.data, config.context
    with accelerator.main_process_first():
        base = resolve_checkpoint(data.base_model, folder / "imported")
    model = load_whisper(base)
    rules = read_rules(base, language=data.language, task=data.task)
    labeller = Labeller.from_pretrained(
        base, rules.prompt, model.config.eos_token_id, model.config.max_target_positions
    )
    selection = select(
        data.train_data, data.eval_data or data.train_data, max_samples=data.max_samples,
        max_eval_samples=data.max_eval_samples, seed=config.schedule.seed, fits=labeller.fits,
    )  # fmt: skip
    needed = Objective.of(asdict(config.distillation)).needs_teacher
    teacher = deepcopy(model).requires_grad_(False) if needed else None
    made = _apply_plan(model, config.quantization)
    features = Features.from_pretrained(base)
    if config.quantization.scales == "learned":
        scales.learn(model)
    set_prompt_length(model, len(rules.prompt))
    parts = Parts(
        base=base, selection=selection, model=model, teacher=teacher, plan=made,
        features=features, labeller=labeller,
        collator=Collator(
            context.audio, len(rules.prompt), full_teacher=context.teacher_context == "full"
        ),
        rules=rules,
        info=_info(config, base),
    )  # fmt: skip
    # A checkpoint brings its own values for weights and scales.
    if not config.quantization.curriculum and not checkpoint.folders(folder / "checkpoints"):
        _start_scales(config, parts, accelerator)
    return parts


def _start_scales(config: TrainConfig, parts: Parts, accelerator: Accelerator) -> None:
    """Set the initial values of learned scales and, for gptq, of the codes."""
    settings = config.quantization
    if settings.scales != "learned":
        return
    if settings.scale_start != "gptq":
        scales.restart(parts.model, settings.scale_start)
        return
    clips = parts.selection.train
    clips = sample_clips(clips, settings.calibration_samples, config.schedule.seed)
    samples = samples_of(clips, parts.features, config.context.audio, parts.labeller)
    start_from_gptq(parts.model, samples, lambda name: logger.info(f"gptq: {name}"))
    set_prompt_length(parts.model, len(parts.rules.prompt))
    for parameter in parts.model.parameters():  # all processes start from those of the first
        parameter.data.copy_(broadcast(parameter.data.to(accelerator.device)))


def _apply_plan(
    model: WhisperForConditionalGeneration, settings: QuantizationSettings
) -> Plan | None:
    if settings.quantization_type == "none":
        return None
    rules = default_rules(settings.quantization_type, settings.block_size)
    if settings.plan is not None:
        rules = read_rules_file(settings.plan)
    made = plan(model, rules)
    check_type(made, model, settings.quantization_type)
    apply_plan(model, made)
    return made


def _info(config: TrainConfig, base: Path) -> Info:
    kind, context = config.quantization.quantization_type, config.context
    return Info(
        quantization_type=kind, method="float" if kind == "none" else "qat",
        fine_tuned=True, audio_context=asdict(context.audio),
        base_model={"name": config.data.base_model, "fingerprint": fingerprint(base)},
        training_seed=config.schedule.seed,
        trained_context=asdict(context.audio) | {
            "max_margin_s": context.max_margin_s, "teacher_context": context.teacher_context,
        },
    )  # fmt: skip


def make_loop(config: TrainConfig, folder: Path, accelerator: Accelerator, parts: Parts) -> Loop:
    """The training loop in `folder`, ready to resume or to start; it trains `parts.model`."""

    def examples(clips):  # type: ignore[no-untyped-def]
        return Examples(clips, parts.features, parts.labeller)

    train, held = parts.selection.train, parts.selection.validation
    durations = [clip.duration_s for clip in train]
    collator = replace(parts.collator, max_margin_s=config.context.max_margin_s)
    data = Data(examples(train), durations, collator)  # type: ignore[arg-type]
    teacher = None if parts.teacher is None else _teacher(config, parts.teacher, parts.base)
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(accelerator.mixed_precision)
    validate = Validator(
        base=parts.base, clips=held, teacher=teacher, examples=examples(held),
        collator=parts.collator, rules=parts.rules, context=config.context.audio,
        batch_size=config.schedule.per_device_batch_size, num_workers=config.data.num_workers,
        autocast=dtype,
    )  # fmt: skip
    student = Whisper(parts.model, checkpointing=config.schedule.gradient_checkpointing)
    return Loop(
        accelerator,
        student,
        teacher,
        data,
        _settings(config, len(train), accelerator),
        folder,
        validate,
        Curriculum(
            student,
            curriculum.parse(config.quantization.curriculum),
            lambda: _start_scales(config, parts, accelerator),
        ),
    )


def _teacher(config: TrainConfig, model: WhisperForConditionalGeneration, base: Path) -> Whisper:
    kept = config.distillation.teacher_outputs
    return Whisper(model) if kept is None else KeptTeacher(model, kept, fingerprint(base))


def _settings(config: TrainConfig, num_clips: int, accelerator: Accelerator) -> Settings:
    schedule, values = config.schedule, flat(config)
    shared = {name: values[name] for name in Settings.__dataclass_fields__ if name in values}
    if not config.output.eval_steps:
        per_step = schedule.per_device_batch_size * schedule.gradient_accumulation_steps
        shared["eval_steps"] = max(1, -(-num_clips // (per_step * accelerator.num_processes)))
    return Settings(**shared, objective=Objective.of(values))
