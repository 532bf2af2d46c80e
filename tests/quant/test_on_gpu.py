"""A GPU rounds as the CPU does: codes, scales, values and gradients of every scheme are equal.

The CPU's are held to the numpy oracles and to onnxruntime's kernels by the other tests of this
folder; equality with them here extends that to a training on CUDA. The inputs are those that can
tell one rounding rule from another: ties, extremes, one-sided ranges, zeros, ragged K, and the
rows of 1,000 seeds.
"""

import numpy as np
import pytest
import torch

from tests.quant import cases
from tests.quant.test_thousand_seeds import SEEDS, drawn
from whisper_qat.quant import learned_scale, numerics
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.two_level_scheme import PLANES, TwoLevelScheme

pytestmark = pytest.mark.gpu

BLOCK_SCHEMES = [BlockScheme(b, k, d) for b in (2, 4, 8) for k in (32, 128)
                 for d in ("float32", "float16")]  # fmt: skip
SCHEMES = [
    *BLOCK_SCHEMES, DynamicScheme(), RowScheme(), RowScheme(7), *map(TwoLevelScheme, PLANES),
]  # fmt: skip


def matrices(named):
    return {**named, "thousand-seeds": np.concatenate([drawn(seed) for seed in range(SEEDS)])}


def same(on_gpu, on_cpu):
    """Equal in every value; the sign of a zero, which changes no sum, may differ."""
    return torch.equal(on_gpu.cpu(), on_cpu)


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_weights(scheme):
    verbs = numerics.of_weight(scheme)
    for name, weight in matrices(cases.weights(0)).items():
        here = torch.from_numpy(weight)
        there = here.cuda()
        scale, _ = verbs.choose_params(here, scheme)
        assert same(verbs.choose_params(there, scheme)[0], scale), name
        codes = verbs.quantize(here, scale, scheme)
        assert same(verbs.quantize(there, scale.cuda(), scheme), codes), name
        values = verbs.fake_quantize(here, scheme)
        assert same(verbs.fake_quantize(there, scheme), values), name


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda s: s.name)
def test_activations(scheme):
    for name, x in matrices(cases.activations(0)).items():
        here = torch.from_numpy(x)
        values = numerics.fake_quantize_activation(here, scheme)
        on_gpu = numerics.fake_quantize_activation(here.cuda(), scheme)
        assert same(on_gpu, values), name


@pytest.mark.parametrize("scheme", BLOCK_SCHEMES, ids=lambda s: s.name)
def test_learned_scales(scheme):
    """Values and the weights' gradients are equal; a scale's gradient is a sum, so it is near."""
    for name, weight in matrices(cases.weights(0)).items():
        if name in ("large", "small"):  # their gradients are beyond float32 on either device
            continue
        found = []
        for device in ("cpu", "cuda"):
            w = torch.from_numpy(weight).to(device).requires_grad_()
            scale = numerics.of_weight(scheme).choose_params(w, scheme)[0] * 0.7
            scale.requires_grad_()
            values = learned_scale.fake_quantize(w, scale, scheme)
            values.backward(torch.ones_like(values))
            found.append((values.detach(), w.grad, scale.grad))
        (values, grad, scale_grad), (gpu_values, gpu_grad, gpu_scale_grad) = found
        assert same(gpu_values, values), name
        assert same(gpu_grad, grad), name
        # atol: a sum of up to 128 terms that are rounded to within 2^-24 of a code each.
        torch.testing.assert_close(gpu_scale_grad.cpu(), scale_grad, rtol=1e-5, atol=1e-3)
