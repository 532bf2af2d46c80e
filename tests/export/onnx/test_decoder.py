"""The merged decoder's graph against transformers, first step and steps on the cache."""

from inspect import signature

import numpy as np
import pytest
import torch
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from tests.export import cases
from whisper_qat.export.onnx.float_activations import float_activations
from whisper_qat.model.onnx_files import DECODER_FILE

FLOAT_NOISE = 1e-5  # two float32 summation orders
TOKENS = np.array([[3, 11, 42, 96, 7, 8], [3, 9, 0, 5, 77, 1]], dtype=np.int64)


def states(batch=2, length=20, width=64):
    return np.random.default_rng(1).normal(size=(batch, length, width)).astype(np.float32)


def cache_argument(decoder):
    """`past_key_values` is deprecated from transformers 5.24 on, for `cache`."""
    return "cache" if "cache" in signature(decoder.forward).parameters else "past_key_values"


def torch_logits(model, tokens, encoder_states, splits):
    """Logits of each piece of `tokens`, on one growing cache."""
    cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
    pieces = []
    with torch.no_grad():
        for piece in np.split(tokens, splits, axis=1):
            out = model.model.decoder(
                input_ids=torch.from_numpy(piece),
                encoder_hidden_states=torch.from_numpy(encoder_states),
                use_cache=True,
                **{cache_argument(model.model.decoder): cache},
            )
            pieces.append(model.proj_out(out.last_hidden_state).numpy())
    return pieces


def check_steps(model, folder, tokens, encoder_states, past, splits=(3, 4, 5)):
    decoder = cases.OnnxDecoder(folder, past)
    expected = torch_logits(model, tokens, encoder_states, splits)
    for piece, logits in zip(np.split(tokens, splits, axis=1), expected, strict=True):
        actual = decoder(piece, encoder_states)
        assert actual.shape == logits.shape
        assert cases.difference(actual, logits) < FLOAT_NOISE


@pytest.mark.parametrize("dummy", [0, 1, 5])
def test_float_decoder_equals_transformers(tmp_path, dummy):
    model = cases.tiny_whisper()
    folder = cases.write(model, tmp_path)
    past = cases.no_past(model.config, batch=2, length=dummy)
    check_steps(model, folder, TOKENS, states(), past)


def test_several_tokens_on_a_cache(tmp_path):
    model = cases.tiny_whisper()
    folder = cases.write(model, tmp_path)
    check_steps(model, folder, TOKENS, states(), cases.no_past(model.config, 2), splits=(1, 4))


def test_names_are_those_of_optimum(tmp_path):
    session = cases.session(cases.write(cases.tiny_whisper(), tmp_path) / DECODER_FILE)
    parts = [f"{kind}.{part}" for kind in ("decoder", "encoder") for part in ("key", "value")]
    inputs = [i.name for i in session.get_inputs()]
    past = [f"past_key_values.{i}.{part}" for i in range(2) for part in parts]
    assert inputs == ["input_ids", "encoder_hidden_states", *past, "use_cache_branch"]
    present = [f"present.{i}.{part}" for i in range(2) for part in parts]
    assert [o.name for o in session.get_outputs()] == ["logits", *present]


def test_present_passes_the_encoder_cache_through(tmp_path):
    model = cases.tiny_whisper()
    decoder = cases.OnnxDecoder(cases.write(model, tmp_path), cases.no_past(model.config, 2))
    decoder(TOKENS[:, :3], states())
    before = decoder.past
    decoder(TOKENS[:, 3:4], states())
    for name in before:
        if ".encoder." in name:
            assert (before[name] == decoder.past[name]).all()


def test_a_position_beyond_the_table_is_an_error(tmp_path):
    model = cases.tiny_whisper()
    decoder = cases.OnnxDecoder(cases.write(model, tmp_path), cases.no_past(model.config, 2))
    with pytest.raises(Exception, match="out of data bounds"):
        decoder(np.tile(TOKENS, 3)[:, :13], states())


@pytest.mark.parametrize("scheme", [cases.INT8, cases.INT4], ids=lambda s: s.name)
@pytest.mark.parametrize("d_model", [64, 72], ids=["even", "K not a multiple of the block"])
def test_quantized_graph_is_wired_like_the_dequantized_model(tmp_path, scheme, d_model):
    model = cases.tiny_whisper(d_model)
    folder = cases.write(model, tmp_path, scheme)
    cases.dequantized(model, scheme)
    path = folder / DECODER_FILE
    path.write_bytes(float_activations(path))
    past = cases.no_past(model.config, 2)
    check_steps(model, folder, TOKENS, states(width=d_model), past)
