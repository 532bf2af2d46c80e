"""Teacher-forced records: loss as in transformers, resumed runs, skipped clips."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch
from transformers import WhisperForConditionalGeneration

from tests.infer.onnx_folders import onnx_folder, ptq_folder
from tests.tiny_whisper import save_tiny_whisper
from whisper_qat.data.clips.clip import Clip
from whisper_qat.errors import InputError
from whisper_qat.measure import teacher_forced
from whisper_qat.measure.teacher_forced import ForcedJob, ForcedRow, Reader, measure_forced

RATE = 16_000
CONTEXT = {"audio_context": "dynamic", "margin_s": 1.0}


@pytest.fixture(scope="module")
def folders(tiny_whisper, tmp_path_factory):
    root = tmp_path_factory.mktemp("onnx")
    return {
        "float": onnx_folder(tiny_whisper, root / "float", **CONTEXT),
        "ptq": ptq_folder(tiny_whisper, root / "ptq", **CONTEXT),
    }


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return [make_clip(folder, name, seconds) for name, seconds in [("a", 1), ("b", 2), ("c", 3)]]


def make_clip(folder, name, seconds, text=None):
    audio = np.random.default_rng(seconds).normal(scale=0.1, size=seconds * RATE)
    soundfile.write(folder / f"{name}.wav", audio, RATE)
    text = text or f"phrase {name}"
    return Clip(id=name, audio=str(folder / f"{name}.wav"), text=text, duration_s=float(seconds))


def row(folders, name, out):
    paths = {"set": out / name / "set.jsonl"}
    return ForcedRow(name=name, folder=str(folders[name]), runtime="onnx", paths=paths)


def job(folders, clips, out, reference="float", rows=("ptq",)):
    return ForcedJob(
        reference=reference and row(folders, reference, out),
        rows=[row(folders, name, out) for name in rows],
        corpora={"set": clips},
        threads=1,
        language="fr",
    )


def records(out, name="ptq"):
    return [json.loads(line) for line in (out / name / "set.jsonl").read_text().splitlines()]


def test_the_loss_is_that_of_transformers(tiny_whisper, clips, tmp_path):
    """Full context on both sides; transformers' own shifted cross-entropy over the text."""
    full = {"full": onnx_folder(tiny_whisper, tmp_path / "full")}
    measure_forced(job(full, clips[:1], tmp_path, reference=None, rows=("full",)))
    (found,) = records(tmp_path, "full")
    reader = Reader.load(row(full, "full", tmp_path), job(full, [], tmp_path, None, ("full",)))
    tokens = torch.tensor([reader.labeller(clips[0].text)])
    mel = reader.transcriber.features.log_mel(
        soundfile.read(clips[0].audio, dtype="float32")[0], reader.transcriber.context
    )
    model = WhisperForConditionalGeneration.from_pretrained(tiny_whisper).eval()
    labels = tokens[:, 1:].clone()
    labels[:, : len(reader.labeller.prompt) - 1] = -100
    with torch.inference_mode():
        out = model(
            input_features=torch.from_numpy(mel[None]), decoder_input_ids=tokens[:, :-1],
            labels=labels,
        )  # fmt: skip
    assert found["tokens"] == int((labels != -100).sum()) == len(" phrase a") + 1
    assert found["loss"] / found["tokens"] == pytest.approx(out.loss.item(), rel=1e-5)
    assert (found["kl"], found["agreeing"]) == (None, None)


def test_kl_is_zero_to_itself_and_more_to_another(folders, clips, tmp_path):
    measure_forced(job(folders, clips, tmp_path, rows=("float", "ptq")))
    own, other = records(tmp_path, "float"), records(tmp_path, "ptq")
    assert [r["id"] for r in other] == ["a", "b", "c"]
    assert all(r["kl"] == 0 and r["agreeing"] == r["tokens"] for r in own)
    assert all(0 < r["kl"] < 1 and r["agreeing"] <= r["tokens"] for r in other)
    assert all(math.isfinite(r["loss"]) for r in own + other)


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


@pytest.mark.parametrize("after", [1, 4])
def test_a_killed_pass_goes_on_and_gives_the_same_records(
    folders, clips, tmp_path, monkeypatch, after
):
    measure_forced(job(folders, clips, tmp_path / "whole", rows=("float", "ptq")))
    done = []

    def kill_later(*arguments, measure=teacher_forced.measure_clip):
        if len(done) == after:
            raise Killed
        done.append(arguments)
        return measure(*arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(teacher_forced, "measure_clip", kill_later)
        measure_forced(job(folders, clips, tmp_path / "cut", rows=("float", "ptq")))
    measure_forced(job(folders, clips, tmp_path / "cut", rows=("float", "ptq")))
    for name in ("float", "ptq"):
        assert records(tmp_path / "cut", name) == records(tmp_path / "whole", name)


def test_what_is_finished_loads_no_model(folders, clips, tmp_path, monkeypatch):
    measure_forced(job(folders, clips, tmp_path))
    monkeypatch.setattr(Reader, "load", None)
    measure_forced(job(folders, clips, tmp_path))


def test_small_batches_give_the_same_records(folders, clips, tmp_path, monkeypatch):
    measure_forced(job(folders, clips, tmp_path / "one"))
    monkeypatch.setattr(teacher_forced, "MAX_TOKENS", 1)
    assert [len(b) for _, b in teacher_forced.batches(job(folders, clips, tmp_path), Empty())] == [
        1, 1, 1,
    ]  # fmt: skip
    measure_forced(job(folders, clips, tmp_path / "many"))
    assert records(tmp_path / "many") == records(tmp_path / "one")


class Empty(dict):
    """Journals in which nothing is done."""

    done: frozenset[str] = frozenset()

    def __getitem__(self, key):
        return self


def test_long_audio_and_long_text_say_why_they_have_no_measure(folders, tmp_path):
    clips = [make_clip(tmp_path, "long", 31), make_clip(tmp_path, "wordy", 1, "mot " * 200)]
    measure_forced(job(folders, clips, tmp_path))
    long, wordy = records(tmp_path)
    assert "its 31.0 s of audio exceed the window of 30 s" in long["skipped"]
    assert "more tokens than the decoder allows" in wordy["skipped"]


def test_another_vocabulary_has_a_loss_and_no_kl(folders, clips, tmp_path):
    larger = save_tiny_whisper(tmp_path / "checkpoint", vocab_size=2000)
    other = folders | {"larger": onnx_folder(larger, tmp_path / "larger", **CONTEXT)}
    measure_forced(job(other, clips[:1], tmp_path, rows=("larger",)))
    (found,) = records(tmp_path, "larger")
    assert found["kl"] is None and found["loss"] > 0


def test_logits_that_are_no_numbers(folders, clips, tmp_path, monkeypatch):
    def broken(reader, clip):
        return np.full((2, 5), np.nan, np.float32), np.array([0, 1])

    monkeypatch.setattr(Reader, "read", broken)
    with pytest.raises(InputError, match="row ptq: clip a: the logits are not finite numbers"):
        measure_forced(job(folders, clips, tmp_path))


def test_an_orphan_stops_before_it_writes(folders, clips, tmp_path, monkeypatch):
    monkeypatch.setattr(teacher_forced, "orphaned", lambda: True)
    with pytest.raises(SystemExit):
        measure_forced(job(folders, clips, tmp_path))
    assert records(tmp_path) == []
