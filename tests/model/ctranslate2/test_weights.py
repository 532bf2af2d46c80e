"""Names and numbers: CTranslate2's Whisper variables against a transformers state dict."""

import numpy as np
import pytest
import torch

from tests.model.ct2_bytes import write_model
from tests.model.ct2_whisper import distilled_model, variables_of
from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2.model_file import Ct2File, read_file
from whisper_qat.model.ctranslate2.weights import convert

TIED = {"decoder/projection/weight": "decoder/embeddings/weight"}


@pytest.fixture(scope="module")
def model():
    return distilled_model(vocab_size=50260)


@pytest.fixture
def variables(model):
    return variables_of(model)


def converted(variables, path, aliases=TIED, **changes):
    write_model(path / "model.bin", variables, aliases, **changes)
    return convert(read_file(path / "model.bin"))


def expected_weights(model):
    return {n: p for n, p in model.state_dict().items() if n != "proj_out.weight"}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_every_weight_is_the_files(model, tmp_path, dtype):
    dimensions, weights = converted(variables_of(model, dtype), tmp_path)
    expected = expected_weights(model)
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        assert weight.dtype == getattr(torch, dtype)
        assert torch.equal(weight.float(), expected[name]), name
    for name in vars(dimensions):
        assert getattr(dimensions, name) == getattr(model.config, name), name


def test_a_head_stored_as_a_copy_is_accepted(variables, tmp_path):
    variables["decoder/projection/weight"] = variables["decoder/embeddings/weight"].copy()
    assert converted(variables, tmp_path, aliases={})[0].vocab_size == 50260


def test_heads_follow_from_the_width_when_not_stored(tmp_path):
    variables = variables_of(distilled_model(vocab_size=50260, d_model=128))
    del variables["encoder/num_heads"], variables["decoder/num_heads"]
    dimensions, _ = converted(variables, tmp_path)
    assert (dimensions.encoder_attention_heads, dimensions.decoder_attention_heads) == (2, 2)


def test_int8_weights_become_codes_over_scales(model, variables, tmp_path):
    """One scale a row, as CTranslate2 writes them; the fused rows are divided after that."""
    name = "encoder/layer_3/self_attention/linear_0/weight"
    random = np.random.default_rng(0)
    codes = random.integers(-127, 128, variables[name].shape).astype(np.int8)
    scales = random.uniform(50, 500, len(codes)).astype(np.float32)
    _, weights = converted(variables | {name: codes, f"{name}_scale": scales}, tmp_path)
    values = torch.from_numpy(codes.astype(np.float32) / scales[:, None])
    for x, rows in zip("qkv", values.chunk(3), strict=True):
        assert torch.equal(weights[f"model.encoder.layers.3.self_attn.{x}_proj.weight"], rows)
    other = "model.encoder.layers.3.fc1.weight"
    assert torch.equal(weights[other], expected_weights(model)[other])
    assert {w.dtype for w in weights.values()} == {torch.float32}


def test_int16_weights_have_one_scale(variables, tmp_path):
    name = "encoder/conv1/weight"
    codes = np.random.default_rng(0).integers(-999, 999, variables[name].shape).astype(np.int16)
    scale = {f"{name}_scale": np.float32(3)}
    _, weights = converted(variables | {name: codes} | scale, tmp_path)
    read = weights["model.encoder.conv1.weight"].numpy()
    assert np.array_equal(read, codes.astype(np.float32) / np.float32(3))


def test_mixed_float_dtypes_become_float32(model, variables, tmp_path):
    name = "encoder/layer_norm/gamma"
    _, weights = converted(variables | {name: variables[name].astype(np.float32)}, tmp_path)
    assert {w.dtype for w in weights.values()} == {torch.float32}
    assert all(torch.equal(w, expected_weights(model)[n]) for n, w in weights.items())


K_ROW = np.eye(1, 96, 40, dtype=np.float16)[0]
BROKEN = {
    "unknown": ({"decoder/extra/weight": np.zeros(2, np.float32)}, "unknown variable 'decoder/ext"),
    "unknown option": (
        {"decoder/rotary_dim": np.int32(8)},
        "unknown variable 'decoder/rotary_dim'",
    ),
    "missing": ({"encoder/layer_2/ffn/linear_1/bias": None}, "no variable 'encoder/layer_2/ffn/l"),
    "no conv": ({"encoder/conv1/weight": None}, "no variable 'encoder/conv1/weight'; expected"),
    "no layers": ({"decoder/layer_0/ffn/linear_0/weight": None}, "no variable 'decoder/layer_0/f"),
    "flat conv": ({"encoder/conv1/weight": np.zeros((32, 3), np.float16)}, "expected 3 dimensions"),
    "activation": ({"decoder/activation": np.int8(0)}, "decoder/activation is 0, expected 3"),
    "post norm": ({"decoder/pre_norm": np.int8(0)}, "not a Whisper: decoder/pre_norm is 0"),
    "heads": ({"decoder/num_heads": np.int16(3)}, "decoder/num_heads is 3, d_model is 32"),
    "k bias": ({"encoder/layer_0/self_attention/linear_0/bias": K_ROW}, "rows of k are not zero"),
    "fused rows": (
        {"encoder/layer_0/self_attention/linear_0/bias": np.zeros(95, np.float16)},
        "linear_0/bias: 95 rows for 3 projections",
    ),
    "no scale": (
        {"encoder/conv2/weight": np.zeros((32, 32, 3), np.int8)},
        "encoder/conv2/weight: torch.int8 without encoder/conv2/weight_scale",
    ),
    "scale alone": ({"x_scale": np.ones(2, np.float32)}, "no variable 'x'"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_what_is_not_a_whisper_is_named(variables, tmp_path, change, message):
    changed = {k: v for k, v in (variables | change).items() if v is not None}
    with pytest.raises(InputError, match=message):
        converted(changed, tmp_path)


def test_an_untied_head_is_refused(variables, tmp_path):
    variables["decoder/projection/weight"] = variables["decoder/embeddings/weight"] + 1
    with pytest.raises(InputError, match="in Whisper they are one tensor"):
        converted(variables, tmp_path, aliases={})


def test_another_spec_is_refused():
    file = Ct2File(spec="TransformerSpec", revision=7, variables={})
    with pytest.raises(InputError, match="spec 'TransformerSpec', expected 'WhisperSpec'"):
        convert(file)
