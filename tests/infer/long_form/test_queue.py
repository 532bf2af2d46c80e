"""The queue: batches across recordings, journals of long ones, a bad file that fails alone."""

import numpy as np
import pytest
import soundfile

from whisper_qat.data.audio.recordings import gather
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.greedy import Decoded
from whisper_qat.infer.long_form.queue import Queue, journal_path
from whisper_qat.infer.transcribe import Transcription

RATE = 16_000


class LengthTranscriber:
    """Says the length of each chunk in samples; may stop after so many calls."""

    def __init__(self, batch_size=1, calls=None):
        self.batch_size, self.calls, self.batches = batch_size, calls, []

    def decode(self, pieces):
        if self.calls is not None and len(self.batches) == self.calls:
            raise KeyboardInterrupt
        self.batches.append(len(pieces))
        return [
            Decoded(tokens=[len(p)], margins=[np.inf], ended=True, temperature=0.2) for p in pieces
        ]

    def assemble(self, found, wall_s):
        assert all(chunk.decoded.temperature == 0.2 for chunk in found)
        tokens = [token for chunk in found for token in chunk.decoded.tokens]
        assert wall_s >= 0
        return Transcription(
            text="", segments=[], tokens=tokens, chunks=len(found), wall_s=wall_s, margins=[]
        )


@pytest.fixture
def recordings(tmp_path):
    rng = np.random.default_rng(0)
    for name, seconds in [("a", 2), ("b", 75), ("c", 1), ("d", 40)]:
        audio = rng.normal(scale=0.1, size=seconds * RATE)
        (tmp_path / "in").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "in" / f"{name}.wav", audio, RATE)
    found, problems = gather([str(tmp_path / "in")], tmp_path / "out", ".txt")
    assert problems == []
    return found


def run(transcriber, recordings):
    """Tokens by name, failures by name, and the seconds that the bar was moved."""
    done, failed, seconds = {}, {}, []
    Queue(
        transcriber,
        lambda r, found: done.setdefault(r.path.stem, found.tokens),
        lambda r, error: failed.setdefault(r.path.stem, str(error)),
        seconds.append,
    ).run(recordings)
    return done, failed, sum(seconds)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_every_recording_is_put_together_in_order(recordings, batch_size):
    transcriber = LengthTranscriber(batch_size)
    done, failed, seconds = run(transcriber, recordings)
    assert list(done) == ["a", "b", "c", "d"] and failed == {}
    assert {name: sum(tokens) / RATE for name, tokens in done.items()} == {
        "a": 2, "b": 75, "c": 1, "d": 40,
    }  # fmt: skip
    assert len(done["b"]) == 3 and seconds == pytest.approx(118)
    assert max(transcriber.batches) == min(batch_size, 7) and sum(transcriber.batches) == 7


def test_an_interrupted_recording_goes_on_where_it_was(recordings):
    whole, _, _ = run(LengthTranscriber(), recordings)
    with pytest.raises(KeyboardInterrupt):
        run(LengthTranscriber(calls=3), recordings)  # a, and two of three chunks of b
    b = recordings[1]
    assert journal_path(b.output).read_text().count("\n") == 2
    second = LengthTranscriber()
    done, _, seconds = run(second, recordings[1:])
    assert done == {name: whole[name] for name in "bcd"}
    assert sum(second.batches) == 1 + 1 + 2  # one chunk of b was left
    assert seconds == pytest.approx(116)
    assert not list(b.output.parent.glob(".*"))


def test_chunks_of_a_file_that_changed_are_decoded_again(recordings):
    with pytest.raises(KeyboardInterrupt):
        run(LengthTranscriber(calls=3), recordings)
    b = recordings[1]
    soundfile.write(b.path, np.zeros(76 * RATE), RATE)
    second = LengthTranscriber()
    done, _, _ = run(second, [b])
    assert sum(done["b"]) == 76 * RATE and sum(second.batches) == 3


@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_a_file_that_breaks_off_fails_alone(recordings, batch_size):
    b = recordings[1]
    data = b.path.read_bytes()
    b.path.write_bytes(data[:-1000])
    done, failed, _ = run(LengthTranscriber(batch_size), recordings)
    assert list(done) == ["a", "c", "d"] or set(done) == {"a", "c", "d"}
    assert list(failed) == ["b"] and "truncated" in failed["b"]


def test_a_file_damaged_in_its_middle_fails_alone(recordings):
    b = recordings[1]
    audio = np.zeros(75 * RATE)
    audio[60 * RATE] = np.nan
    soundfile.write(b.path, audio, RATE, subtype="FLOAT")
    done, failed, _ = run(LengthTranscriber(2), recordings)
    assert set(done) == {"a", "c", "d"} and "not finite numbers" in failed["b"]


def test_a_damaged_model_stops_everything(recordings):
    class Damaged(LengthTranscriber):
        def decode(self, pieces):
            raise InputError("the model's logits are not finite numbers")

    with pytest.raises(InputError, match="not finite"):
        run(Damaged(), recordings)
