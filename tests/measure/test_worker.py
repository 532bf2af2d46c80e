"""The worker process: requests, times, errors, death and end."""

from pathlib import Path

import numpy as np
import pytest

from tests.measure.fake_systems import FakeSystem, open_fake
from whisper_qat.errors import InputError
from whisper_qat.measure.systems.system import Setup
from whisper_qat.measure.worker import Request, Worker, _samples, answer_request
from whisper_qat.runs.child_process import ChildDied


def setup(**options):
    return Setup(folder=Path(), threads=3, language="fr", max_new_tokens=5, options=options)


@pytest.fixture
def audio(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(32_000, np.float32))
    return tmp_path / "a.npy"


def test_requests_one_after_another(audio):
    with Worker(open_fake, setup(delay_s=0.05)) as worker:
        assert worker.opened.facts == {"fake": "1", "threads": "3"}
        answer = worker.ask(Request(audio=audio))
        assert (answer.text, answer.tokens) == ("32000 samples", None)
        assert answer.wall_s >= 0.05 > answer.cpu_s
        assert answer.peak_rss_bytes > 1e6
        assert worker.ask(Request(audio=audio, seconds=1.5)).text == "24000 samples"
        assert worker.ask(Request(audio=audio, tokens=7)).tokens == 7


def test_the_first_samples_of_a_file_as_they_are(tmp_path):
    stored = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    np.save(tmp_path / "a.npy", stored)
    assert _samples(tmp_path / "a.npy", None).tobytes() == stored.tobytes()
    assert _samples(tmp_path / "a.npy", 60).tobytes() == stored[:60].tobytes()
    assert _samples(tmp_path / "a.npy", 200).tobytes() == stored.tobytes()


def test_an_error_is_raised_here_and_the_process_goes_on(audio):
    with Worker(open_fake, setup()) as worker:
        with pytest.raises(InputError, match="400 tokens: too many"):
            worker.ask(Request(audio=audio, tokens=400))
        assert worker.ask(Request(audio=audio, tokens=2)).tokens == 2


def test_an_error_of_opening():
    with pytest.raises(InputError, match="refused to open"):
        Worker(open_fake, setup(refuses=True))


def test_a_killed_process_is_said_to_be(audio):
    with Worker(open_fake, setup(dies=True)) as worker, pytest.raises(ChildDied, match="-9"):
        worker.ask(Request(audio=audio))


def test_closing_ends_the_process():
    worker = Worker(open_fake, setup())
    worker.close()
    assert worker._process.returncode == 0


def test_cpu_time_is_that_of_the_request(audio):
    answer = answer_request(FakeSystem(setup(delay_s=0.02)), Request(audio=audio))
    assert answer.cpu_s < 0.02 <= answer.wall_s


def test_closing_after_the_process_was_killed(audio):
    worker = Worker(open_fake, setup())
    worker._process.kill()
    worker._process.wait()
    with pytest.raises(ChildDied, match=r"status -9 \(out of memory\?\)"):
        worker.ask(Request(audio=audio))
    worker.close()
