"""Packing: bytes in the kernel's order, and outputs of the kernel on packed codes."""

import numpy as np
import pytest
import torch

from tests.oracles import matmul_nbits, sessions
from tests.quant import cases
from whisper_qat.quant import block_weight, packing
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme
from whisper_qat.quant.two_level_scheme import TwoLevelScheme


def test_low_nibble_comes_first():
    codes = np.arange(16, dtype=np.uint8)[None]
    packed = packing.pack(codes, BlockScheme(bits=4, block_size=16))
    assert packed.shape == (1, 1, 8)
    assert packed[0, 0, :2].tolist() == [0x10, 0x32]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_unpack_inverts_pack(bits):
    scheme = BlockScheme(bits=bits, block_size=32)
    codes = np.random.default_rng(0).integers(0, 2**bits, (5, 96), dtype=np.uint8)
    assert (packing.unpack(packing.pack(codes, scheme), scheme) == codes).all()


def test_dynamic_codes_are_signed_and_invert():
    scheme = DynamicScheme()
    codes = np.arange(1, 256, dtype=np.uint8).reshape(5, 51)
    packed = packing.pack(codes, scheme)
    assert packed.dtype == np.int8 and packed.shape == packing.packed_shape(5, 51, scheme)
    assert packed.dtype == packing.packed_dtype(scheme) != packing.packed_dtype(BlockScheme())
    assert (packed.min(), packed.max(), packed[0, 0]) == (-127, 127, -127)
    assert (packing.unpack(packed, scheme) == codes).all()


def test_scales_take_the_kernel_s_shape_and_keep_their_type():
    scales = np.ones((5, 1), np.float16)
    assert packing.pack_scales(scales, DynamicScheme()).shape == (5,)
    blocks = packing.pack_scales(scales, BlockScheme())
    assert blocks.shape == (5, 1) and blocks.dtype == np.float16


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("block_size", [32, 64, 128])
@pytest.mark.parametrize("rows", [1, 4, 60])
@pytest.mark.parametrize("length", [128, 200, 512])
def test_kernel_output_is_the_oracles(rows, length, block_size, bits):
    rng = np.random.default_rng(rows + length)
    scheme = BlockScheme(bits=bits, block_size=block_size)
    x = rng.standard_normal((rows, length)).astype(np.float32)
    weight = torch.from_numpy(rng.standard_normal((48, length)).astype(np.float32))
    bias = rng.standard_normal(48).astype(np.float32)
    scale, _ = block_weight.choose_params(weight, scheme)
    codes = block_weight.quantize(weight, scale, scheme).numpy()
    packed = packing.pack(codes, scheme)
    y = sessions.matmul_nbits(x, packed, scale.numpy(), bits, block_size, bias)
    expected = matmul_nbits.matmul(x, codes, scale.numpy(), bits, block_size) + bias
    assert np.linalg.norm(y - expected) <= 1e-6 * np.linalg.norm(expected)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("name", sorted(cases.weights(0)))
def test_kernel_dequantizes_hard_weights_exactly(name, bits):
    """Unit activations pick single weights, so the output is code * scale with no summation."""
    weight = torch.from_numpy(cases.weights(0)[name])
    scheme = BlockScheme(bits=bits, block_size=32)
    scale, _ = block_weight.choose_params(weight, scheme)
    packed = packing.pack(block_weight.quantize(weight, scale, scheme).numpy(), scheme)
    x = np.eye(weight.shape[1], dtype=np.float32)
    y = sessions.matmul_nbits(x, packed, scale.numpy(), bits, 32)
    expected = block_weight.fake_quantize(weight, scheme).numpy().T
    # The activation 1.0 is code 127 with scale 1/127: two roundings of one value.
    assert np.abs(y - expected).max() <= 4e-7 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (BlockScheme(4, 32, "float16"), 96 * (32 + 2 * 2)),
        (BlockScheme(8, 32), 96 * (64 + 4 * 2)),
        (DynamicScheme(), 96 * (64 + 4)),
        (TwoLevelScheme(4), 96 * (32 + 4 / 2 + 4)),
        (TwoLevelScheme(3), 96 * (24 + 4 / 2 + 4)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_stored_bytes_are_codes_and_scales(scheme, expected):
    assert packing.stored_bytes(96, 64, scheme) == expected
