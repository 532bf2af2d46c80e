"""Evaluation from folders to report: every row, resumed, refused, without a baseline."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest

from tests.tasks.evaluation_folders import all_roles, write_clips
from whisper_qat.cli.command import main
from whisper_qat.data.corpora.named import DEFAULT_CONFIG
from whisper_qat.errors import GateError, InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.measure import row as measure_row
from whisper_qat.measure import teacher_forced
from whisper_qat.runs.folders import read_json, read_manifest
from whisper_qat.tasks.evaluate import evaluate
from whisper_qat.tasks.evaluate import forced as evaluation_forced
from whisper_qat.tasks.evaluate.evaluate import EvaluateConfig, run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def roles(tiny_whisper, tmp_path_factory):
    return all_roles(tiny_whisper, tmp_path_factory.mktemp("roles"))


@pytest.fixture(scope="module")
def test_data(tmp_path_factory):
    return write_clips(tmp_path_factory.mktemp("test_data"), name="prompts.jsonl")


@pytest.fixture
def here(monkeypatch):
    """Rows are measured in this process: a new one takes seconds to import torch."""
    for module in (evaluate, evaluation_forced):
        monkeypatch.setattr(module, "in_child", lambda function, *arguments: function(*arguments))


def config(roles, test_data, output_dir, **changes):
    settings = {
        "model_path": str(roles["qat"]),
        "baseline_model": str(roles["base-float"]),
        "test_data": None if test_data is None else str(test_data),
        "output_dir": output_dir,
        "threads": 1,
        "max_new_tokens": 4,
    }
    return EvaluateConfig(**(settings | changes))


def rows_of(folder):
    """All clip rows of an evaluation without the times."""
    found = {}
    for path in sorted((folder / "rows").rglob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        untimed = [{k: v for k, v in line.items() if k != "wall_s"} for line in lines]
        found[path.relative_to(folder).as_posix()] = untimed
    return found


def test_a_whole_evaluation(roles, test_data, tmp_path, here, capsys, caplog):
    compare = [f"{name}={roles[name]}" for name in ("base-ptq", "control", "control-ptq")]
    run(config(roles, test_data, tmp_path / "out", compare=compare, corpora=["zaion5"]))
    measured = read_json(tmp_path / "out" / "measurements.json")
    rows = {row["name"]: row for row in measured["rows"]}
    assert list(rows) == ["base-float", "qat-int8", "base-ptq", "control", "control-ptq"]
    assert measured["baseline"] == "base-float"
    qat = rows["qat-int8"]
    assert (qat["runtime"], qat["method"], qat["scheme"]) == (
        "onnxruntime",
        "qat",
        "block-int8-32-f16 + int8-row",
    )
    assert qat["fp16_bytes"] * 2 == qat["fp32_bytes"] == rows["base-float"]["fp32_bytes"]
    assert qat["model_bytes"] < rows["base-float"]["model_bytes"]
    corpora = {corpus["name"]: corpus for corpus in measured["corpora"]}
    assert corpora["prompts"]["status"] == "measured" and corpora["prompts"]["clips"] == 3
    assert corpora["zaion5"]["status"] == "unreachable" and "zaion5" in corpora["zaion5"]["reason"]
    changed = {entry["against"]: entry for entry in measured["codes_changed"]}
    assert set(changed) == {"base-ptq", "control-ptq"}
    assert 0 < changed["base-ptq"]["share"] <= 1
    manifest = read_manifest(tmp_path / "out")
    assert manifest["kind"] == "evaluation" and manifest["inputs"]["qat-int8"] == qat["fingerprint"]
    assert (tmp_path / "out" / "report.html").is_file()
    assert "qat-int8" in capsys.readouterr().out
    assert "zaion5: not measured" in caplog.text and "report.html" in caplog.text


def test_a_finished_folder_is_only_shown(
    roles, test_data, tmp_path, here, monkeypatch, capsys, caplog
):
    settings = config(roles, test_data, tmp_path / "out")
    run(settings)
    capsys.readouterr()
    caplog.clear()
    monkeypatch.setattr(evaluate, "gather", None)
    run(settings)
    assert "finished with these settings" in caplog.text and "report.html" in caplog.text
    assert "qat-int8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threads": 2}, r"other settings \(threads=1, now 2\); give another"),
        ({"language": "en"}, r"\(language='fr', now 'en'\)"),
        ({"corpora": ["fleurs-fr"]}, r"\(corpora=\[\], now \['fleurs-fr'\]\)"),
        ({"model_path": "{control}", "compare": ["qat-int8={base-ptq}"]}, r"\(rows.qat-int8='"),
    ],
    ids=["threads", "language", "corpora", "another folder under a row's name"],
)
def test_a_folder_with_other_settings_is_refused(
    roles, test_data, tmp_path, here, changes, message
):
    run(config(roles, test_data, tmp_path / "out"))
    filled = {k: _fill(v, roles) for k, v in changes.items()}
    with pytest.raises(InputError, match=message):
        run(config(roles, test_data, tmp_path / "out", **filled))


def _fill(value, roles):
    if isinstance(value, list):
        return [_fill(item, roles) for item in value]
    return value.format_map(roles) if isinstance(value, str) else value


def test_what_repeats_itself_is_decoded_again_where_asked(
    roles, test_data, tmp_path, here, monkeypatch, tiny_whisper
):
    # Four tokens are no loop; so every clip's text is called one, and its first draw is not.
    answers = cycle([True, False])
    monkeypatch.setattr(Fallback, "repeats", lambda self, text: next(answers))
    settings = config(roles, test_data, tmp_path / "out", baseline_model=str(tiny_whisper))
    run(settings)
    again = replace(settings, output_dir=tmp_path / "again", fallback=True)
    run(again)
    plain, drawn = rows_of(tmp_path / "out"), rows_of(tmp_path / "again")
    assert len(plain) == 2 and set(plain) == set(drawn)
    for name in plain:
        assert [row["tokens"] for row in plain[name]] != [row["tokens"] for row in drawn[name]]
        assert all(row["repetitions"] == [] for row in plain[name])
        assert all(row["repetitions"][0]["temperature"] == 0.2 for row in drawn[name])
    for folder, strategy in [("out", "greedy"), ("again", f"greedy; {Fallback()}")]:
        measured = read_json(tmp_path / folder / "measurements.json")
        assert measured["decoding"]["strategy"] == strategy
    with pytest.raises(InputError, match=r"other settings \(fallback='over a compress.*now None"):
        run(replace(again, fallback=False))


def test_an_english_only_checkpoint_is_measured_in_english(
    tiny_english_whisper, test_data, tmp_path, here
):
    checkpoint = str(tiny_english_whisper)
    settings = {"model_path": checkpoint, "baseline_model": None, "test_data": str(test_data)}
    run(EvaluateConfig(**settings, output_dir=tmp_path / "out", threads=1, max_new_tokens=4))
    measured = read_json(tmp_path / "out" / "measurements.json")
    assert measured["decoding"]["language"] == "en"


def test_more_rows_are_measured_alone_and_the_rest_is_kept(
    roles, test_data, tmp_path, here, monkeypatch
):
    """One table in the end: rows of the first run as they were, teacher-forced ones too."""
    out = tmp_path / "out"
    forced_to_base = {"teacher_forced": True, "kl_reference": "base-float"}
    run(config(roles, test_data, out, **forced_to_base))
    before = {path: path.read_text() for path in out.rglob("*.jsonl")}
    measured, forced = [], []

    def counted(transcriber, clip, measure=measure_row.measure_clip):
        measured.append(clip.id)
        return measure(transcriber, clip)

    def counted_forced(*arguments, measure=teacher_forced.measure_clip):
        forced.append(arguments[-1])
        return measure(*arguments)

    monkeypatch.setattr(measure_row, "measure_clip", counted)
    monkeypatch.setattr(teacher_forced, "measure_clip", counted_forced)
    more = [f"{name}={roles[name]}" for name in ("control", "base-ptq")]
    run(config(roles, test_data, out, **forced_to_base, compare=more))
    assert len(measured) == 2 * 3 and forced == ["control"] * 3 + ["base-ptq"] * 3
    assert {path: path.read_text() for path in before} == before
    results = read_json(out / "results.json")
    assert [row["name"] for row in results["rows"]] == [
        "base-float", "qat-int8", "control", "base-ptq",
    ]  # fmt: skip
    assert set(read_manifest(out)["inputs"]) == {"base-float", "qat-int8", "control", "base-ptq"}
    run(config(roles, test_data, out))  # fewer rows, another reference: another report
    assert len(measured) == 6
    assert len(read_json(out / "results.json")["rows"]) == 2


def test_loss_and_kl_of_every_row(roles, test_data, tmp_path, here):
    compare = [f"{name}={roles[name]}" for name in ("control", "control-ptq")]
    run(config(roles, test_data, tmp_path / "out", compare=compare, teacher_forced=True))
    results = read_json(tmp_path / "out" / "results.json")
    assert set(results["sensitive"]["reference"].values()) == {"control"}
    rows = {row["row"]: row for row in results["sensitive"]["rows"]}
    assert all(rows[name]["loss"]["clips"] == 3 for name in rows)
    assert rows["control"]["kl"] is None
    assert 0 < rows["control-ptq"]["kl"]["rate"] < rows["qat-int8"]["kl"]["rate"]


def test_the_teacher_forced_pass_is_asked_for(roles, test_data, tmp_path, here):
    out = tmp_path / "out"
    run(config(roles, test_data, out))
    assert not (out / "teacher_forced").exists()
    rows = read_json(out / "results.json")["sensitive"]["rows"]
    assert all(row["loss"] is None for row in rows)
    run(config(roles, test_data, out, teacher_forced=True))  # and taken up later
    rows = read_json(out / "results.json")["sensitive"]["rows"]
    assert all(row["loss"] is not None for row in rows)


def test_a_reference_that_is_no_row(roles, test_data, tmp_path, here):
    with pytest.raises(InputError, match="--kl_reference 'qat-int4': no such row; did you mean"):
        run(config(roles, test_data, tmp_path / "out", kl_reference="qat-int4"))


def test_a_corpus_reached_later_is_measured_for_finished_rows(roles, test_data, tmp_path, here):
    file = tmp_path / "later.yaml"
    file.write_text(f"calls:\n  path: {tmp_path / 'calls.jsonl'}\n")
    settings = config(roles, test_data, tmp_path / "out", corpora=["calls"], corpora_config=file)
    run(settings)
    write_clips(tmp_path, name="calls.jsonl", seconds=(1.0,))
    (tmp_path / "out" / "manifest.json").unlink()
    run(settings)
    assert len(rows_of(tmp_path / "out")["rows/qat-int8/calls.jsonl"]) == 1


def test_other_clips_under_the_same_name_are_refused(roles, tmp_path, here, monkeypatch):
    manifest = write_clips(tmp_path / "data")
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(evaluate, "measure", fail)
        run(config(roles, manifest, tmp_path / "out"))
    manifest.write_text(manifest.read_text().replace("phrase", "parole"))
    with pytest.raises(InputError, match=r"\(clips of test='"):
        run(config(roles, manifest, tmp_path / "out"))


def fail(*arguments):
    raise RuntimeError


def test_an_interrupted_evaluation_gives_the_same_rows(
    roles, test_data, tmp_path, here, monkeypatch
):
    run(config(roles, test_data, tmp_path / "whole"))
    left = [4]  # clips of both rows until the interrupt: in the second row

    def interrupted(transcriber, clip, measure=measure_row.measure_clip):
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return measure(transcriber, clip)

    with monkeypatch.context() as patch:
        patch.setattr(measure_row, "measure_clip", interrupted)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on from there"):
            run(config(roles, test_data, tmp_path / "cut"))
    assert not (tmp_path / "cut" / "manifest.json").exists()
    run(config(roles, test_data, tmp_path / "cut"))
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")


@pytest.mark.slow
def test_kill_9_and_rerun_give_the_same_rows(roles, test_data, tmp_path, here):
    run(config(roles, test_data, tmp_path / "whole"))
    words = ["--model_path", roles["qat"], "--baseline_model", roles["base-float"], "--test_data"]
    words += [test_data, "--output_dir", tmp_path / "cut", "--threads", 1, "--max_new_tokens", 4]
    command = [sys.executable, ROOT / "scripts" / "evaluate_qat.py", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [str(word) for word in command]
    parent = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
    first = tmp_path / "cut" / "rows" / "base-float" / "prompts.jsonl"
    deadline = time.monotonic() + 60
    while not (first.is_file() and first.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert first.read_text() and not (tmp_path / "cut" / "manifest.json").exists()
    subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
    assert rows_of(tmp_path / "cut") == rows_of(tmp_path / "whole")


def test_without_a_baseline_the_base_checkpoint_runs_on_torch(
    roles, test_data, tmp_path, here, caplog
):
    run(config(roles, test_data, tmp_path / "out", baseline_model=None))
    measured = read_json(tmp_path / "out" / "measurements.json")
    assert measured["baseline"] == "base-float"
    assert measured["rows"][0]["runtime"] == "torch"
    assert measured["rows"][0]["audio_context"]["mode"] == "full"
    assert "--quantization_type none" in caplog.text


def test_corpora_alone(roles, test_data, tmp_path, here):
    corpora = tmp_path / "corpora.yaml"
    corpora.write_text(f"calls:\n  path: {test_data}\n")
    run(config(roles, None, tmp_path / "out", corpora=["calls"], corpora_config=corpora))
    assert len(rows_of(tmp_path / "out")["rows/qat-int8/calls.jsonl"]) == 3


def test_the_test_split_of_a_folder_is_taken(roles, tmp_path, here):
    write_clips(tmp_path / "prepared", seconds=(1.0,))
    write_clips(tmp_path / "prepared", seconds=(1.0, 1.2), name="train.jsonl")
    run(config(roles, tmp_path / "prepared", tmp_path / "out"))
    assert len(rows_of(tmp_path / "out")["rows/qat-int8/prepared.jsonl"]) == 1


def test_no_corpus_at_all_is_a_failed_gate(roles, tmp_path, here):
    settings = config(roles, None, tmp_path / "out", corpora=["zaion5", "zaion6"])
    with pytest.raises(GateError, match="no corpus could be measured: zaion5: .*; zaion6: "):
        run(settings)


def test_clips_that_cannot_be_used_are_listed(roles, tmp_path, here):
    manifest = write_clips(tmp_path / "data", seconds=(1.0, 1.0, 31.0))
    (tmp_path / "data" / "clip1.wav").write_bytes(b"")
    run(config(roles, manifest, tmp_path / "out"))
    (corpus,) = read_json(tmp_path / "out" / "measurements.json")["corpora"]
    assert corpus["clips"] == 2 and corpus["long_form_clips"] == 1
    assert [clip["id"] for clip in corpus["left_out"]] == ["clip1"]
    assert "empty" in corpus["left_out"][0]["reason"]
    assert [row["chunks"] for row in rows_of(tmp_path / "out")["rows/qat-int8/test.jsonl"]] == [
        1,
        2,
    ]


def test_qat_with_the_codes_of_ptq_is_a_failed_gate(tiny_whisper, test_data, tmp_path, here):
    still = all_roles(tiny_whisper, tmp_path / "still", change=0.0)
    compare = [f"ptq={still['base-ptq']}"]
    with pytest.raises(GateError, match="0 of .* weight codes differ"):
        run(config(still, test_data, tmp_path / "out", compare=compare))
    assert (tmp_path / "out" / "report.html").is_file()
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_data": None}, "nothing to measure on: give --corpora"),
        ({"threads": 0}, "--threads 0: expected a number from 1"),
        ({"normalizers": ["whisper"]}, "whisper"),
        ({"normalizers": []}, "--normalizers: expected one or more"),
        ({"corpora": ["a", "a"]}, "'a' is asked for twice"),
    ],
    ids=["nothing", "threads", "unknown normaliser", "no normaliser", "twice"],
)
def test_settings_that_cannot_be_used(changes, message, tmp_path):
    settings = {"model_path": "m", "output_dir": tmp_path, "test_data": "t"}
    with pytest.raises(InputError, match=message):
        EvaluateConfig(**(settings | changes))


def test_a_folder_of_something_else_is_left_alone(roles, test_data, tmp_path, here):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="exists and is not an evaluation folder"):
        run(config(roles, test_data, tmp_path))


def test_command_line_ends_with_2_and_one_line(tmp_path, capsys):
    words = ["--model_path", "nowhere", "--output_dir", str(tmp_path), "--corpora", "mtedx"]
    with pytest.raises(SystemExit) as caught:
        main(EvaluateConfig, run, words)
    assert caught.value.code == 2
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith("error: --model_path: nowhere: no such")
    )


def test_default_corpora_file_is_in_the_checkout():
    assert (ROOT / DEFAULT_CONFIG).is_file()
