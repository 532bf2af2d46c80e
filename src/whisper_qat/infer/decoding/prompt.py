"""The decoder prompt: start, language, task and no-timestamps ids of a generation config.

Built from the content of `generation_config.json`, as transformers' `generate` builds it for
`language=..., task=...` with and without timestamps (tested against it).
"""

from collections.abc import Mapping
from typing import Any

from whisper_qat.errors import InputError, nearest

ENGLISH = "en"


def prompt_ids(
    generation: Mapping[str, Any], *, language: str, task: str, timestamps: bool = False
) -> tuple[int, ...]:
    """Token ids that decoding starts with; InputError for an unsupported language or task.

    An English-only checkpoint has no token for the language, so that `language` is not used.
    """
    start = int(generation["decoder_start_token_id"])
    if is_english_only(generation):
        ids = _english_only(task)
    else:
        ids = (
            _look_up(generation, "lang_to_id", f"<|{language}|>", f"language {language!r}"),
            _look_up(generation, "task_to_id", task, f"task {task!r}"),
        )
    no_timestamps = None if timestamps else generation.get("no_timestamps_token_id")
    return (start, *ids, *(() if no_timestamps is None else (int(no_timestamps),)))


def is_english_only(generation: Mapping[str, Any]) -> bool:
    """Whether the checkpoint was trained on English alone; its prompt names no language or task."""
    return generation.get("is_multilingual") is False


def _english_only(task: str) -> tuple[int, ...]:
    if task != "transcribe":
        raise InputError(
            f"task {task!r}: this checkpoint is English-only "
            "(is_multilingual false in generation_config.json); it can only transcribe"
        )
    return ()


def _look_up(generation: Mapping[str, Any], table: str, key: str, what: str) -> int:
    ids = generation.get(table)
    if not ids:
        raise InputError(
            f"generation_config.json: no {table!r}; copy the file from the checkpoint this model "
            "was made from"
        )
    if key not in ids:
        close = nearest(key, ids).replace("<|", "").replace("|>", "")
        raise InputError(f"{what}: unknown to this checkpoint ({table}){close}")
    return int(ids[key])
