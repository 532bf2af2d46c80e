"""Write a trained model in the folder format of another runtime: CTranslate2 or whisper.cpp.

A folder is written completely or not at all, like the ONNX folder. These runtimes quantize
activations in their own way, so there is no parity gate here: the weights are kept, and transcripts
are compared by evaluation.
"""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from whisper_qat.export.ctranslate2 import write_ctranslate2
from whisper_qat.export.ggml.writer import write_ggml
from whisper_qat.export.onnx.folder import manifest_facts
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import INFO_NAME
from whisper_qat.runs.folders import new_folder, write_json, write_manifest

logger = logging.getLogger(__name__)
# Checkpoint, its folder, output folder, --requantize -> requantized layers and their old schemes.
Writer = Callable[[Final, Path, Path, bool], dict[str, str]]
WRITERS: dict[str, Writer] = {"ctranslate2": write_ctranslate2, "ggml": write_ggml}
WINDOW = {  # how the runtime handles a clip's length
    "ctranslate2": "faster-whisper pads every clip to 30 s",
    "ggml": "whisper.cpp pads every clip to 30 s unless its audio_ctx says otherwise",
}
# faster-whisper's default would compute the int8 weights in float32: the type is derived
# from all the weights of the file, and the convolutions stay float.
LOADING = {"ctranslate2": "pass compute_type='int8' when loading; the default computes in float32"}


def write_runtime_folder(
    final: Final, source: Path, output: Path, *, format: str, requantize: bool,
    inputs: dict[str, str], config: dict[str, Any],
) -> None:  # fmt: skip
    """Write `final` in one of WRITERS' formats; tokenizer and features come from `source`.

    Prints the layers that were requantized. InputError for a plan that the format cannot hold.
    """
    with new_folder(output) as folder:
        rounded = WRITERS[format](final, source, folder, requantize)
        size = sum(path.stat().st_size for path in folder.glob("*.bin"))
        if final.plan is not None:
            final.plan.write(folder)
        write_json(folder / INFO_NAME, asdict(final.info))
        facts = {"model_bytes": size, "rounded_anew": rounded}
        extra = manifest_facts(final, folder) | facts
        write_manifest(folder, kind=format, inputs=inputs, config=config, extra=extra)
    _report(final, format, rounded)
    logger.info(f"{output}: {size / 1e6:.1f} MB for {format}, {len(rounded)} layers rounded anew")


def _report(final: Final, format: str, rounded: dict[str, str]) -> None:
    for name, scheme in rounded.items():
        logger.info(f"rounded anew: {name} (was {scheme})")
    if final.info.audio_context["mode"] == "dynamic":
        logger.info(f"trained on the clip's own length; {WINDOW[format]}")
    if final.plan is not None and format in LOADING:
        logger.info(LOADING[format])
