"""A whole Whisper folder in two megabytes: random weights, byte tokenizer, real feature settings.

The tokenizer knows the 256 bytes and Whisper's special tokens, no merges: any French text encodes
and decodes exactly, and nothing has to be downloaded for it.
"""

import json
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, WhisperConfig, WhisperFeatureExtractor
from transformers import WhisperForConditionalGeneration as Whisper

LANGUAGES = ("en", "fr", "de", "es")
TASKS = ("translate", "transcribe")
NUM_BYTES = 256
TIMESTAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
SPECIAL = [
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{language}|>" for language in LANGUAGES),
    *(f"<|{task}|>" for task in TASKS),
    "<|startoflm|>",
    "<|startofprev|>",
    "<|nospeech|>",
    "<|notimestamps|>",
]
IDS = {token: NUM_BYTES + i for i, token in enumerate(SPECIAL + TIMESTAMPS)}


def save_tiny_whisper(
    folder: Path,
    *,
    seed: int = 0,
    decoder_layers: int = 2,
    num_mel_bins: int = 80,
    **changes: object,
) -> Path:
    """Save a 2+2 layer, d 64 Whisper that loads as any other; ``changes`` go to its config."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = Whisper(tiny_config(decoder_layers, num_mel_bins, **changes)).eval()
    model.generation_config = tiny_generation_config()
    model.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=num_mel_bins).save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def make_english_only(folder: Path) -> Path:
    """Turn a saved Whisper into one that decodes like an .en checkpoint: no language, no task."""
    path = folder / "generation_config.json"
    generation = json.loads(path.read_text()) | {"is_multilingual": False}
    for table in ("lang_to_id", "task_to_id"):
        del generation[table]
    path.write_text(json.dumps(generation))
    return folder


def tiny_config(decoder_layers: int, num_mel_bins: int, **changes: object) -> WhisperConfig:
    settings = {
        "vocab_size": NUM_BYTES + len(IDS),
        "d_model": 64,
        "encoder_layers": 2,
        "decoder_layers": decoder_layers,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 128,
        "decoder_ffn_dim": 128,
        "num_mel_bins": num_mel_bins,
        "bos_token_id": IDS["<|endoftext|>"],
        "eos_token_id": IDS["<|endoftext|>"],
        "pad_token_id": IDS["<|endoftext|>"],
        "decoder_start_token_id": IDS["<|startoftranscript|>"],
        "init_std": 0.2,  # sharper than the usual 0.02: greedy choices do not tie
    }
    return WhisperConfig(**(settings | changes))


def tiny_generation_config() -> GenerationConfig:
    return GenerationConfig(
        max_length=448,
        bos_token_id=IDS["<|endoftext|>"],
        eos_token_id=IDS["<|endoftext|>"],
        pad_token_id=IDS["<|endoftext|>"],
        decoder_start_token_id=IDS["<|startoftranscript|>"],
        is_multilingual=True,
        lang_to_id={f"<|{language}|>": IDS[f"<|{language}|>"] for language in LANGUAGES},
        task_to_id={task: IDS[f"<|{task}|>"] for task in TASKS},
        no_timestamps_token_id=IDS["<|notimestamps|>"],
        prev_sot_token_id=IDS["<|startofprev|>"],
        suppress_tokens=suppressed(),
        begin_suppress_tokens=[32, IDS["<|endoftext|>"]],
    )


def suppressed() -> list[int]:
    """A few ordinary tokens, and the timestamps: random weights would say them, and ``generate``
    would then seek and decode again, which trained weights without timestamps do not do."""
    return [1, 2, IDS["<|startoflm|>"], IDS["<|nospeech|>"], *(IDS[token] for token in TIMESTAMPS)]


def save_tokenizer(folder: Path) -> None:
    vocabulary = {byte: i for i, byte in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    tokenizer.add_tokens([AddedToken(token, special=False) for token in TIMESTAMPS])
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {
        "tokenizer_class": "WhisperTokenizer",
        "bos_token": "<|endoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": SPECIAL,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2))
