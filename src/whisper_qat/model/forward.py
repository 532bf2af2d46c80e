"""Whisper's forward pass: an encoder for input of any length and a decoder with KV cache.

transformers insists on 3000 mel frames; the convolutions and the attention do not. The pass calls
the model's public submodules and uses only attributes that both transformers 4.57 and 5.x document;
its float result equals transformers' own (tested). Training, evaluation and parity all use it.

Shapes: B batch, M mel bins, F mel frames (even), S = F/2 encoder positions, T tokens, D width,
H heads, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint
from transformers import WhisperForConditionalGeneration

from whisper_qat.model.fake_quant.half_storage import positions

KeyValue = tuple[Tensor, Tensor]


@dataclass
class DecoderState:
    """The state shared by decoding steps: keys and values of cross- and self-attention.

    `cross` and `past` hold one (key, value) [B, H, length, D/H] per layer; `past` grows with every
    step. `cross_mask` is bool [B, 1, 1, S], True where a position belongs to the clip, None when
    all do.
    """

    cross: list[KeyValue]
    cross_mask: Tensor | None
    past: list[KeyValue] = field(default_factory=list)
    position: int = 0


def encode(
    model: WhisperForConditionalGeneration, mel: Tensor, *, checkpointing: bool = False
) -> Tensor:
    """Compute the encoder states [B, S, D] of `mel` [B, M, F], F even and at most 3000.

    `checkpointing` recomputes each layer in the backward pass instead of keeping its activations.
    """
    hidden = encoder_input(model, mel)
    for layer in model.model.encoder.layers:
        hidden = _run(checkpointing, encoder_layer, layer, hidden)
    return model.model.encoder.layer_norm(hidden)


def encoder_input(model: WhisperForConditionalGeneration, mel: Tensor) -> Tensor:
    """Compute the input [B, S, D] of the first encoder layer: convolutions plus positions."""
    encoder = model.model.encoder
    hidden = functional.gelu(encoder.conv1(mel))
    hidden = functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
    hidden = hidden + positions(encoder.embed_positions)[: hidden.shape[1]]
    return _dropout(hidden, encoder.dropout, encoder.training)


def start(
    model: WhisperForConditionalGeneration, encoded: Tensor, lengths: Tensor | None = None
) -> DecoderState:
    """Start decoding over `encoded` [B, S, D]; `lengths` [B] masks positions past each clip."""
    cross = [cross_key_value(layer, encoded) for layer in model.model.decoder.layers]
    mask = None
    if lengths is not None:
        index = torch.arange(encoded.shape[1], device=encoded.device)
        mask = (index < lengths[:, None])[:, None, None, :]
    return DecoderState(cross=cross, cross_mask=mask)


def cross_key_value(layer: nn.Module, encoded: Tensor) -> KeyValue:
    """A layer's cross-attention keys and values [B, H, S, D/H] over `encoded` [B, S, D]."""
    attention = layer.encoder_attn
    return _heads(attention, attention.k_proj(encoded)), _heads(
        attention, attention.v_proj(encoded)
    )


def decode(
    model: WhisperForConditionalGeneration,
    tokens: Tensor,
    state: DecoderState,
    *,
    checkpointing: bool = False,
) -> Tensor:
    """Compute logits [B, T, V] of new `tokens` [B, T]; their keys and values join `state`."""
    return model.proj_out(decoder_states(model, tokens, state, checkpointing=checkpointing))


def decoder_states(
    model: WhisperForConditionalGeneration,
    tokens: Tensor,
    state: DecoderState,
    *,
    checkpointing: bool = False,
) -> Tensor:
    """Compute what the head reads of new `tokens` [B, T], [B, T, D]; see `decode`."""
    decoder = model.model.decoder
    hidden = decoder_input(model, tokens, state.position)
    mask = causal_mask(tokens.shape[1], state.position, hidden.device)
    past: list[KeyValue] = []
    for i, layer in enumerate(decoder.layers):
        before = state.past[i] if state.past else None
        inputs = (hidden, state.cross[i], state.cross_mask, before, mask)
        hidden, now = _run(checkpointing, decoder_layer, layer, *inputs)
        past.append(now)
    state.past, state.position = past, state.position + tokens.shape[1]
    return decoder.layer_norm(hidden)


