"""Splits that share neither a text nor a known speaker, and seeded draws from a list of clips.

Clips that are linked by a text (up to case, accents, punctuation) or by a speaker form a group, and
a group goes into one split whole: union-find over both. Only *equal* texts link. A prompt that
contains another's words ("appuyez sur 1" in a longer menu) may be in another split; so may any two
sentences of ordinary speech. A corpus of one speaker cannot be divided by speaker, so there the
speaker does not link.
"""

import random
import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass

from whisper_qat.data.clips.clip import Clip, total_hours
from whisper_qat.errors import InputError

ASIDE = re.compile(r"[(\[<][^)\]>]*[)\]>]")
NOT_WORD = re.compile(r"[^\w]+|_")
HOLD_OUT_FRACTION = 0.05


@dataclass(frozen=True, kw_only=True)
class Leak:
    """A clip taken out of a source's own split because a later split shares its text or speaker."""

    clip: Clip
    reason: str


def text_key(text: str) -> str:
    """The key for comparing texts: letters and digits, without case, accents or (asides)."""
    plain = unicodedata.normalize("NFKD", ASIDE.sub(" ", text).replace("œ", "oe").casefold())
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return " ".join(NOT_WORD.sub(" ", plain).split())


def has_speakers(clips: list[Clip]) -> bool:
    """True when the clips are known to come from at least two speakers."""
    return len({clip.speaker for clip in clips if clip.speaker}) > 1


