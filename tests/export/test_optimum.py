"""The folder as it is in optimum's ORTModelForSpeechSeq2Seq, in an environment of its own.

optimum-onnx pins transformers below 4.58, so it cannot live in ours: `make optimum-env` makes
.venv-optimum.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import GenerationConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from tests.export import cases
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import load_clips
from whisper_qat.model.onnx_files import ENCODER_FILE
from whisper_qat.tasks import quantize_ptq
from whisper_qat.tasks.convert import convert

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-optimum" / "bin" / "python"
NEW_TOKENS = 24

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not PYTHON.exists(), reason="no optimum environment: run 'make optimum-env'"
    ),
]


def optimum(folder, mel):
    """Tokens that optimum generates, by number of beams."""
    path = folder.parent / "mel.npy"
    np.save(path, mel)
    command = [str(PYTHON), "tests/export/optimum_generate.py", str(folder), str(path)]
    quiet = {**os.environ, "TRANSFORMERS_VERBOSITY": "error", "PYTHONPATH": ""}
    done = subprocess.run(
        [*command, str(NEW_TOKENS)], cwd=ROOT, env=quiet, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return {int(n): tokens for n, tokens in json.loads(done.stdout.splitlines()[-1]).items()}


def converted(base, output, kind):
    """`base` as a folder of `kind`; through the tasks a user runs."""
    if kind == "none":
        task, config = convert, convert.ConvertConfig
    else:
        task, config = quantize_ptq, quantize_ptq.QuantizePtqConfig
    task.run(config(model_path=str(base), output_path=output, quantization_type=kind))
    return output


def greedy(folder, mel):
    """Our own plain greedy loop on the same files."""
    settings = GenerationConfig.from_pretrained(folder)
    prompt = [
        settings.decoder_start_token_id,
        settings.lang_to_id["<|fr|>"],
        settings.task_to_id["transcribe"],
        settings.no_timestamps_token_id,
    ]
    config = WhisperForConditionalGeneration.config_class.from_pretrained(folder)
    states = cases.session(folder / ENCODER_FILE).run(None, {"input_features": mel})[0]
    decoder = cases.OnnxDecoder(folder, cases.no_past(config, 1))
    banned = [
        *settings.suppress_tokens,
        *range(settings.no_timestamps_token_id + 1, config.vocab_size),
    ]
    tokens, fed = [], np.array([prompt], dtype=np.int64)
    for step in range(NEW_TOKENS):
        logits = decoder(fed, states)[0, -1]
        logits[banned + (settings.begin_suppress_tokens if step == 0 else [])] = -np.inf
        best = int(logits.argmax())
        if best == settings.eos_token_id:  # optimum's generate leaves it out, too
            break
        tokens.append(best)
        fed = np.array([[tokens[-1]]], dtype=np.int64)
    return tokens


def noise(batch):
    rng = np.random.default_rng(0)
    return rng.normal(size=(batch, 80, 3000)).astype(np.float32)


def test_float_batch_and_beams_equal_transformers(tiny_whisper, tmp_path):
    folder = converted(tiny_whisper, tmp_path / "onnx", "none")
    found = optimum(folder, noise(batch=2))
    model = WhisperForConditionalGeneration.from_pretrained(tiny_whisper)
    for beams, tokens in found.items():
        expected = model.generate(
            torch.from_numpy(noise(batch=2)), language="fr", task="transcribe",
            max_new_tokens=NEW_TOKENS, num_beams=beams,
        )  # fmt: skip
        assert tokens == expected.tolist()


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_quantized_equals_our_own_loop(tiny_whisper, tmp_path, kind):
    folder = converted(tiny_whisper, tmp_path / "onnx", kind)
    assert optimum(folder, noise(batch=1))[1] == [greedy(folder, noise(batch=1))]


@pytest.mark.parametrize("kind", ["none", "int8"])
def test_whisper_base_transcribes_a_prompt(whisper_base, telephone_fr, tmp_path, kind):
    folder = converted(whisper_base, tmp_path / "onnx", kind)
    clip = max(load_clips(str(telephone_fr), split="test"), key=lambda clip: len(clip.text))
    extractor = WhisperFeatureExtractor.from_pretrained(whisper_base)
    mel = extractor(read_audio(clip), sampling_rate=16_000, return_tensors="np")["input_features"]
    ours = greedy(folder, mel)
    assert len(ours) > 10
    assert optimum(folder, mel)[1] == [ours]
