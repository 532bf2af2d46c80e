"""Convert a trained final/ folder, or a plain float checkpoint, to a folder that a runtime loads.

The trained codes and scales are written unchanged; nothing is rounded again unless a format
cannot hold them and --requantize is given. An ONNX folder is compared with the torch model before
it counts as finished (`parity.json`). Converting the same checkpoint with the same settings twice
does nothing.
"""

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import KIND as ONNX
from whisper_qat.export.onnx.folder import (
    check_context,
    checkpoint_folder,
    is_up_to_date,
    load_checkpoint,
    model_bytes,
    with_context,
    write_onnx_folder,
)
from whisper_qat.export.onnx.transformers_js import arrange
from whisper_qat.export.runtime_folder import WINDOW, WRITERS, write_runtime_folder
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import INFO_NAME, read_info
from whisper_qat.runs.folders import hash_folder
from whisper_qat.tasks.convert.parity_check import parity_check

logger = logging.getLogger(__name__)
# The writer that turns the checked ONNX folder into each format.
ARRANGE = {"onnx": None, "transformers-js": arrange}


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """Convert a QAT checkpoint, to ONNX or another runtime, with the codes it was trained with.

    Args:
        model_path: the final/ folder of a training run; for `none` also any Whisper checkpoint
        output_path: folder to write: model files, and the tokenizer and configs they need
        quantization_type: what the checkpoint was trained with; none writes float32
        format: onnx; transformers-js, the same graphs under the names it expects; ctranslate2, for
            faster-whisper, int8 per row; ggml, for whisper.cpp, blocks of 32 (q8_0 or q4_0)
        requantize: quantize layers that ctranslate2 or ggml cannot hold a second time, instead of
            refusing them
        audio_context: length of the encoder input, full (30 s) or dynamic (the clip's length);
            overrides the checkpoint's own
        margin_s: seconds of silence after the clip with a dynamic audio context
        parity_data: speech for the parity check (default: the validation data of the training)
        parity_positions: logit positions to compare; agreement is judged from 500 on
        parity_transcripts: clips to transcribe on both sides; judged from 100 on; 0 for none
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "model": ("model_path", "quantization_type", "audio_context", "margin_s"),
        "parity check": ("parity_data", "parity_positions", "parity_transcripts"),
        "output": ("output_path", "format", "requantize"),
    }  # fmt: skip

    model_path: str
    output_path: Path
    quantization_type: Literal["int8", "int4", "int3", "int2", "none"] = "int8"
    format: Literal["onnx", "transformers-js", "ctranslate2", "ggml"] = "onnx"
    requantize: bool = False
    audio_context: Literal["full", "dynamic"] | None = None
    margin_s: float | None = None
    parity_data: str | None = None
    parity_positions: int = 2000
    parity_transcripts: int = 20

    def __post_init__(self) -> None:
        check_context(self.audio_context, self.margin_s)
        if self.parity_transcripts < 0:
            raise InputError(f"--parity_transcripts {self.parity_transcripts}: expected 0 or more")
        if self.parity_positions < 1:
            raise InputError(f"--parity_positions {self.parity_positions}: expected 1 or more")
        if self.requantize and self.format not in WRITERS:
            raise InputError(
                f"--requantize: --format {self.format} keeps every grid; only "
                f"{' and '.join(WRITERS)} need it"
            )
        if self.format in WRITERS and self.parity_data is not None:
            raise InputError(f"--parity_data: --format {self.format} has no parity check")
        if self.format in WRITERS and self.audio_context is not None:
            raise InputError(
                f"--audio_context: not stored by --format {self.format}; {WINDOW[self.format]}"
            )


def run(config: ConvertConfig) -> None:
    """Write `output_path`; InputError for a checkpoint that does not match the configuration."""
    source = checkpoint_folder(config.model_path, config.output_path)
    check_trained_as(source, config.quantization_type)
    inputs = {"model": hash_folder(source)}
    kind = config.format if config.format in WRITERS else ONNX
    if is_up_to_date(config.output_path, inputs, settings(config), kind):
        logger.info(f"{config.output_path}: up to date")
        return
    final = load_checkpoint(source, config.model_path)
    if config.format in WRITERS:
        write_runtime_folder(
            final, source, config.output_path, format=config.format,
            requantize=config.requantize, inputs=inputs, config=settings(config),
        )  # fmt: skip
    else:
        write_onnx(config, final, source, inputs)


def write_onnx(config: ConvertConfig, final: Final, source: Path, inputs: dict[str, str]) -> None:
    """Write the ONNX folder in the requested layout and check it against the torch model."""
    final = with_context(final, config.audio_context, config.margin_s)
    check = parity_check(
        final, source, config.output_path,
        data=config.parity_data, positions=config.parity_positions,
        transcripts=config.parity_transcripts,
    )  # fmt: skip
    write_onnx_folder(
        final, source, config.output_path, inputs=inputs, config=settings(config), check=check,
        arrange=ARRANGE[config.format],
    )  # fmt: skip
    logger.info(f"{config.output_path}: {model_bytes(config.output_path) / 1e6:.1f} MB of ONNX")


def settings(config: ConvertConfig) -> dict[str, Any]:
    """Settings that determine the folder's content, besides the checkpoint itself."""
    values = asdict(config)
    left_out = {"model_path", "output_path"}
    if config.format in WRITERS:
        left_out |= {"parity_data", "parity_positions", "audio_context", "margin_s"}
    else:
        left_out |= {"requantize"}
    return {name: values[name] for name in values if name not in left_out}


def check_trained_as(folder: Path, quantization_type: str) -> None:
    """InputError unless the checkpoint in `folder` was trained with `quantization_type`."""
    is_ours = (folder / INFO_NAME).is_file()
    trained = read_info(folder).quantization_type if is_ours else "none"
    if trained == quantization_type:
        return
    if trained == "none":
        raise InputError(
            f"--model_path {folder}: never trained with QAT; pass --quantization_type none for "
            "float ONNX, or quantize it without training by scripts/quantize_ptq.py"
        )
    raise InputError(
        f"--model_path {folder}: was trained with {trained}; pass --quantization_type {trained}"
    )
