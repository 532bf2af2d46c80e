"""The numbers that define a Whisper model's graphs, read from config.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from whisper_qat.errors import InputError


@dataclass(frozen=True, kw_only=True)
class WhisperShape:
    """Layer counts and widths under transformers' names."""

    d_model: int
    num_mel_bins: int
    vocab_size: int
    encoder_layers: int
    encoder_attention_heads: int
    decoder_layers: int
    decoder_attention_heads: int
    max_source_positions: int
    max_target_positions: int

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> "WhisperShape":
        """Read from config.json's content; InputError for an activation that is not exact GELU."""
        activation = config.get("activation_function", "gelu")
        if activation != "gelu":
            raise InputError(f"config.json: activation_function {activation!r} is not 'gelu'")
        return WhisperShape(**{name: int(config[name]) for name in WhisperShape.__annotations__})

    @property
    def decoder_head_dim(self) -> int:
        return self.d_model // self.decoder_attention_heads
