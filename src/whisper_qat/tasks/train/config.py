"""The settings of a training run in their groups, checked before anything is loaded.

A setting's name is both its flag and its key in a YAML file, at the top level or under the name of
its group; manifests hold the names without groups (`recorded`).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S
from whisper_qat.model.plan.plan import Rule, block_rules, default_rules
from whisper_qat.model.plan.rules_file import decide_type, read_rules_file, same_effect
from whisper_qat.runs.setting_groups import flat
from whisper_qat.train import curriculum

OUTPUTS = "outputs/models"


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """Inputs of the run: the float checkpoint and the speech data.

    Args:
        base_model: float checkpoint: a folder, a Hub id, or ctranslate2:FOLDER
        train_data: folder, manifest or Hub id; its train split is used
        eval_data: like train_data; its validation split is used (default: train_data)
        max_samples: use at most this many training clips, drawn at random with the seed (default:
            all)
        max_eval_samples: use at most this many validation clips, drawn at random with the seed
        language: code of the spoken language; an English-only checkpoint does not use it
        task: what the model is trained to do with the speech
        num_workers: processes that compute features ahead
    """

    base_model: str = "bofenghuang/whisper-large-v3-distil-fr-v0.2"
    train_data: str = "data/common-voice-fr"
    eval_data: str | None = None
    max_samples: int | None = None
    max_eval_samples: int | None = 200
    language: str = "fr"
    task: Literal["transcribe", "translate"] = "transcribe"
    num_workers: int = 2

    def __post_init__(self) -> None:
        _at_least_0(self, ("num_workers",))


@dataclass(frozen=True, kw_only=True)
class ContextSettings:
    """Length of the audio that the encoder is given.

    Args:
        audio_context: length of the encoder input: full (30 s), or dynamic (the longest clip of the
            batch and margin_s)
        margin_s: seconds of silence after the clip with a dynamic audio context
        max_margin_s: draw the margin of each micro-batch between margin_s and this value
        teacher_context: the teacher's encoder input: same (as the student's), or full (30 s)
    """

    audio_context: Literal["full", "dynamic"] = "full"
    margin_s: float = 3.0
    max_margin_s: float | None = None
    teacher_context: Literal["same", "full"] = "same"

    def __post_init__(self) -> None:
        AudioContext(mode=self.audio_context, margin_s=self.margin_s)
        if self.max_margin_s is not None and not (
            self.audio_context == "dynamic" and self.margin_s <= self.max_margin_s <= WINDOW_S
        ):
            raise InputError(
                f"max_margin_s={self.max_margin_s:g}: expected margin_s ({self.margin_s:g}) to "
                f"{WINDOW_S} seconds, and audio_context=dynamic"
            )

    @property
    def audio(self) -> AudioContext:
        """The context that batches are padded to."""
        return AudioContext(mode=self.audio_context, margin_s=self.margin_s)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """Steps, learning rate, precision.

    Args:
        num_epochs: passes over the training clips
        per_device_batch_size: clips per micro-batch and process
        gradient_accumulation_steps: micro-batches per optimizer step and process
        learning_rate: peak learning rate, reached after the warm-up
        warmup_ratio: share of the steps that warm up linearly; the rest decays linearly to 0
        weight_decay: weight decay of AdamW
        max_grad_norm: gradients are clipped to this norm
        mixed_precision: precision of the matrix products; everything else stays float32
        gradient_checkpointing: recompute activations in the backward pass to save memory
        seed: seed of the draw of clips, of their order and of every random state
    """

    num_epochs: int = 5
    per_device_batch_size: int = 8
    gradient_accumulation_steps: int = 4
    learning_rate: float = 5e-6
    warmup_ratio: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    mixed_precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    gradient_checkpointing: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        _above_0(self, ("num_epochs", "per_device_batch_size", "gradient_accumulation_steps",
                        "learning_rate", "max_grad_norm"))  # fmt: skip
        _at_least_0(self, ("weight_decay",))
        if not 0 <= self.warmup_ratio < 1:
            raise InputError(f"warmup_ratio={self.warmup_ratio}: expected 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class DistillationSettings:
    """Training loss: cross-entropy on the reference text and distance to the float checkpoint.

    Args:
        ce_weight: weight of the cross-entropy on the reference text
        kl_weight: weight of the distillation from the float checkpoint; 0 runs no teacher
        temperature: temperature of the distillation
        encoder_weight: weight of the distillation of the encoder states; 0 leaves it out
        teacher_outputs: folder that keeps the teacher's outputs, so that other runs with the same
            clips and context need not compute them again (default: they are computed in every step)
    """

    ce_weight: float = 0.8
    kl_weight: float = 1.0
    temperature: float = 2.0
    encoder_weight: float = 0.0
    teacher_outputs: Path | None = None

    def __post_init__(self) -> None:
        _above_0(self, ("temperature",))
        _at_least_0(self, ("ce_weight", "kl_weight", "encoder_weight"))
        if self.ce_weight == 0 and self.kl_weight == 0:
            raise InputError("ce_weight=0 and kl_weight=0: nothing would be trained")
        if self.teacher_outputs is not None and self.encoder_weight:
            raise InputError(
                f"teacher_outputs={self.teacher_outputs}: keeps no encoder states; leave it out or "
                "set encoder_weight=0"
            )


@dataclass(frozen=True, kw_only=True)
class QuantizationSettings:
    """Quantization that the model is trained for.

    Args:
        quantization_type: number of bits, or none for the float control; a plan whose layers have
            one width decides it
        block_size: weights per scale along K: 32, 64 or 128
        plan: YAML list of rules (pattern, scheme, why), or the name of a plan that comes with the
            package, in place of quantization_type's own
        scales: rule (ONNX Runtime's scale, computed from the weights in every step) or learned
            (LSQ)
        scale_start: how learned scales begin: ort, least-squares, or gptq, which gives the codes as
            well
        calibration_samples: number of training clips, drawn with the seed, that GPTQ is calibrated
            on
        scale_lr_ratio: learning rate of learned scales, as a share of learning_rate
        curriculum: coarser stages before the plan with their shares of the steps, for example
            float:0.1,int8:0.3
    """

    quantization_type: Literal["int8", "int4", "int3", "int2", "none", ""] = field(
        default="", metadata={"default": "int8"}
    )
    block_size: int = 32
    plan: Path | None = None
    scales: Literal["rule", "learned"] = "rule"
    scale_start: Literal["ort", "least-squares", "gptq"] = "ort"
    calibration_samples: int = 64
    scale_lr_ratio: float = 0.1
    curriculum: str = ""

    def __post_init__(self) -> None:
        _set(self, quantization_type=decide_type(self.plan, self.quantization_type))
        default_rules(self.quantization_type, 32)
        if self.block_size not in (32, 64, 128):
            raise InputError(f"block_size={self.block_size}: expected 32, 64 or 128")
        _above_0(self, ("calibration_samples",))
        _at_least_0(self, ("scale_lr_ratio",))
        if curriculum.parse(self.curriculum) and self.quantization_type == "none":
            raise InputError(
                f"curriculum={self.curriculum!r}: quantization_type none has no grid to go to"
            )
        if self.scale_start == "gptq" and self.scales != "learned":
            raise InputError("scale_start='gptq': only with scales=learned, which it starts")


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Output folder, evaluations and checkpoints.

    Args:
        output_dir: folder for checkpoints/ and final/; the default follows quantization_type
            (whisper-control for none)
        eval_steps: optimizer steps between evaluations (0: once per epoch)
        save_steps: optimizer steps between checkpoints
        resume: go on from the newest checkpoint of output_dir (false: refuse if there is one)
        dry_run: stop after the preflight
    """

    output_dir: str = field(default="", metadata={"default": "outputs/models/whisper-qat-int8"})
    eval_steps: int = 0
    save_steps: int = 50
    resume: bool = True
    dry_run: bool = False

    def __post_init__(self) -> None:
        _above_0(self, ("save_steps",))
        _at_least_0(self, ("eval_steps",))


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Train a Whisper checkpoint with fake quantization, or in float as its control."""

    data: DataSettings = field(default_factory=DataSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    quantization: QuantizationSettings = field(default_factory=QuantizationSettings)
    output: OutputSettings = field(default_factory=OutputSettings)

    def __post_init__(self) -> None:
        if not self.output.output_dir:
            folder = default_output(self.quantization.quantization_type)
            _set(self, output=replace(self.output, output_dir=folder))


def default_output(quantization_type: str) -> str:
    """Default output folder of a run."""
    name = "control" if quantization_type == "none" else f"qat-{quantization_type}"
    return f"{OUTPUTS}/whisper-{name}"


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The settings as the run's folder records them: flat, the plan as rules, not a path.

    No plan stands for blocks everywhere, which was the default of every type before rows were that
    of int8: an unfinished run of that time goes on with the plan int8_block.
    """
    settings = config.quantization
    kind = settings.quantization_type
    rules = default_rules(kind, settings.block_size)
    if settings.plan is not None:
        rules = read_rules_file(settings.plan)
    if not rules or _are_blocks(rules, kind, settings.block_size):
        return flat(config) | {"plan": None}
    return flat(config) | {"plan": [asdict(rule) for rule in rules]}


def _are_blocks(rules: list[Rule], kind: str, block_size: int) -> bool:
    try:
        blocks = block_rules(int(kind.removeprefix("int")), block_size, "")
    except ValueError:  # no such width in blocks
        return False
    return same_effect(rules, blocks)


def _set(settings: Any, **values: Any) -> None:
    """Set values that follow from other settings while a frozen dataclass is initialised."""
    for name, value in values.items():
        object.__setattr__(settings, name, value)


def _above_0(settings: Any, names: Iterable[str]) -> None:
    for name in names:
        if getattr(settings, name) <= 0:
            raise InputError(f"{name}={getattr(settings, name)}: expected more than 0")


def _at_least_0(settings: Any, names: Iterable[str]) -> None:
    for name in names:
        if getattr(settings, name) < 0:
            raise InputError(f"{name}={getattr(settings, name)}: expected 0 or more")
