"""History: one line a step, and after a kill the file of an undisturbed run."""

import shutil

from whisper_qat.train.history import History


def test_lines_and_scalars_are_written(tmp_path):
    history = History(tmp_path)
    assert not tmp_path.joinpath("history.jsonl").exists()
    history.add({"step": 1, "loss": 2.0})
    history.add({"step": 1, "eval_loss": 3.0})
    history.flush()
    assert history.lines() == [{"step": 1, "loss": 2.0}, {"step": 1, "eval_loss": 3.0}]
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_what_came_after_the_checkpoint_is_dropped(tmp_path):
    history = History(tmp_path)
    for step in (1, 2, 3):
        history.add({"step": step, "loss": float(step)})
    with history.path.open("a") as file:
        file.write('{"step": 4, "lo')
    again = History(tmp_path)
    again.keep_until(2)
    assert [line["step"] for line in again.lines()] == [1, 2]


def test_closed_folder_can_be_removed_and_nothing_open_can_be_closed(tmp_path):
    history = History(tmp_path / "run")
    history.close()
    history.add({"step": 1, "loss": 2.0})
    history.close()
    shutil.rmtree(tmp_path / "run")


def test_nothing_to_keep(tmp_path):
    History(tmp_path).keep_until(5)
    assert not (tmp_path / "history.jsonl").exists()
