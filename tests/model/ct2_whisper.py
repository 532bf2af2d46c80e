"""A faster-whisper folder with random weights, made from a transformers state dict.

The tokenizer has large-v3's layout: 50257 ordinary tokens, 100 languages, 1501 timestamps.
"""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from tests.model.ct2_bytes import write_model

V3_VOCABULARY = 51866
END = 50257
SUPPRESSED, BEGIN_SUPPRESSED = [1, 2, 7, 50259], [220, END]
HEADS = [[0, 1], [1, 0]]


def distilled_model(**changes: object) -> WhisperForConditionalGeneration:
    """4 + 2 layers, 128 mels, 51866 tokens, d 32; every parameter random, none zero or one."""
    settings = {
        "vocab_size": V3_VOCABULARY, "num_mel_bins": 128, "d_model": 32, "encoder_layers": 4,
        "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 2,
        "encoder_ffn_dim": 96, "decoder_ffn_dim": 64, "pad_token_id": END, "bos_token_id": END,
        "eos_token_id": END, "decoder_start_token_id": END + 1,
    }  # fmt: skip
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(WhisperConfig(**(settings | changes)))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.half().float()  # numbers that float16 holds


def variables_of(model: WhisperForConditionalGeneration, dtype: str = "float16") -> dict:
    """The model's parameters as CTranslate2 names and fuses them, with its options."""
    w = {name: p.detach().numpy().astype(dtype) for name, p in model.named_parameters()}
    out: dict[str, np.ndarray] = {
        "decoder/embeddings/weight": w["model.decoder.embed_tokens.weight"]
    }
    for conv in ("conv1", "conv2"):
        for leaf in ("weight", "bias"):
            out[f"encoder/{conv}/{leaf}"] = w[f"model.encoder.{conv}.{leaf}"]
    for side, count in (
        ("encoder", model.config.encoder_layers),
        ("decoder", model.config.decoder_layers),
    ):
        positions = getattr(model.model, side).embed_positions.weight.detach().numpy()
        out[f"{side}/position_encodings/encodings"] = positions.astype(dtype)
        _norm(out, f"{side}/layer_norm", w, f"model.{side}.layer_norm")
        for i in range(count):
            layer, name = f"{side}/layer_{i}", f"model.{side}.layers.{i}"
            _norm(out, f"{layer}/self_attention/layer_norm", w, f"{name}.self_attn_layer_norm")
            _linear(out, f"{layer}/self_attention/linear_0", w, f"{name}.self_attn", "qkv")
            _linear(out, f"{layer}/self_attention/linear_1", w, f"{name}.self_attn", ["out"])
            _norm(out, f"{layer}/ffn/layer_norm", w, f"{name}.final_layer_norm")
            for j, fc in enumerate(("fc1", "fc2")):
                out[f"{layer}/ffn/linear_{j}/weight"] = w[f"{name}.{fc}.weight"]
                out[f"{layer}/ffn/linear_{j}/bias"] = w[f"{name}.{fc}.bias"]
            if side == "decoder":
                _norm(out, f"{layer}/attention/layer_norm", w, f"{name}.encoder_attn_layer_norm")
                for j, parts in enumerate(("q", "kv", ["out"])):
                    _linear(out, f"{layer}/attention/linear_{j}", w, f"{name}.encoder_attn", parts)
    return out | flags(model.config)


def _norm(out: dict, name: str, w: dict, source: str) -> None:
    out[f"{name}/gamma"], out[f"{name}/beta"] = w[f"{source}.weight"], w[f"{source}.bias"]


def _linear(out: dict, name: str, w: dict, source: str, parts: list[str] | str) -> None:
    weights = [w[f"{source}.{x}_proj.weight"] for x in parts]
    zeros = np.zeros(len(weights[0]), weights[0].dtype)
    out[f"{name}/weight"] = np.concatenate(weights)
    out[f"{name}/bias"] = np.concatenate([w.get(f"{source}.{x}_proj.bias", zeros) for x in parts])


def flags(config: WhisperConfig) -> dict:
    int8 = {"activation": 3, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0,
            "start_from_zero_embedding": 0}  # fmt: skip
    int16 = {"alignment_heads": 1, "alignment_layer": -1}
    return {
        **{f"decoder/{name}": np.int8(value) for name, value in int8.items()},
        **{f"decoder/{name}": np.int16(value) for name, value in int16.items()},
        "encoder/num_heads": np.int16(config.encoder_attention_heads),
        "decoder/num_heads": np.int16(config.decoder_attention_heads),
    }


def special(*, languages: list[str], nospeech: str = "<|nospeech|>") -> list[str]:
    steering = ["<|endoftext|>", "<|startoftranscript|>", *(f"<|{x}|>" for x in languages)]
    steering += ["<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>"]
    return [*steering, nospeech, "<|notimestamps|>"]


def v3_tokenizer(*, timestamps: bool = True) -> dict:
    """Byte tokens, fillers up to 50256, then the special tokens of large-v3."""
    return _tokenizer(END, list(LANGUAGES), timestamps=timestamps)


def english_tokenizer() -> dict:
    """The layout of an .en model: one ordinary token less, 99 languages, no timestamps."""
    return _tokenizer(END - 1, list(LANGUAGES)[:99], timestamps=False)


def _tokenizer(end: int, languages: list[str], *, timestamps: bool) -> dict:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    letters += [f"filler{i}" for i in range(end - len(letters))]
    tokens = special(languages=languages)
    if timestamps:
        tokens += [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    kinds = ("single_word", "lstrip", "rstrip", "normalized")
    added = [
        {"id": end + i, "content": token} | dict.fromkeys(kinds, False)
        | {"special": "." not in token}
        for i, token in enumerate(tokens)
    ]  # fmt: skip
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
        "normalizer": None, "pre_tokenizer": byte_level, "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
            "end_of_word_suffix": "", "fuse_unk": False,
            "vocab": {token: i for i, token in enumerate(letters)}, "merges": [],
        },
    }  # fmt: skip


def save_folder(folder: Path, variables: dict, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    tied = {"decoder/projection/weight": "decoder/embeddings/weight"}
    write_model(folder / "model.bin", variables, **({"aliases": tied} | changes))
    settings = {"suppress_ids": SUPPRESSED, "suppress_ids_begin": BEGIN_SUPPRESSED,
                "alignment_heads": HEADS, "lang_ids": list(range(50259, 50359))}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "tokenizer.json").write_text(json.dumps(v3_tokenizer()))
    return folder
