"""The own forward equals transformers' in float, at full length, step by step and when masked."""

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.model import forward


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=200, num_mel_bins=8, d_model=32, encoder_layers=2, decoder_layers=2,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, max_target_positions=20, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=3, init_std=0.2,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config).eval()


@pytest.fixture
def mel():
    return torch.randn(2, 8, 3000, generator=torch.Generator().manual_seed(1))


TOKENS = torch.tensor([[3, 5, 7, 9, 11], [3, 6, 8, 10, 12]])


def relative(a, b):
    return ((a - b).norm() / b.norm()).item()


@torch.no_grad()
def test_equals_transformers(model, mel):
    expected = model(input_features=mel, decoder_input_ids=TOKENS)
    encoded = forward.encode(model, mel)
    logits = forward.decode(model, TOKENS, forward.start(model, encoded))
    assert relative(encoded, expected.encoder_last_hidden_state) < 1e-6
    assert relative(logits, expected.logits) < 1e-6


@torch.no_grad()
def test_steps_equal_the_whole(model, mel):
    encoded = forward.encode(model, mel)
    whole = forward.decode(model, TOKENS, forward.start(model, encoded))
    state = forward.start(model, encoded)
    parts = [forward.decode(model, TOKENS[:, a:b], state) for a, b in [(0, 2), (2, 3), (3, 5)]]
    assert relative(torch.cat(parts, dim=1), whole) < 1e-6
    assert state.position == 5


@torch.no_grad()
def test_masked_clip_equals_the_clip_alone(model, mel):
    """Own length in a padded batch: the states beyond it are not attended to."""
    short = forward.encode(model, mel[:1, :, :400])
    padded = torch.cat([short, torch.full((1, 100, 32), 7.0)], dim=1)
    alone = forward.decode(model, TOKENS[:1], forward.start(model, short))
    state = forward.start(model, padded, lengths=torch.tensor([200]))
    assert relative(forward.decode(model, TOKENS[:1], state), alone) < 1e-6
    unmasked = forward.decode(model, TOKENS[:1], forward.start(model, padded))
    assert relative(unmasked, alone) > 1e-3


@torch.no_grad()
def test_positions_follow_the_cropped_length(model, mel):
    assert forward.encode(model, mel[..., :400]).shape == (2, 200, 32)


def test_checkpointing_changes_memory_not_gradients(model, mel):
    gradients = []
    for checkpointing in (False, True):
        model.zero_grad()
        encoded = forward.encode(model, mel[..., :200], checkpointing=checkpointing)
        state = forward.start(model, encoded)
        forward.decode(model, TOKENS, state, checkpointing=checkpointing).square().mean().backward()
        gradients.append(model.model.encoder.layers[0].fc1.weight.grad.clone())
    assert (gradients[0] == gradients[1]).all()
