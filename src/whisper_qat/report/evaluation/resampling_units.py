"""What the bootstrap draws: whole speakers where there are enough, else recordings, else clips.

Clips of one speaker or recording err together; drawing them one by one would make the interval too
narrow. Fewer than 20 speakers are too few to draw from, so then recordings (talks, poems) are
drawn; where no recording is known a clip stands for itself, and the report says so. A recording is
what a row names as its block, else what all ids of a corpus share before a last ``_NUMBER``
(``fdm_021_03`` is part 3 of poem ``fdm_021``, ``TALK_00017`` a segment of a talk).
"""

import re
from dataclasses import dataclass

from whisper_qat.report.evaluation.rows import ClipResult

MIN_SPEAKERS = 20
PART = re.compile(r"(.+)_\d+")


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """``label[clip id]`` names the block of each clip; ``unit`` says what a block is."""

    unit: str  # recording | speaker | clip
    label: dict[str, str]

    @property
    def number(self) -> int:
        """Distinct blocks."""
        return len(set(self.label.values()))


def choose_blocks(clips: list[ClipResult]) -> Blocks:
    """Blocks for one corpus: speakers when there are 20, else recordings, else the clips."""
    speakers = {clip.id: clip.speaker for clip in clips if clip.speaker is not None}
    if len(speakers) == len(clips) and len(set(speakers.values())) >= MIN_SPEAKERS:
        return Blocks(unit="speaker", label=speakers)
    given = {clip.id: clip.block for clip in clips if clip.block is not None}
    for recordings in (given, recordings_of_ids([clip.id for clip in clips])):
        if len(recordings) == len(clips) and len(set(recordings.values())) > 1:
            return Blocks(unit="recording", label=recordings)
    return Blocks(unit="clip", label={clip.id: clip.id for clip in clips})


def recordings_of_ids(ids: list[str]) -> dict[str, str]:
    """Recording of each clip by its id; empty where ids do not tell, or no two clips share one."""
    found = {id_: match[1] for id_ in ids if (match := PART.fullmatch(id_))}
    return found if len(found) == len(ids) > len(set(found.values())) else {}
