"""Keep what one seed's evaluation measured, and what its models were, without the models.

    python study/keep.py --evaluation outputs/study/seeds/s0 --models outputs/study \
      --output_dir docs/results/study/s0

measurements.json, the transcripts of every row and its losses are copied. models.json holds, for
every row, the resolved settings and the SHA-256 of all its files, so that another training can be
compared.
"""

import argparse
import shutil
from pathlib import Path
from typing import Any

from whisper_qat.runs.folders import hash_file, read_json, write_json

RECORDS = ("rows", "teacher_forced")
ABSENT_FROM_TRAINING = "+"  # in the name of a row that PTQ made of a trained one


def hashes(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def without_folders(value: Any) -> Any:
    """`value` with every absolute path in it reduced to its last component."""
    if isinstance(value, dict):
        return {key: without_folders(one) for key, one in value.items()}
    if isinstance(value, list):
        return [without_folders(one) for one in value]
    return Path(value).name if isinstance(value, str) and value.startswith("/") else value


def describe(row: str, models: Path) -> dict:
    """Settings and hashes of a row's folders: as trained, unless PTQ made it, and as converted."""
    found = {}
    for kind, folder in (
        ("train", models / "train" / row / "final"),
        ("onnx", models / "onnx" / row),
    ):
        if kind == "train" and ABSENT_FROM_TRAINING in row:
            continue
        manifest = read_json(folder / "manifest.json")
        kept = {key: manifest.get(key) for key in ("config", "inputs", "git_revision", "created")}
        found[kind] = kept | {"sha256": hashes(folder)}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("evaluation", "models", "output_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    args = parser.parse_args()
    measurements = read_json(args.evaluation / "measurements.json")
    shutil.rmtree(args.output_dir, ignore_errors=True)
    for name in RECORDS:
        if (args.evaluation / name).is_dir():
            ignored = shutil.ignore_patterns("row.json")  # times and memory of that day
            shutil.copytree(args.evaluation / name, args.output_dir / name, ignore=ignored)
    rows = [row["name"] for row in measurements["rows"]]
    described = {row: describe(row, args.models) for row in rows}
    write_json(args.output_dir / "models.json", without_folders(described))
    write_json(args.output_dir / "measurements.json", without_folders(measurements))
    print(f"{args.output_dir}: {len(rows)} rows")


if __name__ == "__main__":
    main()
