"""PTQ baselines: quantize a float checkpoint without training and write an ONNX folder.

Plan, graph nodes and exporter are those of a QAT model: only codes and scales differ. The one
exception is `optimum-dynamic`, which quantizes the same float graphs as other tools do.
"""

import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.fingerprint import hash_clips
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import (
    check_context,
    checkpoint_folder,
    is_up_to_date,
    load_checkpoint,
    model_bytes,
    with_context,
    write_graphs,
    write_onnx_folder,
)
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.prepare import plan as make_plan
from whisper_qat.model.plan.plan import ROW_SCHEMES, Rule, default_rules
from whisper_qat.model.plan.rules_file import check_type, decide_type, read_rules_file
from whisper_qat.ptq.calibration_clips import calibration_clips, calibration_samples
from whisper_qat.ptq.gptq import gptq, weighted_least_squares
from whisper_qat.ptq.least_squares import least_squares
from whisper_qat.ptq.optimum_dynamic import NAME as OPTIMUM_DYNAMIC
from whisper_qat.ptq.optimum_dynamic import write_dynamic_graphs
from whisper_qat.ptq.round_to_nearest import round_to_nearest
from whisper_qat.quant.block_scheme import BLOCK_SIZES
from whisper_qat.runs.folders import hash_file, hash_folder
from whisper_qat.shipped import find_plan

logger = logging.getLogger(__name__)
FREE = {"round-to-nearest": round_to_nearest, "least-squares": least_squares}
CALIBRATED = {"weighted-least-squares": weighted_least_squares, "gptq": gptq}


