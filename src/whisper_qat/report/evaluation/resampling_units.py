"""The units that the bootstrap resamples: whole speakers, else recordings, else single clips.

Errors within one speaker or recording are correlated, so resampling single clips would make the
interval too narrow. Fewer than 20 speakers are too few to resample; recordings (talks, poems) are
used then. Where no recording is known, each clip is a unit of its own, and the report says so. A
recording is the ``block`` field of a clip or, failing that, the part of its id before a last
``_NUMBER``, provided that all ids of the corpus have one (``fdm_021_03`` is part 3 of poem
``fdm_021``, ``TALK_00017`` a segment of a talk).
"""

import re
from dataclasses import dataclass

from whisper_qat.report.evaluation.rows import ClipResult

MIN_SPEAKERS = 20
PART = re.compile(r"(.+)_\d+")


@dataclass(frozen=True, kw_only=True)
class ResamplingUnits:
    """``label[clip id]`` is the unit that a clip belongs to; ``unit`` is the kind of all units."""

    unit: str  # recording | speaker | clip
    label: dict[str, str]

    @property
    def number(self) -> int:
        """How many distinct units there are."""
        return len(set(self.label.values()))


def choose_units(clips: list[ClipResult]) -> ResamplingUnits:
    """The units of one corpus: speakers if there are at least 20, else recordings, else clips."""
    speakers = {clip.id: clip.speaker for clip in clips if clip.speaker is not None}
    if len(speakers) == len(clips) and len(set(speakers.values())) >= MIN_SPEAKERS:
        return ResamplingUnits(unit="speaker", label=speakers)
    given = {clip.id: clip.block for clip in clips if clip.block is not None}
    for recordings in (given, recordings_of_ids([clip.id for clip in clips])):
        if len(recordings) == len(clips) and len(set(recordings.values())) > 1:
            return ResamplingUnits(unit="recording", label=recordings)
    return ResamplingUnits(unit="clip", label={clip.id: clip.id for clip in clips})


def recordings_of_ids(ids: list[str]) -> dict[str, str]:
    """Recording of each clip, read from its id; empty unless all ids have one and some share it."""
    found = {id_: match[1] for id_ in ids if (match := PART.fullmatch(id_))}
    return found if len(found) == len(ids) > len(set(found.values())) else {}