def group_clips(clips: list[Clip]) -> list[list[Clip]]:
    """Return the groups that no split may divide, in the order of their first clips."""
    parent = list(range(len(clips)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    by_speaker = has_speakers(clips)
    for i, clip in enumerate(clips):
        links = [("text", text_key(clip.text))]
        if by_speaker and clip.speaker:
            links.append(("speaker", clip.speaker))
        for link in links:
            a, b = root(first.setdefault(link, i)), root(i)
            parent[max(a, b)] = min(a, b)
    groups: dict[int, list[Clip]] = defaultdict(list)
    for i, clip in enumerate(clips):
        groups[root(i)].append(clip)
    return list(groups.values())


def split_clips(clips: list[Clip], fractions: dict[str, float], seed: int) -> dict[str, list[Clip]]:
    """Divide ``clips`` into named parts of about these fractions (of clips; they sum to 1).

    Groups are drawn in a seeded order that does not depend on the order of ``clips``; each goes to
    the part that is furthest below its share. Large groups go first, so that a speaker with half of
    the clips lands in train. Each part keeps the order of ``clips``; a part can stay empty when
    there are fewer groups than parts.
    """
    assert abs(sum(fractions.values()) - 1) < 1e-6, fractions
    groups = group_clips(sorted(clips, key=lambda clip: clip.id))
    random.Random(seed).shuffle(groups)
    largest = max(1, round(min(f for f in fractions.values() if f > 0) * len(clips) / 2))
    groups.sort(key=lambda group: -len(group) if len(group) > largest else 0)
    part_of: dict[str, str] = {}
    filled = {name: 0 for name, fraction in fractions.items() if fraction > 0}
    for i, group in enumerate(groups):
        empty = [name for name in filled if not filled[name]]
        choices = empty if len(groups) - i <= len(empty) else list(filled)
        name = max(choices, key=lambda n: fractions[n] * len(clips) - filled[n])
        filled[name] += len(group)
        part_of.update({clip.id: name for clip in group})
    return {name: [clip for clip in clips if part_of[clip.id] == name] for name in fractions}


def hold_out(
    clips: list[Clip], fraction: float = HOLD_OUT_FRACTION, seed: int = 0
) -> tuple[list[Clip], list[Clip]]:
    """Return (the rest, a held-out part of about ``fraction``, at least one clip).

    Whole groups (see `group_clips`) are held out, those that fit, or the smallest one if it exceeds
    the fraction. The rest is empty when all clips form one group; the caller reports that.
    """
    target = max(1, round(fraction * len(clips)))
    groups = group_clips(sorted(clips, key=lambda clip: clip.id))
    random.Random(seed).shuffle(groups)
    taken: set[str] = set()
    for group in groups:
        if len(taken) + len(group) <= target:
            taken.update(clip.id for clip in group)
    if not taken and groups:
        taken = {clip.id for clip in min(groups, key=len)}
    rest = [clip for clip in clips if clip.id not in taken]
    return rest, [clip for clip in clips if clip.id in taken]


def keep_apart(splits: dict[str, list[Clip]]) -> tuple[dict[str, list[Clip]], list[Leak]]:
    """Keep a source's own splits, but remove from others what test or validation also contain.

    Test stays whole, so that its figures compare with other people's; validation gives way to
    test, and everything else to both.
    """
    everything = [clip for clips in splits.values() for clip in clips]
    by_speaker = has_speakers(everything)
    order = sorted(splits, key=lambda name: {"test": 0, "validation": 1}.get(name, 2))
    texts: dict[str, str] = {}
    speakers: dict[str, str] = {}
    kept: dict[str, list[Clip]] = {}
    leaks: list[Leak] = []
    for name in order:
        kept[name] = []
        for clip in splits[name]:
            other = texts.get(text_key(clip.text))
            speaker = speakers.get(clip.speaker or "") if by_speaker else None
            if other or speaker:
                what = f"text is also in {other}" if other else f"speaker is also in {speaker}"
                leaks.append(Leak(clip=clip, reason=what))
            else:
                kept[name].append(clip)
        texts.update({text_key(clip.text): name for clip in kept[name]})
        speakers.update({clip.speaker: name for clip in kept[name] if clip.speaker})
    return {name: kept[name] for name in splits}, leaks


def divide(
    splits: dict[str, list[Clip]], fractions: dict[str, float], seed: int
) -> dict[str, list[Clip]]:
    """Form the parts named in ``fractions``, none empty, from a source's own splits.

    Without a ``train`` and another split everything is divided anew; otherwise the source's splits
    stay and the missing ones are held out of train. InputError when there is too little to divide.
    """
    wanted = {name: fraction for name, fraction in fractions.items() if fraction > 0}
    if not has_own_splits(splits):
        parts = split_clips([clip for clips in splits.values() for clip in clips], wanted, seed)
    else:
        parts = dict(splits)
        for name in [name for name in wanted if name not in splits]:
            share = wanted[name] / (wanted[name] + wanted.get("train", 0))
            parts["train"], parts[name] = hold_out(parts["train"], share, seed)
    empty = [name for name in wanted if not parts[name]]
    if empty:
        groups = len(group_clips([clip for clips in splits.values() for clip in clips]))
        raise InputError(
            f"nothing left for {', '.join(empty)}: {groups} groups of clips share no text or "
            f"speaker, expected at least {len(wanted)}; give more clips, or fraction 0 to a split"
        )
    return {name: parts[name] for name in wanted}


def has_own_splits(splits: dict[str, list[Clip]]) -> bool:
    """True when a source has a train split and another one to keep apart."""
    return "train" in splits and len(splits) > 1


def sample_clips(clips: list[Clip], max_samples: int | None, seed: int) -> list[Clip]:
    """Draw at most ``max_samples`` clips at random by seed, in the order of ``clips``."""
    if max_samples is None or max_samples >= len(clips):
        return clips
    ids = sorted(clip.id for clip in clips)
    drawn = set(random.Random(seed).sample(ids, max_samples))
    return [clip for clip in clips if clip.id in drawn]


def describe(clips: list[Clip]) -> str:
    """Describe the amount of speech in a list of clips, e.g. ``"1,200 clips, 1.85 h"``."""
    hours = total_hours(clips)
    return f"{len(clips):,} clips, " + (
        "length not known yet" if hours is None else f"{hours:.2f} h"
    )
