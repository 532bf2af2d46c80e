"""Prompt ids from generation configs of each kind."""

import pytest

from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.prompt import prompt_ids

GENERATION = {
    "decoder_start_token_id": 50258,
    "is_multilingual": True,
    "lang_to_id": {"<|en|>": 50259, "<|fr|>": 50265},
    "task_to_id": {"transcribe": 50359, "translate": 50358},
    "no_timestamps_token_id": 50363,
}


def test_french_prompt_of_whisper():
    ids = prompt_ids(GENERATION, language="fr", task="transcribe")
    assert ids == (50258, 50265, 50359, 50363)


def test_task_is_that_asked_for():
    assert prompt_ids(GENERATION, language="en", task="translate")[1:3] == (50259, 50358)


def test_no_timestamps_token_is_left_out_where_there_is_none():
    generation = GENERATION | {"no_timestamps_token_id": None}
    assert prompt_ids(generation, language="fr", task="transcribe") == (50258, 50265, 50359)


def test_a_prompt_for_timestamps_does_not_forbid_them():
    ids = prompt_ids(GENERATION, language="fr", task="transcribe", timestamps=True)
    assert ids == (50258, 50265, 50359)


def test_english_only_checkpoint():
    generation = {"decoder_start_token_id": 50257, "is_multilingual": False}
    generation["no_timestamps_token_id"] = 50362
    for language in ("en", "fr"):
        assert prompt_ids(generation, language=language, task="transcribe") == (50257, 50362)
    timed = prompt_ids(generation, language="en", task="transcribe", timestamps=True)
    assert timed == (50257,)
    with pytest.raises(InputError, match="task 'translate': this checkpoint is English-only"):
        prompt_ids(generation, language="en", task="translate")


@pytest.mark.parametrize(
    ("changes", "asked", "message"),
    [
        ({}, {"language": "fra"}, "language 'fra': unknown to this checkpoint.*did you mean 'fr'"),
        ({}, {"task": "transcript"}, "task 'transcript': unknown.*did you mean 'transcribe'"),
        ({"lang_to_id": None}, {}, "no 'lang_to_id'; copy the file"),
    ],
    ids=["language", "task", "old config"],
)
def test_what_a_checkpoint_lacks_is_named(changes, asked, message):
    with pytest.raises(InputError, match=message):
        prompt_ids(GENERATION | changes, **({"language": "fr", "task": "transcribe"} | asked))
