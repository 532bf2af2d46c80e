"""Decoding rules of a checkpoint: prompt, filters, end and length, read from its own files.

The length limit follows transformers: `max_length` counts the prompt, is raised by the prompt's
length and then cut to the decoder's positions, which for every published Whisper leaves
448 - len(prompt) new tokens.
"""

import logging
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.prompt import ENGLISH, is_english_only, prompt_ids
from whisper_qat.infer.decoding.token_filters import TokenFilters
from whisper_qat.runs.folders import read_json

logger = logging.getLogger(__name__)
FROM_CONFIG = ("max_target_positions", "decoder_start_token_id", "eos_token_id")


@dataclass(frozen=True, kw_only=True)
class DecodingRules:
    """Prompt, filters, end tokens and length limit of decoding.

    `max_new_tokens` does not count the prompt; any of `end_ids` ends decoding earlier. `language`
    is the one decoded: English for an English-only checkpoint, whatever was asked for.
    """

    prompt: tuple[int, ...]
    filters: TokenFilters
    end_ids: frozenset[int]
    max_new_tokens: int
    language: str


def read_rules(
    folder: str | Path,
    *,
    language: str,
    task: str = "transcribe",
    max_new_tokens: int | None = None,
    timestamps: bool = False,
) -> DecodingRules:
    """Read the rules of a checkpoint or ONNX folder; `max_new_tokens` overrides its limit.

    InputError for a language, task or timestamps that the checkpoint does not support, or a limit
    that does not fit. The default language must not make an English-only checkpoint fail, so such
    a checkpoint takes any language, and a note says once that it is not used.
    """
    config = read_json(Path(folder) / "config.json")
    # Only these: a list that generation_config.json leaves out is empty, whatever config.json says.
    generation = {name: config[name] for name in FROM_CONFIG if name in config}
    generation |= read_json(Path(folder) / "generation_config.json")
    if is_english_only(generation) and language != ENGLISH:
        _note_english_only(str(folder), language)
        language = ENGLISH
    try:
        return _rules(generation, language, task, max_new_tokens, timestamps)
    except InputError as error:
        raise InputError(f"{folder}: {error}") from None
    except KeyError as error:
        raise InputError(f"{folder}: no {error} in generation_config.json or config.json") from None


@cache  # once for each folder in a process, however often its rules are read
def _note_english_only(folder: str, language: str) -> None:
    logger.info(f"{folder}: an English-only checkpoint; language {language!r} is not used")


def _rules(
    generation: dict[str, Any], language: str, task: str, asked: int | None, timestamps: bool
) -> DecodingRules:
    prompt = prompt_ids(generation, language=language, task=task, timestamps=timestamps)
    end = generation["eos_token_id"]
    return DecodingRules(
        prompt=prompt,
        filters=TokenFilters.from_generation(generation, timestamps=timestamps),
        end_ids=frozenset(end if isinstance(end, list) else [end]),
        max_new_tokens=new_token_limit(generation, len(prompt), asked),
        language=language,
    )


def new_token_limit(generation: dict[str, Any], prompt_length: int, asked: int | None) -> int:
    """Maximum of new tokens: `asked`, else the config's `max_new_tokens`, else its `max_length`."""
    positions = generation["max_target_positions"]
    limit = asked or generation.get("max_new_tokens")
    if limit is None:
        limit = min((generation.get("max_length") or positions), positions - prompt_length)
    if prompt_length + limit > positions:
        raise InputError(
            f"max_new_tokens {limit}: with a prompt of {prompt_length} the decoder has "
            f"{positions} positions; at most {positions - prompt_length}"
        )
    return limit
