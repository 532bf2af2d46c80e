"""Measuring a row: every clip once, resumed after an interruption, with memory and time."""

import json

import numpy as np
import pytest
import soundfile

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.data.clips.clip import Clip
from whisper_qat.infer.kernels import kernel_check
from whisper_qat.infer.kernels.kernel_check import KernelMismatch
from whisper_qat.infer.onnx import backend
from whisper_qat.measure import row as measure_row
from whisper_qat.measure.row import CorpusJob, RowJob

RATE = 16_000


@pytest.fixture(scope="module")
def converted(tiny_whisper, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "float"
    return onnx_folder(tiny_whisper, folder, audio_context="dynamic", margin_s=1.0)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [make_clip(folder, name, seconds) for name, seconds in [("a", 1), ("b", 2), ("c", 31)]]


def make_clip(folder, name, seconds):
    audio = np.random.default_rng(seconds).normal(scale=0.1, size=seconds * RATE)
    soundfile.write(folder / f"{name}.wav", audio, RATE)
    return Clip(id=name, audio=str(folder / f"{name}.wav"), text="oui", duration_s=float(seconds))


def job(converted, clips, folder):
    return RowJob(
        name="tiny",
        folder=str(converted),
        runtime="onnx",
        threads=1,
        language="fr",
        max_new_tokens=3,
        corpora=[CorpusJob(name="set", clips=clips, path=folder / "set.jsonl")],
    )


def rows(folder):
    return [json.loads(line) for line in (folder / "set.jsonl").read_text().splitlines()]


def without_time(row):
    return {key: value for key, value in row.items() if key != "wall_s"}


def test_every_clip_has_its_row(converted, clips, tmp_path):
    found = measure_row.measure_row(job(converted, clips, tmp_path))
    assert [row["id"] for row in rows(tmp_path)] == ["a", "b", "c"]
    assert [row["chunks"] for row in rows(tmp_path)] == [1, 1, 2]
    assert [len(row["tokens"]) for row in rows(tmp_path)] == [3, 3, 6]
    assert all(row["reference"] == "oui" and row["wall_s"] > 0 for row in rows(tmp_path))
    assert found.load_s > 0 and found.warnings == []
    assert found.peak_rss_bytes >= found.rss_before_load_bytes > 2**20


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_row_goes_on_and_gives_the_same_rows(
    converted, clips, tmp_path, monkeypatch, after
):
    measure_row.measure_row(job(converted, clips, tmp_path / "whole"))
    measured = []

    def kill_later(transcriber, clip, measure=measure_row.measure_clip):
        if len(measured) == after:
            raise Killed
        measured.append(clip.id)
        return measure(transcriber, clip)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(measure_row, "measure_clip", kill_later)
        measure_row.measure_row(job(converted, clips, tmp_path / "killed"))
    with open(tmp_path / "killed" / "set.jsonl", "a") as file:
        file.write('{"id": "c", "ref')  # the line that was being written
    measure_row.measure_row(job(converted, clips, tmp_path / "killed"))
    again = [without_time(row) for row in rows(tmp_path / "killed")]
    assert again == [without_time(row) for row in rows(tmp_path / "whole")]


def test_an_orphan_stops_before_it_writes(converted, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(measure_row, "orphaned", lambda: True)
    with pytest.raises(SystemExit):
        measure_row.measure_row(job(converted, clips, tmp_path))
    assert rows(tmp_path) == []


def test_a_kernel_with_another_rounding_is_reported(
    converted, clips, tmp_path, monkeypatch, caplog
):
    def other_kernel(session_folder, threads=None, load=backend.OnnxBackend.from_folder):
        kernel_check.warnings.warn("block-int8-32: MatMulNBits ...", KernelMismatch, stacklevel=1)
        return load(session_folder, threads)

    monkeypatch.setattr(backend.OnnxBackend, "from_folder", other_kernel)
    found = measure_row.measure_row(job(converted, clips[:1], tmp_path))
    assert found.warnings == ["block-int8-32: MatMulNBits ..."]
    assert "tiny: warning: block-int8-32" in caplog.text
