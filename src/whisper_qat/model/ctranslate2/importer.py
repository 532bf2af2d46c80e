"""Imports a faster-whisper folder as a transformers checkpoint with exactly the same weights.

Reads ``model.bin``, ``config.json`` (suppressed tokens, alignment heads) and ``tokenizer.json``.
The feature settings are Whisper's own and follow from the number of mel bins.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.errors import InputError
from whisper_qat.front_end import HOP, MAX_FRAMES, N_FFT, SAMPLE_RATE, WINDOW, WINDOW_S
from whisper_qat.model.checkpoint.whisper_tokens import (
    SpecialTokens,
    read_tokenizer,
    special_tokens,
    write_tokenizer,
)
from whisper_qat.model.ctranslate2.model_file import read_file
from whisper_qat.model.ctranslate2.weights import Dimensions, convert
from whisper_qat.model.plan.plan import HEAD
from whisper_qat.runs.folders import make_ordinary, read_json, write_json

ENGLISH_ONLY_VOCABULARY = 51864  # CTranslate2's own test for an .en model
MAX_INITIAL_TIMESTAMP = 50  # 1 s in steps of 20 ms, as in openai/whisper-*


def import_folder(source: Path, output: Path) -> None:
    """Convert the faster-whisper folder ``source`` to a checkpoint in ``output``.

    Weights keep the values and dtype of the file; quantized ones become codes / scale in float32.
    InputError names what is missing or does not belong to a Whisper.
    """
    model_path = source / "model.bin"
    file = read_file(model_path)
    settings = read_settings(source)
    try:
        dimensions, weights = convert(file)
    except InputError as error:
        raise InputError(f"{model_path}: {error}") from None
    tokenizer = read_tokenizer(source / "tokenizer.json", dimensions.vocab_size)
    tokens = special_tokens(tokenizer)
    dtype = str(weights["model.encoder.conv1.weight"].dtype).removeprefix("torch.")
    config = model_config(dimensions, tokens, settings, dtype)
    check_weights(config, weights, model_path)
    output.mkdir(parents=True, exist_ok=True)
    write_tokenizer(tokenizer, output)
    write_json(output / "preprocessor_config.json", feature_settings(dimensions.num_mel_bins))
    write_json(output / "generation_config.json", generation(dimensions, tokens, settings))
    write_json(output / "config.json", config)
    save_file(weights, output / "model.safetensors", metadata={"format": "pt"})
    make_ordinary(output / "model.safetensors")


def read_settings(source: Path) -> dict[str, Any]:
    """Read CTranslate2's config.json; InputError unless it is an object."""
    settings = read_json(source / "config.json")
    if not isinstance(settings, dict):
        raise InputError(f"{source / 'config.json'}: expected an object with 'suppress_ids'")
    return settings


def model_config(
    dimensions: Dimensions, tokens: SpecialTokens, settings: dict[str, Any], dtype: str
) -> dict[str, Any]:
    """Build config.json, with the dtype under both its old and its new key."""
    return {
        "architectures": ["WhisperForConditionalGeneration"],
        "model_type": "whisper",
        **asdict(dimensions),
        "num_hidden_layers": dimensions.encoder_layers,
        "activation_function": "gelu",
        "is_encoder_decoder": True,
        "scale_embedding": False,
        "use_cache": True,
        "bos_token_id": tokens.end,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.end,
        "decoder_start_token_id": tokens.start,
        "begin_suppress_tokens": settings.get("suppress_ids_begin"),
        "torch_dtype": dtype,
        "dtype": dtype,
    }


def generation(
    dimensions: Dimensions, tokens: SpecialTokens, settings: dict[str, Any]
) -> dict[str, Any]:
    """Build generation_config.json with the entries of the openai/whisper-* checkpoints."""
    config = {
        "bos_token_id": tokens.end,
        "eos_token_id": tokens.end,
        "pad_token_id": tokens.end,
        "decoder_start_token_id": tokens.start,
        "prev_sot_token_id": tokens.previous,
        "no_timestamps_token_id": tokens.no_timestamps,
        "max_length": dimensions.max_target_positions,
        "max_initial_timestamp_index": MAX_INITIAL_TIMESTAMP,
        "return_timestamps": False,
        "forced_decoder_ids": None,
        "suppress_tokens": settings.get("suppress_ids"),
        "begin_suppress_tokens": settings.get("suppress_ids_begin"),
        "alignment_heads": settings.get("alignment_heads"),
        "is_multilingual": dimensions.vocab_size != ENGLISH_ONLY_VOCABULARY,
    }
    if config["is_multilingual"]:
        config |= {"lang_to_id": tokens.languages, "task_to_id": tokens.tasks}
    return config


def feature_settings(num_mel_bins: int) -> dict[str, Any]:
    """Build preprocessor_config.json; Whisper models differ only in the number of mel bins."""
    return {
        "feature_extractor_type": "WhisperFeatureExtractor",
        "processor_class": "WhisperProcessor",
        "feature_size": num_mel_bins,
        "sampling_rate": SAMPLE_RATE,
        "chunk_length": WINDOW_S,
        "n_samples": WINDOW,
        "nb_max_frames": MAX_FRAMES,
        "hop_length": HOP,
        "n_fft": N_FFT,
        "dither": 0.0,
        "padding_side": "right",
        "padding_value": 0.0,
        "return_attention_mask": False,
    }


def check_weights(config: dict[str, Any], weights: dict[str, Tensor], path: Path) -> None:
    """InputError unless names and shapes are exactly those of transformers' own model."""
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(WhisperConfig(**config))
    expected = {name: p.shape for name, p in model.state_dict().items() if name != f"{HEAD}.weight"}
    assert expected.keys() == weights.keys(), expected.keys() ^ weights.keys()
    for name, shape in expected.items():
        if weights[name].shape != shape:
            found = list(weights[name].shape)
            raise InputError(f"{path}: {name} has shape {found}, expected {list(shape)}")
