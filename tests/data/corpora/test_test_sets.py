"""Corpora of an evaluation: names, draws, left-out clips, reasons."""

import pytest

from tests.tasks.evaluation_folders import write_clips
from whisper_qat.data.corpora.test_sets import check_names, gather, name_of_test_set
from whisper_qat.errors import InputError


def collect(corpora, test_data, tmp_path, max_samples=None, seed=0, config=""):
    (tmp_path / "corpora.yaml").write_text(config)
    return gather(
        corpora,
        test_data,
        corpora_config=tmp_path / "corpora.yaml",
        max_samples=max_samples,
        seed=seed,
    )


def test_name_of_a_test_set_is_its_file_or_folder(tmp_path):
    manifest = write_clips(tmp_path / "calls.v2", (1.0,), name="eval_data.jsonl")
    assert name_of_test_set(str(manifest)) == "eval_data"
    assert name_of_test_set(str(manifest.parent)) == "calls.v2"
    assert name_of_test_set("google/fleurs") == "fleurs"


def test_unreachable_corpora_do_not_stop_the_others(tmp_path):
    manifest = write_clips(tmp_path / "data")
    config = "zaion5:\n  path: nowhere/zaion5.jsonl\n"
    missing, there = collect(["zaion5"], str(manifest), tmp_path, config=config)
    assert missing.describe()["status"] == "unreachable"
    assert "nowhere/zaion5.jsonl is not there" in (missing.reason or "")
    facts = there.describe()
    assert (facts["status"], facts["clips"], facts["audio_s"]) == ("measured", 3, 4.5)


def test_a_misspelt_name_is_an_error(tmp_path):
    with pytest.raises(InputError, match="did you mean 'zaion5'"):
        collect(["zaoin5"], None, tmp_path, config="zaion5:\n  path: x.jsonl\n")


def test_draw_is_seeded(tmp_path):
    manifest = str(write_clips(tmp_path / "data", seconds=[0.5] * 12))
    draws = [collect([], manifest, tmp_path, max_samples=4, seed=seed)[0] for seed in (0, 0, 1)]
    ids = [[clip.id for clip in draw.clips] for draw in draws]
    assert ids[0] == ids[1] != ids[2] and len(ids[0]) == 4


def test_nothing_usable_is_a_reason(tmp_path):
    manifest = write_clips(tmp_path / "data", (1.0,))
    (tmp_path / "data" / "clip0.wav").write_bytes(b"RIFF")
    (corpus,) = collect([], str(manifest), tmp_path)
    assert corpus.describe()["status"] == "unreachable"
    assert "no usable clip among 1 (" in corpus.reason and "clip0.wav" in corpus.reason


def test_fingerprint_follows_ids_and_texts(tmp_path):
    manifest = write_clips(tmp_path / "data")
    (before,) = collect([], str(manifest), tmp_path)
    (again,) = collect([], str(manifest), tmp_path)
    manifest.write_text(manifest.read_text().replace("phrase", "parole"))
    (after,) = collect([], str(manifest), tmp_path)
    assert before.fingerprint == again.fingerprint != after.fingerprint


@pytest.mark.parametrize(
    ("corpora", "test_data", "message"),
    [
        ([], None, "nothing to measure on"),
        (["fleurs-fr", "fleurs-fr"], None, "'fleurs-fr' is asked for twice"),
        (["prompts"], "data/prompts", "'prompts' is asked for twice"),
    ],
)
def test_names_that_cannot_be(corpora, test_data, message):
    with pytest.raises(InputError, match=message):
        check_names(corpora, test_data)
