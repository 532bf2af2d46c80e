"""The encoder's graph against transformers."""

import numpy as np
import pytest
import torch

from tests.export import cases
from whisper_qat.model.onnx_files import ENCODER_FILE

FLOAT_NOISE = 1e-5  # two float32 summation orders


def run(folder, mel):
    return cases.session(folder / ENCODER_FILE).run(["last_hidden_state"], {"input_features": mel})[
        0
    ]


def mel(batch=2, frames=100):
    return np.random.default_rng(0).normal(size=(batch, 8, frames)).astype(np.float32)


def torch_encoder(model, features):
    with torch.no_grad():
        return model.model.encoder(torch.from_numpy(features)).last_hidden_state.numpy()


def test_float_encoder_equals_transformers(tmp_path):
    model = cases.tiny_whisper()
    features = mel()
    actual = run(cases.write(model, tmp_path), features)
    assert cases.difference(actual, torch_encoder(model, features)) < FLOAT_NOISE


@pytest.mark.parametrize("frames", [2, 36, 98])
def test_shorter_audio_uses_the_first_positions(tmp_path, frames):
    model = cases.tiny_whisper()
    actual = run(cases.write(model, tmp_path), mel(frames=frames))
    short = cases.tiny_whisper()
    table = short.model.encoder.embed_positions
    short.config.max_source_positions = frames // 2
    table.weight = torch.nn.Parameter(table.weight[: frames // 2], requires_grad=False)
    table.num_embeddings = frames // 2
    assert actual.shape == (2, frames // 2, 64)
    assert cases.difference(actual, torch_encoder(short, mel(frames=frames))) < FLOAT_NOISE


def test_too_many_frames_are_refused_by_the_runtime(tmp_path):
    folder = cases.write(cases.tiny_whisper(), tmp_path)
    with pytest.raises(Exception, match="embed_positions"):
        run(folder, mel(frames=104))
