"""scripts/transcribe.py: every format, folders, reruns, bad files, and no torch in its process."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.cli.command import main
from whisper_qat.data.audio.context import AudioContext
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback, compression_ratio
from whisper_qat.infer.long_form import queue
from whisper_qat.infer.long_form.subtitles import srt, vtt
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.runs.folders import hash_folder
from whisper_qat.tasks import transcribe
from whisper_qat.tasks.transcribe import TranscribeConfig, run

RATE = 16_000


@pytest.fixture(scope="module")
def model(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "float"
    return onnx_folder(tiny_whisper, folder, audio_context="dynamic", margin_s=1.0)


@pytest.fixture
def speech(tmp_path):
    """Three recordings, one of them in two chunks."""
    rng = np.random.default_rng(0)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, seconds in [("a.wav", 1), ("deep/b.wav", 2), ("long.flac", 31)]:
        audio = rng.normal(scale=0.1, size=seconds * RATE)
        soundfile.write(tmp_path / "in" / name, audio, RATE)
    return tmp_path / "in"


@pytest.fixture
def config(model, speech, tmp_path):
    def make(**changes):
        settings = {
            "model_path": model, "audio": [str(speech)], "output_dir": tmp_path / "out",
            "threads": 1, "max_new_tokens": 4,
        }  # fmt: skip
        return TranscribeConfig(**(settings | changes))

    return make


def expected(model, path):
    transcriber = Transcriber.from_folder(model, 1, max_new_tokens=4)
    audio, _ = soundfile.read(path, dtype="float32")
    return transcriber.transcribe(audio)


def test_text_files_in_the_tree_of_the_input(config, model, speech, tmp_path):
    assert run(config()) == 0
    found = {p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.txt")}
    assert found == {"a.txt", "deep/b.txt", "long.txt"}
    for name in ("a.wav", "long.flac"):
        text = (tmp_path / "out" / name).with_suffix(".txt").read_text()
        assert text == expected(model, speech / name).text + "\n"


@pytest.mark.parametrize(("form", "render"), [("srt", srt), ("vtt", vtt)])
def test_subtitles(config, model, speech, tmp_path, form, render):
    assert run(config(output_format=form)) == 0
    text = (tmp_path / "out" / f"long.{form}").read_text()
    assert text == render(expected(model, speech / "long.flac").segments)
    assert text.count("-->") == 2


def test_json_has_segments_tokens_times_and_the_model(config, model, speech, tmp_path):
    assert run(config(output_format="json")) == 0
    found = json.loads((tmp_path / "out" / "long.json").read_text())
    whole = expected(model, speech / "long.flac")
    assert found["text"] == whole.text and found["tokens"] == whole.tokens
    assert found["duration_s"] == 31 and found["chunks"] == 2 and found["wall_s"] > 0
    assert [s["start"] for s in found["segments"]] == [s.start_s for s in whole.segments]
    assert found["segments"][-1]["end"] == 31
    assert set(found["segments"][0]) == {"start", "end", "text", "tokens"}
    assert found["model"] == {"folder": str(model), "fingerprint": hash_folder(model)}
    assert found["language"] == "fr" and not found["timestamps"]


def test_an_english_only_model_needs_no_language(tiny_english_whisper, config, tmp_path):
    model = onnx_folder(tiny_english_whisper, tmp_path / "onnx")
    assert run(config(model_path=model, output_format="json")) == 0
    assert json.loads((tmp_path / "out" / "a.json").read_text())["language"] == "en"


def test_standard_output(config, model, speech, capsys):
    a, b = speech / "a.wav", speech / "deep" / "b.wav"
    run(config(audio=[str(a)], output_dir=None))
    text = expected(model, a).text
    assert capsys.readouterr().out == text + "\n"
    run(config(audio=[str(a), str(b)], output_dir=None))
    assert capsys.readouterr().out == f"{a}\t{text}\n{b}\t{expected(model, b).text}\n"
    run(config(audio=[str(a), str(b)], output_dir=None, output_format="json"))
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["audio"] for line in lines] == [str(a), str(b)]
    run(config(audio=[str(a)], output_dir=None, output_format="srt"))
    assert capsys.readouterr().out.startswith("1\n00:00:00,000 --> 00:00:01,000\n")
    message = "--output_format srt: subtitles of 2 recordings need --output_dir"
    with pytest.raises(InputError, match=message):
        run(config(audio=[str(a), str(b)], output_dir=None, output_format="srt"))


def test_a_rerun_skips_what_is_there(config, speech, tmp_path, caplog):
    run(config())
    kept = tmp_path / "out" / "a.txt"
    kept.write_text("mine\n")
    (tmp_path / "out" / "deep" / "b.txt").unlink()
    assert run(config()) == 0
    assert kept.read_text() == "mine\n" and (tmp_path / "out" / "deep" / "b.txt").exists()
    assert "2 of 3 transcripts are there" in caplog.text


def test_an_interruption_says_that_nothing_is_lost(config, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(queue, "start", interrupted)
        with pytest.raises(KeyboardInterrupt, match="kept in .*out; the same command goes on from"):
            run(config())
    assert run(config()) == 0


def test_other_settings_need_another_folder(config, tmp_path):
    run(config())
    message = r"--output_dir .*out: exists with other settings \(timestamps=False, now True\); give"
    with pytest.raises(InputError, match=message):
        run(config(timestamps=True))
    run(config(output_format="srt"))  # another form of the same is none


def test_a_file_of_somebody_else_is_not_taken_for_a_transcript(config, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("notes")
    with pytest.raises(InputError, match=r"out/a.txt: exists and is not a transcript of this comm"):
        run(config())


def test_bad_files_are_named_and_the_others_done(config, speech, tmp_path, caplog):
    (speech / "bad.wav").write_text("words")
    long = (speech / "long.flac").read_bytes()
    (speech / "long.flac").write_bytes(long[: len(long) // 2])
    assert run(config(audio=[str(speech), str(speech / "no.wav")])) == 2
    lines = [line for line in caplog.messages if line.startswith("error: ")]
    assert len(lines) == 3
    for said in ("bad.wav: not audio", "no.wav: no such audio file", "long.flac: truncated"):
        assert sum(said in line for line in lines) == 1
    assert {p.name for p in (tmp_path / "out").rglob("*.txt")} == {"a.txt", "b.txt"}


@pytest.mark.parametrize("batch_size", [2, 10])
def test_batches_change_no_transcript(config, tmp_path, batch_size):
    run(config())
    run(config(output_dir=tmp_path / "batched", batch_size=batch_size))
    for path in (tmp_path / "out").rglob("*.txt"):
        other = tmp_path / "batched" / path.relative_to(tmp_path / "out")
        assert other.read_text() == path.read_text()


def test_beams_are_asked_for(config, model, speech, tmp_path):
    run(config(num_beams=3, output_format="json"))
    found = json.loads((tmp_path / "out" / "a.json").read_text())
    transcriber = Transcriber.from_folder(model, 1, max_new_tokens=4, num_beams=3)
    audio, _ = soundfile.read(speech / "a.wav", dtype="float32")
    assert found["num_beams"] == 3 and found["tokens"] == transcriber.transcribe(audio).tokens


def test_a_chunk_that_repeats_itself_is_named_and_decoded_again(
    config, model, speech, tmp_path, caplog, monkeypatch
):
    audio, _ = soundfile.read(speech / "a.wav", dtype="float32")
    ratio = compression_ratio(Transcriber.from_folder(model, 1).transcribe(audio).text)
    # The random model repeats itself less than a trained one; so a lower threshold is exceeded.
    monkeypatch.setattr(transcribe, "Fallback", partial(Fallback, threshold=0.99 * ratio))

    def shown(name, **changes):
        made = config(audio=[str(speech / "a.wav")], output_dir=tmp_path / name, **changes)
        run(replace(made, output_format="json", max_new_tokens=None))
        return json.loads((tmp_path / name / "a.json").read_text())

    looped, mended = shown("named", fallback=False), shown("mended")
    (named,), (again,) = looped["repetitions"], mended["repetitions"]
    assert named == {"start": 0, "end": 1, "temperature": 0, "compression_ratio": ratio}
    assert looped["fallback"] is None and "sampled at temperatures" in mended["fallback"]
    assert again["temperature"] > 0 and again["compression_ratio"] < ratio
    assert looped["tokens"] != mended["tokens"]
    said = caplog.text
    assert f"a.wav: 0.0 to 1.0 s repeats itself (compression ratio {ratio:.1f}); kept" in said
    assert f"s repeated itself; decoded at temperature {again['temperature']} (compress" in said
    message = r"other settings \(fallback='over a .*, now None\); give another"
    with pytest.raises(InputError, match=message):
        shown("mended", fallback=False)


def test_the_encoder_can_hear_30_s(config, model, speech, tmp_path):
    run(config(output_format="json"))
    run(config(output_dir=tmp_path / "full", output_format="json", audio_context="full"))
    short, full = (json.loads((tmp_path / n / "a.json").read_text()) for n in ("out", "full"))
    assert (short["audio_context"], full["audio_context"]) == ("folder", "full")
    transcriber = Transcriber.from_folder(model, 1, max_new_tokens=4, audio_context=AudioContext())
    audio, _ = soundfile.read(speech / "a.wav", dtype="float32")
    assert full["tokens"] == transcriber.transcribe(audio).tokens != short["tokens"]


def test_nothing_but_bad_files(config, tmp_path, caplog):
    assert run(config(audio=[str(tmp_path / "no.wav")], model_path=Path("never opened"))) == 2
    assert "error: " in caplog.text


@pytest.mark.parametrize("name", ["threads", "batch_size", "num_beams", "max_new_tokens"])
def test_numbers_from_one(config, name):
    with pytest.raises(InputError, match=f"--{name} 0: expected a number from 1"):
        config(**{name: 0})


def test_a_checkpoint_or_no_folder_is_said_to_be_one(config, tiny_whisper, tmp_path):
    with pytest.raises(InputError, match="a checkpoint; convert it first"):
        run(config(model_path=tiny_whisper))
    with pytest.raises(InputError, match="nothing: no such folder"):
        run(config(model_path=tmp_path / "nothing"))


def test_timestamps_come_from_the_model(tiny_whisper_folder, config, tmp_path):
    folder = tiny_whisper_folder(tmp_path / "checkpoint", seed=1)
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"suppress_tokens": [1, 2]}))
    model = onnx_folder(folder, tmp_path / "onnx")
    run(config(model_path=model, timestamps=True, output_format="json"))
    found = json.loads((tmp_path / "out" / "a.json").read_text())
    first = json.loads(path.read_text())["no_timestamps_token_id"] + 1
    assert found["timestamps"] and found["tokens"][0] >= first
    assert all(0 <= s["start"] <= s["end"] <= 1 for s in found["segments"])
    assert all(token < first for s in found["segments"] for token in s["tokens"])


def test_the_command_line_loads_nothing_slow_and_its_status_counts(model, speech, tmp_path):
    (speech / "bad.wav").write_text("words")
    arguments = ["--model_path", model, "--audio", speech, "--max_new_tokens", "3"]
    arguments += ["--output_dir", tmp_path / "out", "--threads", "1"]
    code = (
        "import sys\nfrom whisper_qat.cli.command import main\n"
        "from whisper_qat.tasks.transcribe import TranscribeConfig, run\n"
        "try:\n    main(TranscribeConfig, run)\n"
        "finally:\n"
        "    slow = {'torch', 'transformers', 'scipy', 'datasets', 'pandas'} & set(sys.modules)\n"
        "    print('loaded', slow)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == "loaded set()\n"
    assert len(list((tmp_path / "out").rglob("*.txt"))) == 3


def test_flags_become_the_config(model, monkeypatch):
    seen = []
    main(
        TranscribeConfig, lambda config: seen.append(config),
        ["--model_path", str(model), "--audio", "a.wav", "b", "--timestamps", "--threads", "2"],
    )  # fmt: skip
    assert seen[0].audio == ["a.wav", "b"] and seen[0].timestamps and seen[0].threads == 2


def test_audio_is_given_by_words_or_by_its_flag(model, speech, tmp_path, capsys):
    a = str(speech / "a.wav")
    flags = ["--model-path", str(model), "--max_new_tokens", "4", "--threads", "1", "--quiet"]
    assert main(TranscribeConfig, run, [*flags, "--no-fallback", a]) == 0
    captured = capsys.readouterr()
    assert captured.out == expected(model, a).text + "\n"
    assert captured.err == ""
    assert main(TranscribeConfig, run, [*flags, "--audio", a]) == 0
    assert capsys.readouterr().out == captured.out
    with pytest.raises(SystemExit):
        main(TranscribeConfig, run, flags)
    assert capsys.readouterr().err.startswith("error: AUDIO is required (on the command line or")
