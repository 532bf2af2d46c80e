"""Write the manifests of the int4 study, telephone prompts and verse: training and validation.

python study/data.py --prompts data/telephone-fr --verse VERSE --output_dir outputs/study/data

train.jsonl: every training prompt and 240 clips of verse. validation.jsonl: the validation prompts
and 40 clips of other poems of the same training part; all choices of the study are made on it.
Poems are drawn whole, in the order of the SHA-256 of their ids. Neither the test prompts nor the
dev part of the verse are read.
"""

import argparse
import hashlib
import json
from itertools import groupby
from pathlib import Path

TRAIN_VERSES, VALIDATION_VERSES = 240, 40


def read(manifest: Path) -> list[dict]:
    clips = [json.loads(line) for line in manifest.read_text().splitlines()]
    return [clip | {"audio": str((manifest.parent / clip["audio"]).resolve())} for clip in clips]


def poems(clips: list[dict]) -> list[list[dict]]:
    """Clips grouped by poem (id `fdm_<poem>_<clip>`), in a fixed random order of the poems."""

    def poem(clip: dict) -> str:
        return clip["id"].rpartition("_")[0]

    groups = [list(group) for _, group in groupby(sorted(clips, key=lambda c: c["id"]), key=poem)]
    return sorted(groups, key=lambda group: hashlib.sha256(poem(group[0]).encode()).hexdigest())


def draw(groups: list[list[dict]], clips: int) -> list[dict]:
    """Take whole poems from the front of `groups` until there are at least `clips` clips."""
    drawn: list[dict] = []
    while len(drawn) < clips:
        drawn += groups.pop(0)
    return drawn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("prompts", "verse", "output_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    left = poems(read(args.verse / "train.jsonl"))
    splits = {
        "train": read(args.prompts / "train.jsonl") + draw(left, TRAIN_VERSES),
        "validation": read(args.prompts / "validation.jsonl") + draw(left, VALIDATION_VERSES),
    }
    args.output_dir.mkdir(parents=True, exist_ok=True)
    for name, clips in splits.items():
        lines = [json.dumps(clip, ensure_ascii=False) + "\n" for clip in clips]
        (args.output_dir / f"{name}.jsonl").write_text("".join(lines))
        print(f"{name}: {len(clips)} clips, {sum(c['duration'] for c in clips) / 60:.1f} min")


if __name__ == "__main__":
    main()