def decoder_input(
    model: WhisperForConditionalGeneration, tokens: Tensor, position: int = 0
) -> Tensor:
    """Compute the first decoder layer's input [B, T, D] for `tokens` that start at `position`."""
    decoder = model.model.decoder
    added = positions(decoder.embed_positions)[position : position + tokens.shape[1]]
    return _dropout(decoder.embed_tokens(tokens) + added, decoder.dropout, decoder.training)


def _run(checkpointing: bool, function: Callable, layer: nn.Module, *inputs: Any) -> Any:
    if checkpointing:
        return checkpoint(function, layer, *inputs, use_reentrant=False)
    return function(layer, *inputs)


def encoder_layer(layer: nn.Module, hidden: Tensor) -> Tensor:
    """Run one encoder layer, [B, S, D] -> [B, S, D]."""
    x = layer.self_attn_layer_norm(hidden)
    own = (_heads(layer.self_attn, layer.self_attn.k_proj(x)),
           _heads(layer.self_attn, layer.self_attn.v_proj(x)))  # fmt: skip
    hidden = hidden + _dropout(
        _attend(layer.self_attn, x, own, None), layer.dropout, layer.training
    )
    return _feed_forward(layer, hidden)


def decoder_layer(
    layer: nn.Module,
    hidden: Tensor,
    cross: KeyValue,
    cross_mask: Tensor | None,
    past: KeyValue | None,
    mask: Tensor | None,
) -> tuple[Tensor, KeyValue]:
    """Run one decoder layer, [B, T, D] -> [B, T, D]; also return its self-attention keys/values."""
    x = layer.self_attn_layer_norm(hidden)
    key = _heads(layer.self_attn, layer.self_attn.k_proj(x))
    value = _heads(layer.self_attn, layer.self_attn.v_proj(x))
    if past is not None:
        key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
    attended = _attend(layer.self_attn, x, (key, value), mask)
    hidden = hidden + _dropout(attended, layer.dropout, layer.training)
    x = layer.encoder_attn_layer_norm(hidden)
    attended = _attend(layer.encoder_attn, x, cross, cross_mask)
    hidden = hidden + _dropout(attended, layer.dropout, layer.training)
    return _feed_forward(layer, hidden), (key, value)


def _feed_forward(layer: nn.Module, hidden: Tensor) -> Tensor:
    x = layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden)))
    x = layer.fc2(_dropout(x, layer.activation_dropout, layer.training))
    return hidden + _dropout(x, layer.dropout, layer.training)


def _attend(attention: nn.Module, x: Tensor, kv: KeyValue, mask: Tensor | None) -> Tensor:
    # The query is scaled before the product, as in transformers and OpenAI's own code.
    query = _heads(attention, attention.q_proj(x) * attention.scaling)
    dropout = attention.dropout if attention.training else 0.0
    y = functional.scaled_dot_product_attention(
        query, *kv, attn_mask=mask, dropout_p=dropout, scale=1.0
    )
    return attention.out_proj(y.transpose(1, 2).flatten(2))


def _heads(attention: nn.Module, x: Tensor) -> Tensor:
    return x.unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)


def causal_mask(new: int, past: int, device: torch.device) -> Tensor | None:
    """Mask [new, past + new], True where a token may attend; None when that is everywhere."""
    if new == 1:
        return None
    return torch.ones(new, past + new, dtype=torch.bool, device=device).tril(past)


def _dropout(x: Tensor, p: float, training: bool) -> Tensor:
    return functional.dropout(x, p=p, training=training) if p and training else x
