"""What the bootstrap draws: whole recordings or speakers where they are known, else clips.

Clips of one recording err together; drawing them one by one would make the interval too narrow.
Fewer than 20 speakers are too few to draw from, so then a clip stands for itself, and the report
says so.
"""

from dataclasses import dataclass

from whisper_qat.report.rows import ClipResult

MIN_SPEAKERS = 20


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
    """Blocks for one corpus: the rows' own, else speakers when there are 20, else the clips."""
    given = {clip.id: clip.block for clip in clips if clip.block is not None}
    if len(given) == len(clips) and len(set(given.values())) > 1:
        return Blocks(unit="recording", label=given)
    speakers = {clip.id: clip.speaker for clip in clips if clip.speaker is not None}
    if len(speakers) == len(clips) and len(set(speakers.values())) >= MIN_SPEAKERS:
        return Blocks(unit="speaker", label=speakers)
    return Blocks(unit="clip", label={clip.id: clip.id for clip in clips})
