"""The PTQ baseline: a float checkpoint rounded to nearest with ORT's rule, as an ONNX folder.

Same plan, same nodes and same exporter as a QAT model: only codes and scales differ.
"""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from whisper_qat.artifacts import hash_folder
from whisper_qat.config import InputError
from whisper_qat.export.folder import model_bytes
from whisper_qat.model.final import Final
from whisper_qat.model.prepare import default_rules
from whisper_qat.ptq.round_to_nearest import round_to_nearest
from whisper_qat.quant.scheme import BLOCK_SIZES
from whisper_qat.tasks.onnx_folder import (
    check_context,
    checkpoint_folder,
    is_up_to_date,
    load_checkpoint,
    with_context,
    write_onnx_folder,
)


@dataclass(frozen=True, kw_only=True)
class QuantizePtqConfig:
    """Quantize a float checkpoint without training (round to nearest, ONNX Runtime's scales).

    Args:
        model_path: a Whisper checkpoint, or the final/ folder of a float control
        output_path: folder to write: ONNX files, tokenizer and configs
        quantization_type: int8 or int4
        block_size: weights that share one scale
        audio_context: overrides the checkpoint's own: full (30 s) or dynamic (the clip's length)
        margin_s: with audio_context dynamic, seconds of silence kept after the clip
    """

    model_path: str
    output_path: Path
    quantization_type: Literal["int8", "int4"] = "int8"
    block_size: int = 32
    audio_context: Literal["full", "dynamic"] | None = None
    margin_s: float | None = None

    def __post_init__(self) -> None:
        check_context(self.audio_context, self.margin_s)
        if self.block_size not in BLOCK_SIZES:
            raise InputError(f"--block_size {self.block_size}: expected one of {BLOCK_SIZES}")


def run(config: QuantizePtqConfig) -> None:
    """Writes `output_path`; InputError for a checkpoint that is not float."""
    source = checkpoint_folder(config.model_path, config.output_path)
    inputs = {"model": hash_folder(source)}
    if is_up_to_date(config.output_path, inputs, settings(config)):
        print(f"{config.output_path}: up to date")
        return
    final = quantized(load_checkpoint(source, config.model_path), config)
    final = with_context(final, config.audio_context, config.margin_s)
    write_onnx_folder(final, source, config.output_path, inputs=inputs, config=settings(config))
    print(f"{config.output_path}: {model_bytes(config.output_path) / 1e6:.1f} MB of ONNX")


def settings(config: QuantizePtqConfig) -> dict[str, Any]:
    """What decides the folder's content, beside the checkpoint itself."""
    values = asdict(config)
    return {name: values[name] for name in values if name not in ("model_path", "output_path")}


def quantized(final: Final, config: QuantizePtqConfig) -> Final:
    """`final` with its model quantized in place and the record of it."""
    if final.plan is not None:
        raise InputError(
            f"--model_path {config.model_path}: is quantized already "
            f"({final.info.method} {final.info.quantization_type}); give a float checkpoint"
        )
    rules = default_rules(config.quantization_type, config.block_size)
    plan = round_to_nearest(final.model, rules)
    info = replace(final.info, quantization_type=config.quantization_type, method="ptq")
    return Final(final.model, plan, info)
