"""Reads Whisper's special tokens from ``tokenizer.json``, and writes the other tokenizer files.

A faster-whisper folder has only tokenizer.json, and older ones lack the 1501 timestamps that follow
``<|notimestamps|>``. These are added as tokens that are not special, as in the published
checkpoints, so that the tokenizer is as large as the model's vocabulary.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json, write_json

END = "<|endoftext|>"
START = "<|startoftranscript|>"
NO_TIMESTAMPS = "<|notimestamps|>"
PREVIOUS = "<|startofprev|>"
TASKS = ("transcribe", "translate")
LANGUAGE = re.compile(r"<\|[a-z]{2,3}\|>")
TIMESTAMP = re.compile(r"<\|\d+\.\d\d\|>")
TIMESTAMPS = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]  # 0 to 30 s


@dataclass(frozen=True, kw_only=True)
class SpecialTokens:
    """Ids of the tokens that control Whisper; ``languages`` maps ``<|fr|>`` to its id."""

    end: int
    start: int
    previous: int
    no_timestamps: int
    tasks: dict[str, int]
    languages: dict[str, int]


def read_tokenizer(path: Path, vocab_size: int) -> dict[str, Any]:
    """Read tokenizer.json, adding missing timestamps; InputError when it is not this model's."""
    if not path.is_file():
        raise InputError(f"{path}: missing; copy tokenizer.json from the model it was made from")
    tokenizer = read_json(path)
    try:
        ids = {**tokenizer["model"]["vocab"], **_added_ids(tokenizer)}
        next_id = ids[NO_TIMESTAMPS] + 1
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a Whisper tokenizer (no {error})") from None
    missing = [t for t in enumerate(TIMESTAMPS, start=next_id) if t[1] not in ids]
    tokenizer["added_tokens"] += [_make_added_token(i, token) for i, token in missing]
    largest = max(*ids.values(), next_id + len(TIMESTAMPS) - 1)
    if largest >= vocab_size:
        raise InputError(
            f"{path}: has token id {largest}, the model's vocabulary ends at {vocab_size - 1}; "
            "tokenizer and model are not from one checkpoint"
        )
    return tokenizer


def special_tokens(tokenizer: dict[str, Any]) -> SpecialTokens:
    """Return the control tokens of a tokenizer.json; InputError names one that is missing."""
    ids = {**tokenizer["model"]["vocab"], **_added_ids(tokenizer)}
    needed = [END, START, PREVIOUS, NO_TIMESTAMPS, *(f"<|{task}|>" for task in TASKS)]
    absent = [token for token in needed if token not in ids]
    if absent:
        raise InputError(f"tokenizer.json: not a Whisper tokenizer (no {absent[0]!r})")
    return SpecialTokens(
        end=ids[END],
        start=ids[START],
        previous=ids[PREVIOUS],
        no_timestamps=ids[NO_TIMESTAMPS],
        tasks={task: ids[f"<|{task}|>"] for task in TASKS},
        languages={token: i for token, i in ids.items() if LANGUAGE.fullmatch(token)},
    )


def write_tokenizer(tokenizer: dict[str, Any], folder: Path) -> None:
    """Write all files from which transformers loads a Whisper tokenizer, slow or fast."""
    write_json(folder / "tokenizer.json", tokenizer)
    write_json(folder / "vocab.json", tokenizer["model"]["vocab"])
    merges = [m if isinstance(m, str) else " ".join(m) for m in tokenizer["model"]["merges"]]
    text = "\n".join(["#version: 0.2", *merges]) + "\n"
    (folder / "merges.txt").write_text(text, encoding="utf-8")
    added = sorted(tokenizer["added_tokens"], key=lambda token: token["id"])
    roles = {f"{role}_token": END for role in ("bos", "eos", "pad", "unk")}
    steering = [t["content"] for t in added if not TIMESTAMP.fullmatch(t["content"])]
    write_json(folder / "special_tokens_map.json", roles | {"additional_special_tokens": steering})
    settings = {
        "tokenizer_class": "WhisperTokenizer",
        "processor_class": "WhisperProcessor",
        "additional_special_tokens": steering,
        "added_tokens_decoder": {
            str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in added
        },
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "errors": "replace",
        "model_max_length": 1024,
        "return_attention_mask": False,
    }
    write_json(folder / "tokenizer_config.json", roles | settings)


def _added_ids(tokenizer: dict[str, Any]) -> dict[str, int]:
    return {token["content"]: token["id"] for token in tokenizer["added_tokens"]}


def _make_added_token(token_id: int, content: str) -> dict[str, Any]:
    kinds = ("single_word", "lstrip", "rstrip", "normalized", "special")
    return {"id": token_id, "content": content} | dict.fromkeys(kinds, False)
