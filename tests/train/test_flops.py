"""Model FLOPs: equal to torch's own count of the products, forward and backward."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.train.tiny_run import tiny_whisper
from whisper_qat.train import flops
from whisper_qat.train.flops import WhisperSize
from whisper_qat.train.objective import Whisper

FRAMES, TOKENS = 60, 5


@pytest.fixture
def model():
    return Whisper(tiny_whisper())


def counted(model, backward):
    mels = model.model.config.num_mel_bins
    # The counter does not know the CPU's fused attention.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits, _ = model(torch.randn(1, mels, FRAMES), torch.ones(1, TOKENS, dtype=torch.long))
        if backward:
            logits.sum().backward()
    return counter.get_total_flops()


def test_forward_is_what_torch_counts(model):
    shape = WhisperSize.of(model.model.config)
    expected = flops.encoder_forward(shape, FRAMES) + flops.decoder_forward(shape, FRAMES, TOKENS)
    assert counted(model, backward=False) == expected


def test_a_backward_pass_is_about_twice_the_forward(model):
    forward, both = counted(model, backward=False), counted(model, backward=True)
    # The spectrogram has no gradient: nearly, not exactly.
    assert both == pytest.approx(3 * forward, rel=0.15)


def test_the_teacher_adds_a_forward_of_its_own_context(model):
    shape = WhisperSize.of(model.model.config)
    alone = flops.training_step(shape, FRAMES, TOKENS)
    same = flops.training_step(shape, FRAMES, TOKENS, teacher_frames=FRAMES)
    assert same == pytest.approx(alone * 4 / 3)
    assert flops.training_step(shape, FRAMES, TOKENS, teacher_frames=3000) > same


def test_v02_has_the_published_size():
    """A 30 s clip in large-v3's encoder: 2 x 635 M parameters x 1,500 positions, and attention."""
    found = flops.encoder_forward(flops.V02, 3000)
    products = 2 * 1500 * 32 * (4 * 1280**2 + 2 * 1280 * 5120)
    assert products < found < 1.3 * products
