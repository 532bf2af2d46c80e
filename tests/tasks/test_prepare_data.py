import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from whisper_qat.cli.command import main
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.source import JOURNAL_NAME, load_splits
from whisper_qat.data.clips.split import text_key
from whisper_qat.data.corpora import debian_packages
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_manifest
from whisper_qat.tasks import prepare_data
from whisper_qat.tasks.prepare_data import PrepareDataConfig, run


@pytest.fixture
def source(tmp_path) -> Path:
    """30 clips in 20 texts, and one of each kind that cannot be used."""
    rng = np.random.default_rng(0)
    rows = []
    for i in range(30):
        soundfile.write(tmp_path / f"c{i}.wav", rng.uniform(-0.3, 0.3, 4_000), 8_000)
        rows.append({"audio": f"c{i}.wav", "text": f"Phrase {i % 20}."})
    soundfile.write(tmp_path / "silent.wav", np.zeros(8_000), 8_000)
    soundfile.write(tmp_path / "long.wav", rng.uniform(-0.3, 0.3, 31 * 8_000), 8_000)
    (tmp_path / "words.wav").write_text("not audio")
    for name in ("silent", "long", "words", "missing"):
        rows.append({"audio": f"{name}.wav", "text": "Autre."})
    rows.append({"audio": "c0.wav", "id": "textless", "text": "..."})
    return write_lines(tmp_path / "source.jsonl", rows)


