"""A benchmark folder with known numbers: two rows, a set of three clips and a long one."""

import json
from pathlib import Path

from whisper_qat.runs.folders import write_json

TEXTS = ("un deux", "trois quatre", "cinq six")


def line(row, number, clip, wall_s, text, *, cpu_s=None, tokens=None):
    what = "transcript" if tokens is None else f"tokens-{tokens}"
    return {
        "id": f"{row}|{number}|{clip}|{what}", "row": row, "round": number, "clip": clip,
        "what": what, "wall_s": wall_s, "cpu_s": wall_s if cpu_s is None else cpu_s,
        "peak_rss_bytes": 100_000_000, "text": text, "tokens": tokens,
    }  # fmt: skip


def journal(path: Path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"cut off')


def clip(name, text, duration_s):
    return {"id": name, "path": f"{name}.npy", "text": text, "duration_s": duration_s}


def row(name, side):
    return {
        "name": name, "side": side, "policy": "greedy", "short": False, "folder": name,
        "fingerprint": "f", "model_bytes": 50_000_000, "options": {}, "threads": 2,
        "median_wall_s": {},
    }  # fmt: skip


def write_benchmark(folder: Path) -> Path:
    """`fast` takes half of `slow`'s time in every median; one of its words of six is wrong."""
    measured = {
        "rows": [row("slow", "peer"), row("fast", "ours")],
        "sets": [
            {"name": "set-short", "kind": "short",
             "clips": [clip(f"c{i}", text, 2.0) for i, text in enumerate(TEXTS)]},
            {"name": "set-long", "kind": "long", "clips": [clip("all", "un deux", 60.0)]},
        ],
        "notes": ["gone: left out: not installed"], "reference": "slow", "normalizer": "card",
        "threads": "fixed", "decoding": "greedy", "fixed_tokens": 11, "config": {},
        "environment": {"cpu": {"name": "CPU", "isa": ["avx2"]}, "cores": 2, "versions": {},
                        "git_revision": None, "command": ["benchmark.py"], "load_average": 3.0,
                        "busy": True},
    }  # fmt: skip
    write_json(folder / "measured.json", measured)
    lines = []
    for number, extra in enumerate((0.0, 0.1, 5.0)):  # the median ignores the outlier
        for i, text in enumerate(TEXTS):
            text_of_fast = "cinq sept" if i == 2 else text
            lines.append(line("slow", number, f"c{i}", 0.9 + extra, text))
            lines.append(line("fast", number, f"c{i}", 0.4 + extra, text_of_fast, cpu_s=0.25))
        lines += [line("fast", number, "c0", 0.2, None, tokens=1),
                  line("fast", number, "c0", 0.7, None, tokens=11)]  # fmt: skip
    journal(folder / "rounds" / "set-short.jsonl", lines)
    long = [("slow", 0, 10.0, "un deux"), ("fast", 0, 2.0, "un deux"),
            ("slow", 1, 10.0, "un deux"), ("fast", 1, 2.0, "un")]  # fmt: skip
    journal(
        folder / "rounds" / "set-long.jsonl",
        [line(name, number, "all", wall_s, text) for name, number, wall_s, text in long],
    )
    starts = [{"id": f"fast|{i}", "row": "fast", "round": i, "first_transcript_s": 1.0 + i,
               "open_s": 0.5, "facts": {"runtime": "1"}} for i in range(3)]  # fmt: skip
    journal(folder / "starts.jsonl", starts)
    return folder
