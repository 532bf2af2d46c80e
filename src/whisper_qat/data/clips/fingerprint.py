"""Fingerprints of lists of clips: hashes of their ids and texts, in order.

Recorded in the folders of training runs, evaluations, PTQ and prepared data, so that a run is never
continued on other clips. The hashed content and its form must therefore never change.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence

from whisper_qat.data.clips.clip import Clip


def hash_records(records: Iterable[Sequence[str]]) -> str:
    """SHA-256 over records of text fields: fields are joined by NUL, records end in a newline."""
    digest = hashlib.sha256()
    for record in records:
        digest.update(("\0".join(record) + "\n").encode())
    return digest.hexdigest()


def hash_clips(clips: Iterable[Clip]) -> str:
    """SHA-256 over ids and texts in order."""
    return hash_records((clip.id, clip.text) for clip in clips)


def hash_splits(splits: dict[str, list[Clip]]) -> str:
    """SHA-256 over split, id and text of every clip, split by split."""
    return hash_records((name, c.id, c.text) for name, clips in splits.items() for c in clips)


def hash_clips_as_json(clips: Iterable[Clip]) -> str:
    """SHA-256 over ids and texts as a JSON list: the form that evaluation folders have recorded."""
    return hashlib.sha256(json.dumps([[clip.id, clip.text] for clip in clips]).encode()).hexdigest()
