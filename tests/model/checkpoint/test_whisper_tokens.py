"""Tokenizer files from a tokenizer.json alone, with the layouts of base, large-v3 and .en."""

import json

import pytest
from transformers import AutoTokenizer, WhisperTokenizer

from tests.model.ct2_whisper import END, V3_VOCABULARY, v3_tokenizer
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.whisper_tokens import (
    read_tokenizer,
    special_tokens,
    write_tokenizer,
)


def saved(tokenizer, folder):
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(tokenizer))
    return path


def test_missing_timestamps_are_added_and_are_not_special(tmp_path):
    """A tokenizer.json without timestamps, as of Whisper base, becomes the one that has them."""
    assert not json.dumps(v3_tokenizer(timestamps=False)).count("<|29.98|>")
    path = saved(v3_tokenizer(timestamps=False), tmp_path)
    assert read_tokenizer(path, V3_VOCABULARY) == v3_tokenizer()


def test_a_complete_tokenizer_stays_as_it_is(tmp_path):
    path = saved(v3_tokenizer(), tmp_path)
    assert read_tokenizer(path, V3_VOCABULARY) == v3_tokenizer()


def test_ids_of_large_v3():
    tokens = special_tokens(v3_tokenizer())
    assert (tokens.end, tokens.start, tokens.previous) == (50257, 50258, 50362)
    assert tokens.no_timestamps == 50364
    assert tokens.tasks == {"transcribe": 50360, "translate": 50359}
    assert len(tokens.languages) == 100
    assert (tokens.languages["<|en|>"], tokens.languages["<|fr|>"]) == (50259, 50265)
    assert (tokens.languages["<|haw|>"], tokens.languages["<|yue|>"]) == (50352, 50358)


@pytest.mark.parametrize("loader", [AutoTokenizer, WhisperTokenizer], ids=lambda x: x.__name__)
def test_transformers_loads_it(tmp_path, loader):
    write_tokenizer(v3_tokenizer(), tmp_path)
    tokenizer = loader.from_pretrained(tmp_path, language="fr", task="transcribe")
    assert len(tokenizer) == V3_VOCABULARY
    assert {tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id} == {END}
    assert tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>"]) == [50365, 51865]
    assert tokenizer.prefix_tokens == [50258, 50265, 50360, 50364]
    ids = tokenizer("C'est l'été, où ça ?").input_ids
    assert (ids[0], ids[-1]) == (50258, END)
    assert tokenizer.decode(ids, skip_special_tokens=True) == "C'est l'été, où ça ?"
    assert tokenizer.decode([50365, *ids, 50465], skip_special_tokens=True).startswith("C'est")


def test_merges_as_pairs_are_written_as_lines(tmp_path):
    tokenizer = v3_tokenizer()
    tokenizer["model"]["merges"] = [["a", "b"], "c d"]
    write_tokenizer(tokenizer, tmp_path)
    assert (tmp_path / "merges.txt").read_text() == "#version: 0.2\na b\nc d\n"


def without(*tokens):
    tokenizer = v3_tokenizer()
    added = [t for t in tokenizer["added_tokens"] if t["content"] not in tokens]
    return tokenizer | {"added_tokens": added}


@pytest.mark.parametrize(
    ("tokenizer", "size", "message"),
    [
        (
            v3_tokenizer(),
            V3_VOCABULARY - 1,
            "has token id 51865, the model's vocabulary ends at 51864",
        ),
        (v3_tokenizer(timestamps=False), 50366, "not from one checkpoint"),
        (without("<|notimestamps|>"), V3_VOCABULARY, r"not a Whisper tokenizer \(no '<\|notimes"),
        ({"model": {}}, V3_VOCABULARY, r"not a Whisper tokenizer \(no 'vocab'\)"),
    ],
    ids=["base model, v3 tokenizer", "no room for timestamps", "no steering", "no vocabulary"],
)
def test_a_tokenizer_of_another_model_is_refused(tmp_path, tokenizer, size, message):
    with pytest.raises(InputError, match=message):
        read_tokenizer(saved(tokenizer, tmp_path), size)


def test_a_missing_steering_token_is_named():
    with pytest.raises(InputError, match=r"not a Whisper tokenizer \(no '<\|transcribe\|>'\)"):
        special_tokens(without("<|transcribe|>"))


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(InputError, match=r"tokenizer\.json: missing; copy tokenizer\.json from"):
        read_tokenizer(tmp_path / "tokenizer.json", V3_VOCABULARY)
