"""OpenVINO with our float graphs, int8 weights compressed by its own tool, and our search.

`compress_weights` of NNCF gives every matrix unsigned codes with one scale and zero point per row;
the CPU plugin quantizes activations by its own rule. The graphs are those of our engine (encoder,
cross-attention once per clip, step), because the branches of the merged decoder cannot be
compressed. The caches are outputs of each step and inputs of the next one, including their unused
positions (up to 63), where onnxruntime writes in place. OpenVINO GenAI keeps the caches inside a
model of another conversion, which is not measured here.
"""

import shutil
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.export.onnx.folder import load_checkpoint, with_context, write_onnx_folder
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.onnx.self_cache import SelfCache
from whisper_qat.infer.onnx.step_decoder import ALL, LAST
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.measure.systems.ours import Ours
from whisper_qat.measure.systems.runtime import Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup, require_module
from whisper_qat.runs.folders import MANIFEST_NAME, hash_folder, new_folder, write_manifest

POLICY = (
    "our float graphs with int8 weights by NNCF; OpenVINO's defaults, with bfloat16 products where "
    "the CPU has them and its own quantization of activations; our features and search; padded to "
    "30 s"
)
PARTS = ("encoder_model", "cross", "step")


@dataclass
class OpenVinoState:
    """Cross-attention keys and values of a clip by input name, and the self-attention cache."""

    feeds: dict[str, Any]
    cache: SelfCache


class OpenVinoBackend:
    """Three compiled models; see `infer.decoding.backend.Backend`."""

    def __init__(self, encoder: Any, cross: Any, step: Any) -> None:
        self.encoder = encoder
        self.cross = cross
        self.step = step
        self._caches = {
            port.any_name: tuple(port.partial_shape[axis].get_length() for axis in (1, 3))
            for port in step.inputs
            if "past_key" in port.any_name and ".decoder." in port.any_name
        }

    def encode(self, mel: NDArray[np.float32]) -> OpenVinoState:
        """The state of a new utterance, from `mel` [1, n_mels, frames]."""
        states = np.array(self.encoder({"input_features": mel})["last_hidden_state"])
        feeds = by_input_name(self.cross({"encoder_hidden_states": states}), self.cross)
        feeds["cross_lengths"] = np.array([states.shape[1]], np.int32)
        return OpenVinoState(feeds, SelfCache(self._caches))

    def logits(self, tokens: NDArray[np.int64], state: OpenVinoState) -> NDArray[np.float32]:
        """float32 [1, n, vocab] after the new `tokens` [1, n]."""
        return self._run(tokens, state, ALL)

    def next_logits(self, tokens: NDArray[np.int64], state: OpenVinoState) -> NDArray[np.float32]:
        """float32 [1, vocab] after the last of `tokens`."""
        return self._run(tokens, state, LAST)[:, -1]

    def _run(
        self, tokens: NDArray[np.int64], state: OpenVinoState, logits_from: int
    ) -> NDArray[np.float32]:
        cache = state.cache
        cache.make_room(*tokens.shape)
        new = {
            "input_ids": tokens,
            "logits_from": np.array([logits_from]),
            "past_length": np.array([cache.length]),
        }
        found = by_input_name(self.step(new | state.feeds | cache.arrays), self.step)
        logits = found.pop("logits")
        cache.arrays = found
        cache.length += tokens.shape[1]
        return logits


def by_input_name(found: Any, model: Any) -> dict[str, NDArray]:
    """Copies of the outputs, which the next call overwrites, by the input name of the next step."""
    return {
        port.any_name.replace("present", "past_key_values", 1): np.array(found[port])
        for port in model.outputs
    }


class OpenVinoSystem(Ours):
    """Our search over OpenVINO; see `measure.systems.system.System`."""

    def facts(self) -> dict[str, str]:
        return {"openvino": version("openvino")}


def open_openvino(setup: Setup) -> OpenVinoSystem:
    """Open a folder written by `compress`, compiled for the CPU."""
    core = require_module("openvino").Core()
    options = {"INFERENCE_NUM_THREADS": setup.threads, "PERFORMANCE_HINT": "LATENCY"}
    models = [core.compile_model(str(setup.folder / f"{p}.xml"), "CPU", options) for p in PARTS]
    rules = read_rules(setup.folder, language=setup.language, max_new_tokens=setup.max_new_tokens)
    return OpenVinoSystem(Transcriber.around(OpenVinoBackend(*models), setup.folder, rules))


def compress(source: Path, folder: Path) -> None:
    """Convert the float ONNX graphs of `source` to OpenVINO files with int8 weights in `folder`."""
    openvino, nncf = require_module("openvino"), require_module("nncf")
    for part in PARTS:
        model = openvino.Core().read_model(str(source / f"{part}.onnx"))
        small = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
        openvino.save_model(small, str(folder / f"{part}.xml"), compress_to_fp16=False)


def make_openvino(source: Path, folder: Path, settings: dict[str, Any], plan: Path | None) -> None:
    """Our float graphs with weights compressed by OpenVINO's tool; only its files are kept."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        floating = Path(scratch) / "float"
        final = with_context(load_checkpoint(source, str(source)), "full", None)
        inputs = {"model": hash_folder(source)}
        write_onnx_folder(final, source, floating, inputs=inputs, config=settings)
        with new_folder(folder) as partial:
            compress(floating, partial)
            for path in floating.glob("*.json"):
                if path.name != MANIFEST_NAME:
                    shutil.copy(path, partial)
            write_manifest(partial, kind="openvino", inputs=inputs, config=settings)


OPENVINO = Runtime(
    name="openvino", open=open_openvino, policy=POLICY, modules=("openvino", "nncf"),
    variants=(
        Variant(
            name="openvino-int8",
            form=Form(
                name="openvino-int8", kind="openvino", make=make_openvino,
                converters=("openvino", "nncf"),
            ),
        ),
    ),
)  # fmt: skip
