"""What a training run is made of: checkpoint, teacher, plan, speech, and the loop over them."""

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
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.train import checkpoint, curriculum, precision, scales
from whisper_qat.train.curriculum import Curriculum
from whisper_qat.train.loop import Data, Loop, Settings
from whisper_qat.train.objective import Objective, Whisper
from whisper_qat.train.validation import Validator


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


def make_accelerator(config: TrainConfig) -> tuple[Accelerator, str]:
    """The processes and precision of a run, and why that precision, in words."""
    mode, why = precision.resolve(config.mixed_precision)
    # A stage before the plan leaves learned scales without a gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=bool(config.curriculum))
    return Accelerator(mixed_precision=mode, kwargs_handlers=[unused]), why


def load(config: TrainConfig, folder: Path, accelerator: Accelerator) -> Parts:
    """Checkpoint, speech and plan of a run in `folder`; learned scales have their start."""
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
    needed = Objective.of(asdict(config)).needs_teacher
    teacher = deepcopy(model).requires_grad_(False) if needed else None
    made = _apply_plan(model, config)
    features = Features.from_pretrained(base)
    if config.scales == "learned":
        scales.learn(model)
    set_prompt_length(model, len(rules.prompt))
    parts = Parts(
        base=base, selection=selection, model=model, teacher=teacher, plan=made,
        features=features, labeller=labeller,
        collator=Collator(
            config.context, len(rules.prompt), full_teacher=config.teacher_context == "full"
        ),
        rules=rules,
        info=_info(config, base),
    )  # fmt: skip
    # A checkpoint brings its own values for weights and scales.
    if not config.curriculum and not checkpoint.folders(folder / "checkpoints"):
        _start_scales(config, parts, accelerator)
    return parts


def _start_scales(config: TrainConfig, parts: Parts, accelerator: Accelerator) -> None:
    """Give learned scales (and for gptq: the codes) the values they are trained from."""
    if config.scales != "learned":
        return
    if config.scale_start != "gptq":
        scales.restart(parts.model, config.scale_start)
        return
    clips = sample_clips(parts.selection.train, config.calibration_samples, config.seed)
    samples = samples_of(clips, parts.features, config.context, parts.labeller)
    start_from_gptq(parts.model, samples, lambda name: accelerator.print(f"gptq: {name}"))
    set_prompt_length(parts.model, len(parts.rules.prompt))
    for parameter in parts.model.parameters():  # every process trains what the first one found
        parameter.data.copy_(broadcast(parameter.data.to(accelerator.device)))


def _apply_plan(model: WhisperForConditionalGeneration, config: TrainConfig) -> Plan | None:
    if config.quantization_type == "none":
        return None
    rules = default_rules(config.quantization_type, config.block_size)
    if config.plan is not None:
        rules = read_rules_file(config.plan)
    made = plan(model, rules)
    check_type(made, model, config.quantization_type)
    apply_plan(model, made)
    return made


def _info(config: TrainConfig, base: Path) -> Info:
    quantized = config.quantization_type != "none"
    return Info(
        quantization_type=config.quantization_type, method="qat" if quantized else "float",
        fine_tuned=True, audio_context=asdict(config.context),
        base_model={"name": config.base_model, "fingerprint": fingerprint(base)},
        training_seed=config.seed,
        trained_context=asdict(config.context) | {
            "max_margin_s": config.max_margin_s, "teacher_context": config.teacher_context,
        },
    )  # fmt: skip


def make_loop(config: TrainConfig, folder: Path, accelerator: Accelerator, parts: Parts) -> Loop:
    """The run in `folder`, ready to resume or to start; `parts.model` is what it trains."""

    def examples(clips):  # type: ignore[no-untyped-def]
        return Examples(clips, parts.features, parts.labeller)

    train, held = parts.selection.train, parts.selection.validation
    durations = [clip.duration_s for clip in train]
    collator = replace(parts.collator, max_margin_s=config.max_margin_s)
    data = Data(examples(train), durations, collator)  # type: ignore[arg-type]
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
        Curriculum(
            student,
            curriculum.parse(config.curriculum),
            lambda: _start_scales(config, parts, accelerator),
        ),
    )


def _settings(config: TrainConfig, num_clips: int, accelerator: Accelerator) -> Settings:
    shared = {
        name: getattr(config, name)
        for name in Settings.__dataclass_fields__
        if hasattr(config, name)
    }
    if not config.eval_steps:
        per_step = config.per_device_batch_size * config.gradient_accumulation_steps
        shared["eval_steps"] = max(1, -(-num_clips // (per_step * accelerator.num_processes)))
    return Settings(**shared, objective=Objective.of(asdict(config)))
