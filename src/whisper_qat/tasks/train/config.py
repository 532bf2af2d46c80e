"""The settings of a training run, checked before anything is loaded."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.train import curriculum


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
        scale_start: of learned scales: ort, least-squares, or gptq, which gives the codes as well
        calibration_samples: seeded draw of this many training clips that gptq listens to
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
        max_margin_s: training draws each micro-batch's margin between margin_s and this
        teacher_context: what the teacher hears: same (as the student), or full (30 s)
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
    scale_start: Literal["ort", "least-squares", "gptq"] = "ort"
    calibration_samples: int = 64
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
    max_margin_s: float | None = None
    teacher_context: Literal["same", "full"] = "same"
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
                     "save_steps", "calibration_samples", "learning_rate", "temperature",
                     "max_grad_norm"):  # fmt: skip
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
        if self.scale_start == "gptq" and self.scales != "learned":
            raise InputError("scale_start='gptq': only with scales=learned, which it starts")
        if self.max_margin_s is not None and not (
            self.audio_context == "dynamic" and self.margin_s <= self.max_margin_s <= WINDOW_S
        ):
            raise InputError(
                f"max_margin_s={self.max_margin_s:g}: expected margin_s ({self.margin_s:g}) to "
                f"{WINDOW_S} seconds, and audio_context=dynamic"
            )
        if not 0 <= self.warmup_ratio < 1:
            raise InputError(f"warmup_ratio={self.warmup_ratio}: expected 0 to below 1")

    @property
    def context(self) -> AudioContext:
        return AudioContext(mode=self.audio_context, margin_s=self.margin_s)


def recorded(config: TrainConfig) -> dict[str, Any]:
    """The settings as the run's folder keeps them: the plan by its rules, not by its path."""
    rules = None
    if config.plan is not None:
        rules = [asdict(rule) for rule in read_rules_file(config.plan)]
    return asdict(config) | {"plan": rules}
