"""The layout of transformers.js, by its files; and in transformers.js itself, where it is there.

`make node-env` puts it into .node: it is no Python package. Its onnxruntime-node has to give the
tokens that our engine gives on the same features.
"""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import read_tensor
from whisper_qat.export.onnx.transformers_js import arrange, dtype_of
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.runs.folders import read_json
from whisper_qat.tasks import quantize_ptq
from whisper_qat.tasks.convert import convert

ROOT = Path(__file__).parents[3]
ENVIRONMENT = ROOT / ".node"
PLANS = ROOT / "configs" / "plans"
NEW_TOKENS = 24
SUFFIXES = {
    "none": "",
    "int8": "_quantized",
    "int8-dynamic": "_quantized",
    "int4": "_q4",
    "int2": "_q2",
}

needs_node = pytest.mark.skipif(
    not (shutil.which("node") and (ENVIRONMENT / ".ready").exists()),
    reason="no transformers.js: install Node 20 or newer and run 'make node-env'",
)


def converted(base: Path, output: Path, kind: str) -> Path:
    """`base` as an ordinary ONNX folder with full context; int8-dynamic by the ready plan."""
    settings = {"model_path": str(base), "output_path": output, "audio_context": "full"}
    if kind == "none":
        convert.run(convert.ConvertConfig(**settings, quantization_type=kind))
        return output
    plan = PLANS / "int8_dynamic.yaml" if kind == "int8-dynamic" else None
    width = kind.split("-")[0]
    quantize_ptq.run(quantize_ptq.QuantizePtqConfig(**settings, quantization_type=width, plan=plan))
    return output


def arranged(folder: Path, kind: str) -> Path:
    """A copy of the ONNX folder in the other layout."""
    other = folder.with_name(f"{folder.name}-js")
    shutil.copytree(folder, other)
    arrange(other, kind)
    return other


def initializers(path: Path) -> dict[str, np.ndarray]:
    graph = onnx.load(str(path), load_external_data=False).graph
    return {t.name: read_tensor(t, path.parent) for t in graph.initializer}


# --- the files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SUFFIXES)
def test_file_names_and_config(tiny_whisper, tmp_path, kind):
    folder = arranged(converted(tiny_whisper, tmp_path / "m", kind), kind)
    names = [f"{stem}{SUFFIXES[kind]}.onnx" for stem in ("encoder_model", "decoder_model_merged")]
    found = {path.name for path in (folder / "onnx").iterdir()}
    assert found == {*names, *(f"{name}_data" for name in names)}
    assert not list(folder.glob("*.onnx*"))
    settings = read_json(folder / "config.json")["transformers.js_config"]
    assert settings["dtype"] == dtype_of(kind)[0]
    assert settings["use_external_data_format"] == dict.fromkeys(names, 1)


def test_nodes_and_tensors_are_unchanged(tiny_whisper, tmp_path):
    plain = converted(tiny_whisper, tmp_path / "m", "int4")
    other = arranged(plain, "int4")
    pairs = {ENCODER_FILE: "encoder_model_q4.onnx", DECODER_FILE: "decoder_model_merged_q4.onnx"}
    for before, after in pairs.items():
        old, new = initializers(plain / before), initializers(other / "onnx" / after)
        assert old.keys() == new.keys()
        assert all((old[n] == new[n]).all() and old[n].dtype == new[n].dtype for n in old)
        graphs = [onnx.load(str(p), load_external_data=False).graph
                  for p in (plain / before, other / "onnx" / after)]  # fmt: skip
        assert [n.SerializeToString() for n in graphs[0].node] == [
            n.SerializeToString() for n in graphs[1].node
        ]


@pytest.mark.parametrize(
    ("kind", "dtype", "suffix"),
    [("int8-dynamic", "q8", "_quantized"), ("int2", "q2", "_q2"), ("none", "fp32", "")],
)
def test_dtype(kind, dtype, suffix):
    assert dtype_of(kind) == (dtype, suffix)


def test_a_type_without_dtype_is_refused_before_anything_moves(tmp_path):
    (tmp_path / ENCODER_FILE).touch()
    with pytest.raises(InputError, match="'int3': transformers.js has no dtype for it"):
        arrange(tmp_path, "int3")
    assert [path.name for path in tmp_path.iterdir()] == [ENCODER_FILE]


# --- in transformers.js ------------------------------------------------------------------------


def generate(folder: Path, clips: list[dict], place: Path) -> list[dict]:
    """What transformers.js gives for each clip, see transformers_js_generate.mjs."""
    path = place / "clips.json"
    path.write_text(json.dumps({"max_new_tokens": NEW_TOKENS, "clips": clips}))
    script = Path(__file__).with_name("transformers_js_generate.mjs")
    done = subprocess.run(
        ["node", str(script), str(ENVIRONMENT), str(folder), str(path)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])["clips"]


def saved(array: np.ndarray, path: Path) -> str:
    array.astype(np.float32).tofile(path)
    return str(path)


class Ours:
    """Our engine on the plain folder: the tokens that transformers.js has to give."""

    def __init__(self, folder: Path) -> None:
        self.backend = OnnxBackend.from_folder(folder, threads=1)
        self.rules = read_rules(folder, language="fr", max_new_tokens=NEW_TOKENS)

    def sequence(self, mel: np.ndarray) -> list[int]:
        """Prompt, tokens and end, as `generate` of transformers.js returns them."""
        decoded = greedy(self.backend, mel, self.rules)
        end = sorted(self.rules.end_ids) if decoded.ended else []
        return [*self.rules.prompt, *decoded.tokens, *end]


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("kind", SUFFIXES)
def test_tiny_model_gives_our_tokens(tiny_whisper, tmp_path, kind):
    plain = converted(tiny_whisper, tmp_path / "m", kind)
    rng = np.random.default_rng(0)
    mels = [rng.normal(size=(80, 3000)).astype(np.float32) for _ in range(2)]
    clips = [
        {"mel": saved(mel, tmp_path / f"{i}.mel"), "shape": [1, *mel.shape], "audio": None}
        for i, mel in enumerate(mels)
    ]
    found = generate(arranged(plain, kind), clips, tmp_path)
    ours = Ours(plain)
    assert [row["tokens"] for row in found] == [ours.sequence(mel) for mel in mels]


@needs_node
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_whisper_base_transcribes_prompts(whisper_base, telephone_fr, tmp_path, kind):
    """Same tokens on our features; same text on its own, which differ by float rounding."""
    plain = converted(whisper_base, tmp_path / "m", kind)
    features, text = Features.from_pretrained(plain), TextDecoder.from_folder(plain)
    clips, mels = [], []
    for i, clip in enumerate(load_clips(str(telephone_fr), split="test")[:2]):
        audio = read_audio(clip)
        mels.append(features.log_mel(audio, AudioContext()))
        clips.append({
            "mel": saved(mels[-1], tmp_path / f"{i}.mel"), "shape": [1, *mels[-1].shape],
            "audio": saved(audio, tmp_path / f"{i}.audio"),
        })  # fmt: skip
    found = generate(arranged(plain, kind), clips, tmp_path)
    ours = Ours(plain)
    for row, mel in zip(found, mels, strict=True):
        expected = ours.sequence(mel)
        assert row["tokens"] == expected
        assert len(expected) > 5
        assert row["mel_difference"] < 1e-4
        assert row["own_text"].strip() == text.text(expected).strip()
