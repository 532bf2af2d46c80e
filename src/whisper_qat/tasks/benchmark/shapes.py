"""Whisper models of any depth and width with random weights, for measuring cost by shape.

Tokenizer, special tokens and generation settings are those of a real checkpoint, so the same
engine runs them; their output is noise, so a fixed number of tokens is decoded.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.runs.folders import read_json
from whisper_qat.tasks import quantize_ptq

HEAD_WIDTH = 64  # of every published Whisper


@dataclass(frozen=True, kw_only=True)
class RandomWhisper:
    """Shape of a random Whisper: layers of encoder and decoder, and the width of both."""

    encoder_layers: int
    decoder_layers: int
    width: int

    @property
    def parameters(self) -> int:
        """Number of weights in the matrices: 12 d^2 per encoder layer, 16 d^2 per decoder layer."""
        return (12 * self.encoder_layers + 16 * self.decoder_layers) * self.width**2


DEPTHS = [RandomWhisper(encoder_layers=n, decoder_layers=n, width=256) for n in (1, 2, 4, 8, 16)]
WIDTHS = [
    RandomWhisper(encoder_layers=2, decoder_layers=2, width=d)
    for d in (128, 256, 384, 512, 768, 1280)
]
PUBLISHED = [
    RandomWhisper(encoder_layers=4, decoder_layers=4, width=384),  # tiny
    RandomWhisper(encoder_layers=6, decoder_layers=6, width=512),  # base
    RandomWhisper(encoder_layers=12, decoder_layers=12, width=768),  # small
    RandomWhisper(encoder_layers=32, decoder_layers=2, width=1280),  # distil-large-v3 and v0.2
]


def make_random(shape: RandomWhisper, base: Path, folder: Path, quantization_type: str) -> None:
    """Write a converted folder of that shape with random weights; the rest comes from `base`."""
    checkpoint = folder.with_name(f"{folder.name}-checkpoint")
    config = WhisperConfig.from_pretrained(base)
    heads = max(1, shape.width // HEAD_WIDTH)
    config.update({
        "d_model": shape.width, "encoder_layers": shape.encoder_layers,
        "decoder_layers": shape.decoder_layers, "encoder_attention_heads": heads,
        "decoder_attention_heads": heads, "encoder_ffn_dim": 4 * shape.width,
        "decoder_ffn_dim": 4 * shape.width,
    })  # fmt: skip
    torch.manual_seed(0)
    WhisperForConditionalGeneration(config).save_pretrained(checkpoint)
    for path in base.glob("*.json"):
        if path.name not in ("config.json", "manifest.json", "whisper_qat.json"):
            shutil.copy(path, checkpoint)
    mels = read_json(checkpoint / "preprocessor_config.json") | {
        "feature_size": config.num_mel_bins
    }
    (checkpoint / "preprocessor_config.json").write_text(json.dumps(mels))
    quantize_ptq.run(
        quantize_ptq.QuantizePtqConfig(
            model_path=str(checkpoint), output_path=folder,
            quantization_type=quantization_type, audio_context="full",  # type: ignore[arg-type]
        )
    )  # fmt: skip
    shutil.rmtree(checkpoint)
