"""Growth end to end on a tiny model: points, resumption, refusals."""

import pytest

from tests.tasks.evaluation_folders import write_clips
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import is_finished, read_json
from whisper_qat.tasks.benchmark import growth, models
from whisper_qat.tasks.benchmark.growth import GrowthConfig, run
from whisper_qat.tasks.benchmark.shapes import RandomWhisper


def config(base, root, **changes):
    settings = {
        "model_path": base, "output_dir": root / "growth", "axes": ["length", "clips", "depth"],
        "data": str(root / "clips" / "test.jsonl"), "max_s": 2, "max_clips": 3, "repeats": 1,
        "fixed_tokens": 3, "max_weights_m": 1.0,
    }  # fmt: skip
    return GrowthConfig(**settings | changes)


def test_points_and_laws(tiny_whisper, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(models, "code_hash", lambda *_: "the same throughout")
    shape = RandomWhisper(encoder_layers=2, decoder_layers=1, width=64)
    monkeypatch.setitem(growth.SHAPES, "depth", [shape])
    write_clips(tmp_path / "clips", seconds=(1.0, 1.5, 2.0))
    settings = config(tiny_whisper, tmp_path)
    run(settings)
    found = {(c["axis"], c["row"]): [p["size"] for p in c["points"]]
             for c in read_json(tmp_path / "growth" / "growth.json")["curves"]}  # fmt: skip
    assert found == {
        ("length", "30 s context"): [1, 2], ("length", "clip's own context"): [1, 2],
        ("clips", "clip's own context"): [1, 3], ("depth", "30 s context"): [2],
    }  # fmt: skip
    assert is_finished(tmp_path / "growth")
    journal = tmp_path / "growth" / "points.jsonl"
    kept = journal.read_text()
    caplog.clear()
    run(settings)
    assert journal.read_text() == kept
    assert "measuring" not in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": ["height"]}, "--axes 'height': expected some of length, clips"),
        ({"max_s": 0.5}, "--max_s 0.5: expected a number from 1"),
        ({"repeats": 0}, "--repeats 0: expected a number from 1"),
    ],
)
def test_bad_flags(tiny_whisper, tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        config(tiny_whisper, tmp_path, **changes)


def test_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match=r"--model_path .*none: no such folder"):
        run(config(tmp_path / "none", tmp_path))


def test_no_short_clip(tiny_whisper, tmp_path):
    write_clips(tmp_path / "clips", seconds=(8.0,))
    with pytest.raises(InputError, match=r"--data .*: no clip under 6 s for --axes clips"):
        run(config(tiny_whisper, tmp_path, axes=["clips"]))