def write_lines(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def make_config(source, tmp_path) -> Callable[..., PrepareDataConfig]:
    def make(**changes):
        values = {"source": str(source), "output_dir": str(tmp_path / "out")} | changes
        return PrepareDataConfig(**values)

    return make


def test_folder_is_whole_and_read_by_the_others(make_config, tmp_path, capsys):
    run(make_config())
    splits = load_splits(tmp_path / "out")
    assert {name: len(clips) for name, clips in splits.items()} == {
        "train": 22,
        "validation": 3,
        "test": 5,
    }
    clip = splits["test"][0]
    assert clip.duration_s == 0.5 and len(read_audio(clip)) == 8_000
    texts = [{text_key(clip.text) for clip in clips} for clips in splits.values()]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
    assert "train             22" in capsys.readouterr().out


def test_what_is_left_out_is_listed_with_the_reason(make_config, tmp_path):
    run(make_config())
    lines = (tmp_path / "out" / "left_out.jsonl").read_text().splitlines()
    reasons = {row["id"]: row["reason"] for row in map(json.loads, lines)}
    assert reasons["silent"].startswith("silent (peak")
    assert reasons["long"] == "too long (31.0 s, the limit is 30 s)"
    assert reasons["words"].startswith("not audio that can be read")
    assert reasons["missing"] == "no such audio file"
    assert reasons["textless"] == "no text ('...')"
    assert sum(read_manifest(tmp_path / "out")["left_out"].values()) == len(reasons) == 5


def test_manifest_records_inputs_sizes_and_hashes(make_config, source, tmp_path):
    run(make_config())
    manifest = read_manifest(tmp_path / "out")
    assert manifest["kind"] == "dataset"
    assert len(manifest["inputs"][str(source)]) == 64
    train = manifest["splits"]["train"]
    assert (train["clips"], train["words"], len(train["sha256"])) == (22, 44, 64)
    assert train["hours"] == pytest.approx(22 * 0.5 / 3600, abs=1e-4)
    assert manifest["notes"] == ["no two speakers are known: the splits are apart by text only"]
    run(make_config(output_dir=str(tmp_path / "again")))
    again = read_manifest(tmp_path / "again")
    assert again["splits"] == manifest["splits"]


def test_a_finished_folder_is_left_alone(make_config, tmp_path, caplog, monkeypatch):
    run(make_config())
    before = (tmp_path / "out" / "manifest.json").stat().st_mtime_ns
    monkeypatch.setattr(prepare_data, "collect", lambda config: pytest.fail("did work"))
    run(make_config())
    assert "finished before, nothing to do" in caplog.text
    assert (tmp_path / "out" / "manifest.json").stat().st_mtime_ns == before


def test_other_settings_are_refused_by_name(make_config, source):
    run(make_config())
    with pytest.raises(InputError, match=r"other settings \(seed=42, now 7\)"):
        run(make_config(seed=7))
    source.write_text(source.read_text().replace("Autre", "Autres"))
    with pytest.raises(InputError, match=r"source\.jsonl has changed since"):
        run(make_config())


def test_an_interrupted_run_goes_on(make_config, tmp_path, monkeypatch):
    config, seen = make_config(), []
    collection = prepare_data.collect(config)

    def interrupt_after_ten(clip):
        seen.append(clip.id)
        if len(seen) == 10:
            raise KeyboardInterrupt
        return read_audio(clip)

    broken = prepare_data.replace(collection, read=interrupt_after_ten)
    monkeypatch.setattr(prepare_data, "collect", lambda config: broken)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on from here"):
        run(config)
    assert (tmp_path / "out" / JOURNAL_NAME).exists()
    with pytest.raises(InputError, match="unfinished; run prepare_data"):
        load_splits(tmp_path / "out")
    with pytest.raises(InputError, match="other settings"):
        run(make_config(seed=7))
    seen.clear()
    counting = prepare_data.replace(collection, read=lambda c: seen.append(1) or read_audio(c))
    monkeypatch.setattr(prepare_data, "collect", lambda config: counting)
    run(config)
    assert 0 < len(seen) < 34
    assert not (tmp_path / "out" / JOURNAL_NAME).exists()


def test_own_splits_are_kept_and_made_apart(tmp_path, source):
    folder = tmp_path / "own"
    folder.mkdir()
    row = {"audio": str(source.parent / "c1.wav")}
    train = [row | {"id": str(i), "text": f"texte {i}"} for i in range(20)]
    write_lines(folder / "train.jsonl", train)
    write_lines(folder / "test.jsonl", [row | {"id": "0", "text": "Texte 3 !"}])
    run(PrepareDataConfig(source=str(folder), output_dir=str(tmp_path / "out"), max_samples=16))
    splits = load_splits(tmp_path / "out")
    assert [c.id for c in splits["test"]] == ["test/0"]  # both splits had an id 0
    assert len(splits["train"]) + len(splits["validation"]) == 16
    left_out = (tmp_path / "out" / "left_out.jsonl").read_text()
    assert json.loads(left_out) == {"id": "3", "reason": "text is also in test"}


def test_max_samples_is_a_recorded_draw(make_config, tmp_path):
    run(make_config(max_samples=12))
    manifest = read_manifest(tmp_path / "out")
    assert sum(split["clips"] for split in manifest["splits"].values()) <= 12
    assert manifest["drawn"]["limit"] == 12
    assert manifest["drawn"]["found"].startswith("35 clips")
    assert manifest["config"]["max_samples"] == 12


def test_a_folder_of_something_else_is_not_touched(make_config, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(InputError, match="holds files of something else"):
        run(make_config())
    with pytest.raises(InputError, match="a file, expected a folder"):
        run(make_config(output_dir=str(tmp_path / "out" / "thesis.tex")))


def test_no_usable_clip(make_config, tmp_path):
    only = write_lines(tmp_path / "bad.jsonl", [{"audio": "silent.wav", "text": "a"}])
    with pytest.raises(
        InputError, match=r"no usable clip among 1; the first: silent: silent \(peak"
    ):
        run(make_config(source=str(only)))


def test_too_few_clips_to_divide(make_config, tmp_path):
    rows = [{"audio": f"c{i}.wav", "text": str(i)} for i in range(2)]
    few = write_lines(tmp_path / "few.jsonl", rows)
    with pytest.raises(InputError, match=r"nothing left for \w+: 2 groups of clips"):
        run(make_config(source=str(few)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train_fraction": 0.9}, r"split fractions 0.9 \+ 0.1 \+ 0.2: expected .* a sum of 1"),
        ({"train_fraction": 1.1, "test_fraction": -0.2}, "expected none below 0"),
        ({"max_samples": 0}, "--max_samples 0: expected at least 1"),
        ({"source": "telephone-fr", "text_field": "x"}, "--text_field: telephone-fr has one kind"),
        ({"archive": "x.tar"}, "--archive is for --source common-voice-fr"),
    ],
)
def test_settings_that_make_no_sense(make_config, changes, message):
    with pytest.raises(InputError, match=message):
        make_config(**changes)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("telephone", "no such file or folder.*did you mean 'telephone-fr'"),
        ("xyz", "no such file or folder.*the names: telephone-fr, telephone-en, common-voice-fr"),
        ("common-voice-fr", "download the French release"),
        ("fleurs-fr", "not to be had from the Hub"),
    ],
)
def test_sources_that_cannot_be_had(make_config, name, message):
    with pytest.raises(InputError, match=message):
        run(make_config(source=name))


def test_without_debian_tools_the_command_says_what_to_give(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(debian_packages.shutil, "which", lambda tool: None)
    argv = ["--source", "telephone-fr", "--output_dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stopped:
        main(PrepareDataConfig, run, argv)
    assert stopped.value.code == 2
    assert "needs Debian or Ubuntu); give --source a manifest" in capsys.readouterr().err


@pytest.mark.weights  # the fixtures are asked for by name
@pytest.mark.parametrize(
    ("prompts", "number", "lang"), [("telephone_fr", 505, "fr"), ("telephone_en", 537, "en")]
)
def test_the_prepared_prompts(request, prompts, number, lang):
    splits = load_splits(request.getfixturevalue(prompts))
    assert list(splits) == ["train", "validation", "test"]
    assert sum(len(clips) for clips in splits.values()) == number
    assert {clip.lang for clips in splits.values() for clip in clips} == {lang}
    texts = [{text_key(clip.text) for clip in clips} for clips in splits.values()]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]
