"""Write a Whisper of v0.2's shape (32+2 layers, d 1280, 128 mels) with random weights.

    python -m tests.v02_shape FOLDER                 a transformers checkpoint (4 GiB of memory)
    python -m tests.v02_shape FOLDER ctranslate2     a faster-whisper folder (extra `bench`)

For measuring time, memory and size of the whole chain where the real checkpoint cannot be had.
"""

import importlib
import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

BASE = Path(__file__).parents[1] / "data" / "whisper-base"
SHAPE = {
    "vocab_size": 51866, "num_mel_bins": 128, "d_model": 1280, "encoder_layers": 32,
    "decoder_layers": 2, "encoder_attention_heads": 20, "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120, "decoder_ffn_dim": 5120,
}  # fmt: skip


def write_checkpoint(output: Path) -> None:
    """Tokenizer and special tokens are Whisper base's; only the shape is v0.2's."""
    config = WhisperConfig.from_pretrained(BASE)
    config.update(SHAPE)
    torch.manual_seed(0)
    WhisperForConditionalGeneration(config).half().save_pretrained(output)
    for path in BASE.glob("*.json"):
        if path.name not in ("config.json", "manifest.json"):
            shutil.copy(path, output)
    features = output / "preprocessor_config.json"
    features.write_text(json.dumps(json.loads(features.read_text()) | {"feature_size": 128}))


def write_ctranslate2(output: Path) -> None:
    """The same model as faster-whisper loads it."""
    converters = importlib.import_module("ctranslate2.converters")  # extra `bench`
    with tempfile.TemporaryDirectory(dir=output.parent) as scratch:
        write_checkpoint(Path(scratch))
        converter = converters.TransformersConverter(scratch, copy_files=["tokenizer.json"])
        converter.convert(str(output), quantization="float16")


if __name__ == "__main__":
    write = {"checkpoint": write_checkpoint, "ctranslate2": write_ctranslate2}
    write[(*sys.argv[2:], "checkpoint")[0]](Path(sys.argv[1]))
