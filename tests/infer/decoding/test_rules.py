"""What a checkpoint's files say about decoding, and limits that do not fit."""

import json

import pytest

from tests.tiny_whisper import make_english_only
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.rules import new_token_limit, read_rules

POSITIONS = {"max_target_positions": 448}


@pytest.mark.parametrize(
    ("generation", "asked", "limit"),
    [
        ({"max_length": 448}, None, 444),
        ({"max_length": 20}, None, 20),
        ({}, None, 444),
        ({"max_length": 448}, 32, 32),
        ({"max_length": 448, "max_new_tokens": 128}, None, 128),
        ({"max_length": 448}, 444, 444),
    ],
    ids=["whisper", "short max_length", "no limit", "asked", "config's new tokens", "just fits"],
)
def test_limit_of_new_tokens_is_that_of_transformers(generation, asked, limit):
    assert new_token_limit(POSITIONS | generation, 4, asked) == limit


def test_a_limit_beyond_the_positions_is_refused():
    with pytest.raises(InputError, match="max_new_tokens 445: .* at most 444"):
        new_token_limit(POSITIONS, 4, 445)


def test_rules_of_a_checkpoint(tiny_whisper):
    rules = read_rules(tiny_whisper, language="fr")
    generation = json.loads((tiny_whisper / "generation_config.json").read_text())
    assert len(rules.prompt) == 4
    assert rules.max_new_tokens == 444
    assert rules.language == "fr"
    assert rules.end_ids == {generation["eos_token_id"]}
    assert list(rules.filters.begin_suppress) == generation["begin_suppress_tokens"]


def test_errors_name_the_folder(tiny_whisper):
    with pytest.raises(InputError, match=f"{tiny_whisper.name}: language 'xx'"):
        read_rules(tiny_whisper, language="xx")


def test_an_english_only_checkpoint_says_once_that_no_language_is_used(
    tiny_whisper_folder, tmp_path, caplog
):
    """The default language is French, so a language that is not used must not be an error."""
    folder = make_english_only(tiny_whisper_folder(tmp_path / "english"))
    found = [read_rules(folder, language=language) for language in ("fr", "fr", "en")]
    assert [len(rules.prompt) for rules in found] == [2, 2, 2]
    assert {rules.language for rules in found} == {"en"}
    note = f"{folder}: an English-only checkpoint; language 'fr' is not used"
    assert caplog.messages == [note]


def test_english_asked_of_an_english_only_checkpoint_needs_no_note(
    tiny_whisper_folder, tmp_path, caplog
):
    read_rules(make_english_only(tiny_whisper_folder(tmp_path / "english")), language="en")
    assert caplog.messages == []


def test_an_english_only_checkpoint_does_not_translate(tiny_english_whisper):
    with pytest.raises(InputError, match="task 'translate': this checkpoint is English-only"):
        read_rules(tiny_english_whisper, language="en", task="translate")


def test_timestamps_shorten_the_prompt_and_need_a_checkpoint_that_has_them(
    tiny_whisper_folder, tmp_path
):
    folder = tiny_whisper_folder(tmp_path)
    rules = read_rules(folder, language="fr", timestamps=True)
    assert len(rules.prompt) == 3 and rules.max_new_tokens == 445
    path = folder / "generation_config.json"
    without = json.loads(path.read_text()) | {"no_timestamps_token_id": None}
    path.write_text(json.dumps(without))
    with pytest.raises(InputError, match=f"{tmp_path.name}: timestamps: this checkpoint has none"):
        read_rules(folder, language="fr", timestamps=True)
