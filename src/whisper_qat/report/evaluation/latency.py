"""Speed of a row during an evaluation: RTFx and latency percentiles.

Each clip is timed once and the rows run one after another, so the figures only rank rows of one run
on a quiet machine. A benchmark warms up, repeats and interleaves.
"""

from dataclasses import asdict, dataclass

import numpy as np

from whisper_qat.report.evaluation.rows import ClipResult

MIN_DURATION_S = 5.0  # shorter clips have mostly a fixed cost, which would hide the tail


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Seconds per clip at three percentiles, over ``clips`` clips of at least MIN_DURATION_S."""

    clips: int
    p50_s: float
    p90_s: float
    p99_s: float


def latency(clips: list[ClipResult]) -> Latency | None:
    """Latency percentiles over the timed clips that are long enough; None when there are none."""
    walls_s = [c.wall_s for c in clips if c.wall_s is not None and c.duration_s >= MIN_DURATION_S]
    if not walls_s:
        return None
    p50, p90, p99 = (float(p) for p in np.percentile(walls_s, [50, 90, 99]))
    return Latency(clips=len(walls_s), p50_s=p50, p90_s=p90, p99_s=p99)


def speed(clips: list[ClipResult]) -> dict[str, object] | None:
    """Audio and wall time, RTFx = audio / wall time, and latency; None when nothing was timed."""
    timed = [(c.duration_s, c.wall_s) for c in clips if c.wall_s is not None]
    wall_s = sum(wall for _, wall in timed)
    if wall_s <= 0:
        return None
    audio_s = sum(duration for duration, _ in timed)
    tail = latency(clips)
    return {
        "clips": len(timed),
        "audio_s": audio_s,
        "wall_s": wall_s,
        "rtfx": audio_s / wall_s,
        "latency": asdict(tail) if tail else None,
    }
