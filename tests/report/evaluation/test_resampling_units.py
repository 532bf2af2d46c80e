"""The units that the bootstrap resamples."""

from whisper_qat.report.evaluation.resampling_units import MIN_SPEAKERS, choose_units
from whisper_qat.report.evaluation.rows import ClipResult


def clip(number: int, **fields: str | None) -> ClipResult:
    given = {"speaker": None, "block": None} | fields
    return ClipResult(id=f"c{number}", reference="a", hypothesis="a", duration_s=1.0, **given)


def test_clips_stand_for_themselves_with_few_speakers():
    clips = [clip(i, speaker=f"s{i % (MIN_SPEAKERS - 1)}") for i in range(60)]
    units = choose_units(clips)
    assert (units.unit, units.number) == ("clip", 60)


def test_speakers_when_there_are_enough():
    clips = [clip(i, speaker=f"s{i % MIN_SPEAKERS}") for i in range(60)]
    units = choose_units(clips)
    assert (units.unit, units.number) == ("speaker", MIN_SPEAKERS)


def test_recordings_when_speakers_are_few():
    clips = [clip(i, speaker="s", block=f"poem{i % 4}") for i in range(60)]
    units = choose_units(clips)
    assert (units.unit, units.number) == ("recording", 4)


def test_enough_speakers_come_before_recordings():
    clips = [clip(i, speaker=f"s{i % 20}", block=f"poem{i % 30}") for i in range(60)]
    assert choose_units(clips).unit == "speaker"


def named(*ids: str, speaker: str | None = None) -> list[ClipResult]:
    return [
        ClipResult(id=i, reference="a", hypothesis="a", duration_s=1.0, speaker=speaker)
        for i in ids
    ]


def test_poems_are_read_from_the_ids_of_their_parts():
    units = choose_units(named("fdm_021_00", "fdm_021_01", "fdm_044_00", speaker="x"))
    assert units.unit == "recording"
    assert units.label == {
        "fdm_021_00": "fdm_021", "fdm_021_01": "fdm_021", "fdm_044_00": "fdm_044",
    }  # fmt: skip


def test_ids_that_name_no_recording():
    assert choose_units(named("a_1", "b_2")).unit == "clip"  # no two share one
    assert choose_units(named("clip_1", "clip_2")).unit == "clip"  # one for all
    assert choose_units(named("vm-1_0", "vm-1_1", "vm-2_0", "press")).unit == "clip"


def test_partly_known_recordings_are_not_used():
    clips = [clip(0), *(clip(i, block=f"poem{i % 4}", speaker=f"s{i}") for i in range(1, 40))]
    assert choose_units(clips).unit == "clip"


def test_a_single_recording_cannot_be_drawn_from():
    assert choose_units([clip(i, block="only") for i in range(5)]).unit == "clip"
