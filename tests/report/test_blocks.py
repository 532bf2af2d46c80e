"""What the bootstrap draws."""

from whisper_qat.report.blocks import MIN_SPEAKERS, choose_blocks
from whisper_qat.report.rows import ClipResult


def clip(number: int, **fields: str | None) -> ClipResult:
    given = {"speaker": None, "block": None} | fields
    return ClipResult(id=f"c{number}", reference="a", hypothesis="a", duration_s=1.0, **given)


def test_clips_stand_for_themselves_with_few_speakers():
    clips = [clip(i, speaker=f"s{i % (MIN_SPEAKERS - 1)}") for i in range(60)]
    blocks = choose_blocks(clips)
    assert (blocks.unit, blocks.number) == ("clip", 60)


def test_speakers_when_there_are_enough():
    clips = [clip(i, speaker=f"s{i % MIN_SPEAKERS}") for i in range(60)]
    blocks = choose_blocks(clips)
    assert (blocks.unit, blocks.number) == ("speaker", MIN_SPEAKERS)


def test_recordings_come_first():
    clips = [clip(i, speaker=f"s{i}", block=f"poem{i % 4}") for i in range(60)]
    blocks = choose_blocks(clips)
    assert (blocks.unit, blocks.number) == ("recording", 4)


def test_partly_known_blocks_are_not_used():
    clips = [clip(0), *(clip(i, block=f"poem{i % 4}", speaker=f"s{i}") for i in range(1, 40))]
    assert choose_blocks(clips).unit == "clip"


def test_a_single_recording_cannot_be_drawn_from():
    assert choose_blocks([clip(i, block="only") for i in range(5)]).unit == "clip"
