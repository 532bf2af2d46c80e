"""Two-level schemes: names, scales that are channel scale times factor, and planes of bits."""

import numpy as np
import pytest
import torch

from tests.quant import cases
from whisper_qat.quant import two_level_scheme
from whisper_qat.quant.channel_scheme import RowScheme
from whisper_qat.quant.two_level_scheme import PLANES, TwoLevelScheme

SCHEMES = pytest.mark.parametrize("scheme", [*map(TwoLevelScheme, PLANES)], ids=lambda s: s.name)


@pytest.mark.parametrize(("bits", "zero", "largest"), [(4, 8, 15), (3, 4, 7), (2, 2, 3)])
def test_known_values(bits, zero, largest):
    scheme = TwoLevelScheme(bits)
    assert scheme.name == f"int{bits}-row" and TwoLevelScheme.parse(scheme.name) == scheme
    assert (scheme.min_code, scheme.zero_point, scheme.max_code) == (0, zero, largest)
    assert (scheme.block_size, scheme.num_blocks(72), scheme.block_length(72)) == (16, 5, 16)
    # The largest magnitude of code times factor has to fit in seven bits.
    assert zero * 8 <= scheme.largest_int8 == 64
    assert scheme.scales_share_channel and not scheme.has_lookup


@pytest.mark.parametrize(
    "name", ["int8-row", "int7-row", "int5-row", "int4-row-16", "block-int4-32"]
)
def test_other_names_are_not_parsed(name):
    assert TwoLevelScheme.parse(name) is None


def test_other_widths_are_refused():
    with pytest.raises(ValueError, match=r"bits=5: must be one of \(4, 3, 2\)"):
        TwoLevelScheme(5)


def test_a_curriculum_begins_with_more_bits():
    assert TwoLevelScheme(2).with_bits(4) == TwoLevelScheme(4)
    assert TwoLevelScheme(4).with_bits(8) == RowScheme()


def test_stored_scales_are_a_channel_scale_times_small_integers():
    scale = torch.tensor([[0.7, -0.8, 0.04, -0.26, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    stored = TwoLevelScheme().storable(scale)
    channel = float(torch.tensor(0.1).bfloat16())  # -0.8 / -8, more than 0.7 / 7 by rounding
    expected = [7 * channel, -8 * channel, 1 * channel, -3 * channel, 0.0]
    assert stored[0].tolist() == expected and (stored[1] == 0).all()


@pytest.mark.parametrize("name", sorted(cases.weights(0)))
def test_storing_twice_changes_nothing_and_is_exact(name):
    scheme = TwoLevelScheme()
    scale = torch.from_numpy(cases.weights(0)[name])
    stored = scheme.storable(scale)
    assert (scheme.storable(stored) == stored).all()
    channel, factors = two_level_scheme.split_scales(stored.numpy())
    assert (channel == torch.from_numpy(channel).bfloat16().float().numpy()).all()
    assert factors.min() >= -8 and factors.max() <= 7
    assert ((factors == 7) | (factors == -8)).any(1)[channel > 0].all()
    assert (factors[scale.numpy() != 0] != 0).sum() >= (stored != 0).sum()


def test_a_tiny_block_beside_a_large_one_can_still_be_trained():
    stored = TwoLevelScheme().storable(torch.tensor([[1.0, 1e-6, -1e-6]]))
    assert (stored.sign() == torch.tensor([[1.0, 1.0, -1.0]])).all()


def test_a_subnormal_channel_becomes_zero():
    assert (TwoLevelScheme().storable(torch.full((1, 3), 1e-39)) == 0).all()


def test_scales_that_are_not_stored_are_refused():
    with pytest.raises(AssertionError, match="not storable"):
        two_level_scheme.split_scales(np.float32([[0.7, 0.33]]))


def test_planes_of_three_bits_by_hand():
    codes = np.arange(16, dtype=np.uint8)[None] % 8  # one row of K = 16: 0 .. 7, 0 .. 7
    packed = two_level_scheme.pack(codes, TwoLevelScheme(3))[:, 0]
    low, high = 0b11100100, 0b11110000  # 0 1 2 3 in two bits each; 4 .. 7 have the third bit
    assert packed.tolist() == [low] * 4 + [high] * 2


@SCHEMES
@pytest.mark.parametrize("length", [16, 48, 512])
def test_unpacking_is_the_inverse(scheme, length):
    rng = np.random.default_rng(length)
    codes = rng.integers(0, scheme.max_code + 1, (7, length)).astype(np.uint8)
    packed = two_level_scheme.pack(codes, scheme)
    assert packed.dtype == two_level_scheme.PACKED_DTYPE
    assert packed.shape == two_level_scheme.packed_shape(7, length, scheme)
    assert packed.nbytes == 7 * length * scheme.bits // 8
    assert (two_level_scheme.unpack(packed, scheme) == codes).all()


@pytest.mark.parametrize("blocks", [1, 2, 5, 32])
def test_factors_take_half_a_byte(blocks):
    rng = np.random.default_rng(blocks)
    factors = rng.integers(-8, 8, (3, blocks)).astype(np.int8)
    packed = two_level_scheme.pack_factors(factors)
    assert packed.shape == (-(-blocks // 2), 3)
    assert (two_level_scheme.unpack_factors(packed, blocks) == factors).all()
    size = two_level_scheme.scale_bytes(3, 16 * blocks, TwoLevelScheme())
    assert size == packed.nbytes + 4 * 3