@dataclass(frozen=True, kw_only=True)
class QuantizePtqConfig:
    """Quantize a float checkpoint without training: the baselines that QAT is compared with.

    Args:
        model_path: a Whisper checkpoint, or the final/ folder of a float control
        output_path: folder to write: ONNX files, tokenizer and configs
        quantization_type: number of bits; a plan whose layers have one width decides it
        method: round-to-nearest (ONNX Runtime's scales), least-squares (nearest grid),
            weighted-least-squares or gptq (both need calibration_data), or optimum-dynamic (int8
            only)
        block_size: weights that share one scale
        plan: YAML of rules (pattern, scheme, why), or the name of a plan that comes with the
            package, in place of quantization_type's own
        calibration_data: speech for the methods that calibrate; its train split is used
        calibration_samples: number of calibration clips, drawn with the seed
        language: code of the language spoken in calibration_data
        seed: seed of the draw
        audio_context: length of the encoder input, full (30 s) or dynamic (the clip's length);
            overrides the checkpoint's own
        margin_s: seconds of silence after the clip with a dynamic audio context
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "model": ("model_path", "audio_context", "margin_s"),
        "quantization": ("quantization_type", "method", "block_size", "plan"),
        "calibration": ("calibration_data", "calibration_samples", "language", "seed"),
        "output": ("output_path",),
    }  # fmt: skip

    model_path: str
    output_path: Path
    quantization_type: Literal["int8", "int4", "int3", "int2", ""] = field(
        default="", metadata={"default": "int8"}
    )
    method: Literal[
        "round-to-nearest", "least-squares", "weighted-least-squares", "gptq", "optimum-dynamic"
    ] = "round-to-nearest"
    block_size: int = 32
    plan: Path | None = None
    calibration_data: str | None = None
    calibration_samples: int = 64
    language: str = "fr"
    seed: int = 0
    audio_context: Literal["full", "dynamic"] | None = None
    margin_s: float | None = None

    def __post_init__(self) -> None:
        check_context(self.audio_context, self.margin_s)
        if self.method == OPTIMUM_DYNAMIC and self.plan is not None:
            raise InputError(f"--plan: --method {OPTIMUM_DYNAMIC} follows none; leave it out")
        kind = decide_type(self.plan, self.quantization_type)
        if kind == "none":
            raise InputError(f"--plan {self.plan}: leaves every layer float; nothing to quantize")
        object.__setattr__(self, "quantization_type", kind)  # once, while it is made
        if self.block_size not in BLOCK_SIZES:
            raise InputError(f"--block_size {self.block_size}: expected one of {BLOCK_SIZES}")
        try:
            default_rules(self.quantization_type, self.block_size)
        except ValueError as error:  # a block size that this width does not have
            raise InputError(f"--quantization_type {self.quantization_type}: {error}") from None
        if self.calibration_samples < 1:
            raise InputError(
                f"--calibration_samples {self.calibration_samples}: expected 1 or more"
            )
        if self.method in CALIBRATED and self.calibration_data is None:
            raise InputError(f"--method {self.method}: needs speech; pass --calibration_data")
        if self.method not in CALIBRATED and self.calibration_data is not None:
            raise InputError(
                f"--calibration_data: --method {self.method} uses no calibration speech; only "
                f"{' and '.join(CALIBRATED)} do"
            )
        if self.method == OPTIMUM_DYNAMIC and self.quantization_type != "int8":
            raise InputError(
                f"--method {OPTIMUM_DYNAMIC}: writes int8, not {self.quantization_type}; pass "
                "--quantization_type int8"
            )


def run(config: QuantizePtqConfig) -> None:
    """Write `output_path`; InputError for a checkpoint that is not float."""
    source = checkpoint_folder(config.model_path, config.output_path)
    clips = _clips(config)
    inputs = _inputs(config, source, clips)
    if is_up_to_date(config.output_path, inputs, settings(config)):
        logger.info(f"{config.output_path}: up to date")
        return
    final = load_checkpoint(source, config.model_path)
    final = with_context(final, config.audio_context, config.margin_s)
    final = quantize_model(final, config, source, clips)
    graphs = write_dynamic_graphs if config.method == OPTIMUM_DYNAMIC else write_graphs
    write_onnx_folder(
        final, source, config.output_path, inputs=inputs, config=settings(config), graphs=graphs
    )
    logger.info(f"{config.output_path}: {model_bytes(config.output_path) / 1e6:.1f} MB of ONNX")


def settings(config: QuantizePtqConfig) -> dict[str, Any]:
    """Settings that determine the folder's content, besides the checkpoint itself.

    No plan stands for blocks everywhere, the default of every type before rows were that of int8.
    """
    values = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(config).items()}
    if config.plan is None and config.quantization_type in ROW_SCHEMES:
        values["plan"] = f"default: {ROW_SCHEMES[config.quantization_type][0]}"
    return {name: values[name] for name in values if name not in ("model_path", "output_path")}


def _clips(config: QuantizePtqConfig) -> list[Clip]:
    if config.calibration_data is None:
        return []
    return calibration_clips(config.calibration_data, config.calibration_samples, config.seed)


def _inputs(config: QuantizePtqConfig, source: Path, clips: list[Clip]) -> dict[str, str]:
    inputs = {"model": hash_folder(source)}
    if clips:
        inputs["calibration clips"] = hash_clips(clips)
    if config.plan is not None:
        inputs["plan"] = hash_file(find_plan(config.plan))
    return inputs


def quantize_model(
    final: Final, config: QuantizePtqConfig, source: Path, clips: list[Clip]
) -> Final:
    """Quantize the model in place (not for optimum-dynamic); returns `final` with its record."""
    if final.plan is not None:
        raise InputError(
            f"--model_path {config.model_path}: is quantized already "
            f"({final.info.method} {final.info.quantization_type}); give a float checkpoint"
        )
    info = replace(
        final.info,
        quantization_type=config.quantization_type,
        method="ptq",
        ptq_method=config.method,
    )
    if config.method == OPTIMUM_DYNAMIC:
        return Final(final.model, None, info)
    rules = _rules(final, config)
    if config.method in FREE:
        return Final(final.model, FREE[config.method](final.model, rules), info)
    samples = calibration_samples(clips, final, source, config.language)
    logger.info(f"calibrating on {len(samples)} clips of {config.calibration_data}")
    made = CALIBRATED[config.method](final.model, rules, samples, logger.info)
    return Final(final.model, made, info)


def _rules(final: Final, config: QuantizePtqConfig) -> list[Rule]:
    if config.plan is None:
        return default_rules(config.quantization_type, config.block_size)
    rules = read_rules_file(config.plan)
    check_type(make_plan(final.model, rules), final.model, config.quantization_type)
    return rules
