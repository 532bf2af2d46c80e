"""What a file of one integer format keeps, what it refuses, what it rounds anew."""

import pytest
import torch

from tests.export.finals import floating, quantized, rule
from whisper_qat.errors import InputError
from whisper_qat.export.requantize import Matrices, check_kept, check_quantized, misfits, signed
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.quant import block_weight, channel_weight
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme

FC1 = "model.encoder.layers.0.fc1"
FC2 = "model.encoder.layers.0.fc2"
Q4 = BlockScheme(4, 32, "float16")


@pytest.fixture(scope="module")
def mixed(tiny_whisper):
    """One layer int8-dynamic, one float, one float16, the rest int4; convolutions float."""
    return quantized(
        tiny_whisper,
        [
            rule("model.encoder.layers.0.fc1", "int8-dynamic"),
            rule("model.encoder.layers.0.fc2", "float"),
            rule("model.encoder.layers.1.fc2", "float16"),
            rule(".*(layers|embed_tokens).*", "block-int4-32-f16"),
        ],
    )


def test_misfits_are_matrices_that_are_float_or_of_another_scheme(mixed):
    assert misfits(mixed.plan, lambda scheme: scheme == Q4) == {
        FC1: "int8-dynamic",
        FC2: "float",
        "model.encoder.layers.1.fc2": "float16",
    }


def test_one_line_says_what_does_not_fit():
    two = {FC1: "int8-dynamic", FC2: "float"}
    with pytest.raises(InputError) as error:
        check_kept(two, False, format="ggml", holds="blocks")
    assert str(error.value) == (
        f"--format ggml: cannot keep {FC1} (int8-dynamic) and 1 more; the file holds blocks; "
        "pass --requantize to round anew what differs"
    )
    check_kept(two, True, format="ggml", holds="blocks")
    check_kept({}, False, format="ggml", holds="blocks")


def test_a_float_checkpoint_is_not_requantized(tiny_whisper):
    final = floating(tiny_whisper)
    check_quantized(final, False)
    with pytest.raises(InputError, match="--requantize: the checkpoint is float"):
        check_quantized(final, True)


def test_kept_layers_have_their_trained_codes(mixed):
    name = "model.decoder.layers.1.fc2"
    layer = fake_quantized(mixed.model)[name]
    found = Matrices(mixed, {}, DynamicScheme()).codes(name)
    assert (found.codes == layer.codes().numpy().astype(int) - 8).all()
    assert (found.scales == layer.scale().numpy()).all()
    assert found.block_length == 32


@pytest.mark.parametrize(
    ("scheme", "verbs"), [(DynamicScheme(), channel_weight), (Q4, block_weight)]
)
def test_rounded_layers_start_from_the_values_of_training(mixed, scheme, verbs):
    values = fake_quantized(mixed.model)[FC1].quantized_weight().detach()
    scale, _ = verbs.choose_params(values, scheme)
    found = Matrices(mixed, {FC1: "int8-dynamic"}, scheme).codes(FC1)
    expected = verbs.quantize(values, scale, scheme).numpy().astype(int) - scheme.zero_point
    assert (found.codes == expected).all()
    assert (found.scales == scale.numpy()).all()


def test_a_float_layer_is_rounded_from_its_weight(mixed):
    weight = mixed.model.get_parameter(f"{FC2}.weight").detach()
    found = Matrices(mixed, {FC2: "float"}, Q4).codes(FC2)
    scale, _ = block_weight.choose_params(weight, Q4)
    assert (found.scales == scale.numpy()).all()
    error = abs(found.codes * found.scales.repeat(32, axis=1) - weight.numpy())
    assert (error <= abs(found.scales).repeat(32, axis=1) * 1.01).all()


def test_padding_beyond_the_row_is_left_out():
    codes = torch.tensor([[0, 255, 128, 128]], dtype=torch.uint8)
    found = signed(codes, torch.ones(1, 1), BlockScheme(8, 32), 3)
    assert found.codes.tolist() == [[-128, 127, 0]]
