"""Block schemes: spellings, supported sizes, geometry, and float16's scales."""

import pytest
import torch

from whisper_qat.quant.block_scheme import BITS, BLOCK_SIZES, BLOCK_SIZES_2_BITS, BlockScheme

EXISTING = [(bits, size) for bits in BITS for size in BLOCK_SIZES
            if bits != 2 or size in BLOCK_SIZES_2_BITS]  # fmt: skip


@pytest.mark.parametrize("scale_dtype", ["float32", "float16"])
@pytest.mark.parametrize(("bits", "block_size"), EXISTING)
def test_name_round_trips(bits, block_size, scale_dtype):
    scheme = BlockScheme(bits=bits, block_size=block_size, scale_dtype=scale_dtype)
    assert BlockScheme.parse(scheme.name) == scheme


@pytest.mark.parametrize("name", ["int8-row", "block-int8", "block-int8-32-f32", "block-int8-32 "])
def test_other_names_are_left_to_others(name):
    assert BlockScheme.parse(name) is None


def test_known_values():
    scheme = BlockScheme.parse("block-int4-32")
    assert (scheme.zero_point, scheme.max_code, scheme.num_blocks(200)) == (8, 15, 7)
    assert scheme.has_lookup and not scheme.codes_depend_on_call


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bits": 3}, "bits=3: MatMulNBits level 4 is supported for"),
        ({"bits": 2, "block_size": 16}, "block_size=16: with 2 bits one of .*float activations"),
        ({"block_size": 48}, "block_size=48: must be one of"),
        ({"scale_dtype": "bfloat16"}, "scale_dtype='bfloat16': must be one of"),
    ],
)
def test_what_no_kernel_computes_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BlockScheme(**settings)


def test_a_float16_scale_is_finite_and_stays():
    scale = torch.tensor([0.1, -1e9, 1e-9])
    stored = BlockScheme(scale_dtype="float16").storable(scale)
    assert stored.tolist() == [torch.tensor(0.1).half().item(), -65504.0, 0.0]
    assert (BlockScheme(scale_dtype="float16").storable(stored) == stored).all()
    assert BlockScheme().storable(scale) is scale


def test_other_bits_keep_the_rest():
    assert BlockScheme(4, 64, "float16").with_bits(8) == BlockScheme(8, 64, "float16")
