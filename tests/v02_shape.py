"""Write a faster-whisper folder of v0.2's shape (32+2 layers, d 1280, 128 mels), random weights.

    python -m tests.v02_shape OUTPUT_FOLDER     (needs 4 GiB of memory and `pip install .[bench]`)

For measuring time, memory and size of the whole chain where the real checkpoint cannot be had.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import ctranslate2
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

BASE = Path(__file__).parents[1] / "data" / "whisper-base"
SHAPE = {
    "vocab_size": 51866, "num_mel_bins": 128, "d_model": 1280, "encoder_layers": 32,
    "decoder_layers": 2, "encoder_attention_heads": 20, "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120,
}  # fmt: skip


def write(output: Path) -> None:
    """Tokenizer and special tokens are Whisper base's; only the shape is v0.2's."""
    config = WhisperConfig.from_pretrained(BASE)
    config.update(SHAPE)
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(config).half()
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        model.save_pretrained(scratch)
        for path in BASE.glob("*.json"):
            if path.name not in ("config.json", "manifest.json"):
                shutil.copy(path, scratch)
        features = Path(scratch) / "preprocessor_config.json"
        features.write_text(json.dumps(json.loads(features.read_text()) | {"feature_size": 128}))
        converter = ctranslate2.converters.TransformersConverter(
            scratch, copy_files=["tokenizer.json"]
        )
        converter.convert(str(output), quantization="float16")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
