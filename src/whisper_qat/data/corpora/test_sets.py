"""The corpora of an evaluation: named ones and a test set, each measured or listed with a reason.

Clips that cannot be used are left out here, before any model runs, so that every row has the same
clips and the reason is in the report.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.data.clips.clip import Clip
from whisper_qat.data.clips.fingerprint import hash_clips_as_json
from whisper_qat.data.clips.screen import Rejected, screen
from whisper_qat.data.clips.split import sample_clips
from whisper_qat.data.corpora.named import CorpusUnreachable, load_any, load_corpus
from whisper_qat.errors import InputError
from whisper_qat.front_end import WINDOW_S


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Clips to measure, or the `reason` why there are none."""

    name: str
    clips: list[Clip]
    left_out: list[Rejected] = field(default_factory=list)
    reason: str | None = None

    @property
    def fingerprint(self) -> str:
        """Changes with any id or reference text."""
        return hash_clips_as_json(self.clips)

    def describe(self) -> dict[str, Any]:
        """The corpus's entry in measurements.json."""
        durations_s = [clip.duration_s or 0.0 for clip in self.clips]
        return {
            "name": self.name,
            "status": "measured" if self.reason is None else "unreachable",
            "reason": self.reason,
            "clips": len(self.clips),
            "audio_s": sum(durations_s),
            "left_out": [{"id": clip.id, "reason": clip.reason} for clip in self.left_out],
            "long_form_clips": sum(duration > WINDOW_S for duration in durations_s),
        }


def name_of_test_set(test_data: str) -> str:
    """What the clips of --test_data are called: the folder's or file's own name."""
    return Path(test_data).stem if Path(test_data).is_file() else Path(test_data).name


def check_names(corpora: list[str], test_data: str | None) -> None:
    """InputError when nothing is asked for, or one name twice."""
    if not corpora and test_data is None:
        raise InputError("nothing to measure on: give --corpora NAME..., --test_data FILE, or both")
    names = [*corpora, *([name_of_test_set(test_data)] if test_data else [])]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"the corpus {name!r} is asked for twice (--corpora, --test_data)")


def gather(
    corpora: list[str],
    test_data: str | None,
    *,
    corpora_config: Path,
    max_samples: int | None,
    seed: int,
) -> list[Corpus]:
    """Every corpus that was asked for; one that cannot be had carries its reason."""
    found = [_load_named(name, corpora_config, max_samples, seed) for name in corpora]
    if test_data is not None:
        name = name_of_test_set(test_data)
        try:
            found.append(usable(name, load_any(test_data), max_samples, seed))
        except CorpusUnreachable as error:
            found.append(Corpus(name=name, clips=[], reason=error.reason))
    return found


def _load_named(name: str, corpora_config: Path, max_samples: int | None, seed: int) -> Corpus:
    try:
        return usable(name, load_corpus(name, corpora_config), max_samples, seed)
    except CorpusUnreachable as error:
        return Corpus(name=name, clips=[], reason=error.reason)


def usable(name: str, clips: list[Clip], max_samples: int | None, seed: int) -> Corpus:
    """A seeded draw of `clips`, without those that cannot be used; long ones stay."""
    drawn = sample_clips(clips, max_samples, seed)
    screened = screen(drawn, decode=True, max_duration_s=math.inf)
    reason = None
    if not screened.kept:
        first = f" ({screened.rejected[0].reason})" if screened.rejected else ""
        reason = f"no usable clip among {len(drawn)}{first}"
    return Corpus(name=name, clips=screened.kept, left_out=screened.rejected, reason=reason)
