"""Time one layer's product by every scheme at 1, 150 and 1,500 rows, one thread, in turn.

    python study/products.py --output_dir outputs/evaluations/products \
      --result docs/results/products-by-scheme-vnni.json

The layer is Whisper base's first of the MLP (512 -> 2,048), with the nodes that the exporter
writes: quantizing the activations is part of the time, as in a model. results.json in the folder
has all timings; the result file, which `make results` prints, has ratios to float32. A CPU without
VNNI gets its own file: give --result another name there.
"""

import argparse
from datetime import date
from pathlib import Path

from whisper_qat.measure.matmul_time import ProductShape, milliseconds
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.report.published.reading import json_text
from whisper_qat.runs.environment import cpu, cpu_kind, git_revision, package_versions
from whisper_qat.runs.folders import hash_file, write_json, write_text

FLOAT = "float32"
SCHEMES = (
    "block-int8-32-f16", "block-int4-32-f16", "int8-dynamic", "int8-row", "int7-row", "int4-row",
    "int3-row", "int2-row",
)  # fmt: skip
ROWS = (1, 150, 1500)
OUT_FEATURES, IN_FEATURES = 2048, 512
REPEATS = {1: 400, 150: 60, 1500: 15}


def measure() -> dict[str, dict[str, float]]:
    """Scheme -> milliseconds by number of rows."""
    found: dict[str, dict[str, float]] = {name: {} for name in (FLOAT, *SCHEMES)}
    schemes = [None, *map(parse_scheme, SCHEMES)]
    for rows in ROWS:
        shape = ProductShape(rows, OUT_FEATURES, IN_FEATURES)
        times = milliseconds(shape, schemes, 1, REPEATS[rows])
        for name, time in zip(found, times, strict=True):
            found[name][str(rows)] = time
    return found


def record(results: dict, path: Path, args: argparse.Namespace) -> dict:
    """The content of the result file."""
    times, here = results["milliseconds"], results["cpu"]

    def ratios(name: str) -> dict[str, float]:
        return {f"rows_{rows}": round(times[FLOAT][rows] / t, 3) for rows, t in times[name].items()}

    columns = [{"name": "row", "title": "Row", "unit": "text", "decimals": None, "meaning": None}]
    columns += [
        {"name": f"rows_{rows}", "title": f"{rows:,} row{'s' * (rows > 1)}, × {FLOAT}",
         "unit": "number", "decimals": 2, "meaning": None}
        for rows in ROWS
    ]  # fmt: skip
    return {
        "id": args.result.stem, "section": "speed", "order": args.order,
        "title": f"Products of one layer by scheme, {cpu_kind(here['isa'])}",
        "question": "How much faster than float32 is a layer of 512 x 2,048 in each scheme, "
        "quantizing its input included?",
        "reading": args.reading,
        "date": date.today().isoformat(), "commit": git_revision(),
        "command": f"python study/products.py --result {args.result.name}",
        "source": {"kind": "measured", "folder": args.output_dir.name,
                   "results_sha256": hash_file(path), "models": {}},
        "machine": {"cpu": here["name"], "isa": here["isa"], "cores": None, "threads": 1,
                    "load": None},
        "settings": {
            "model": None, "test_sets": [], "normalizer": None, "decoding": None,
            "runtime": f"ONNX Runtime {results['versions']['onnxruntime']}", "audio_context": None,
            "training_seeds": [], "intervals": None,
        },
        "columns": columns,
        "rows": [{"row": name, **ratios(name)} for name in SCHEMES],
        "notes": ["Medians of interleaved runs. Ratios above 1 are faster than float32."],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output_dir", type=Path, default=Path("outputs/evaluations/products"))
    parser.add_argument("--result", type=Path, help="result file to write")
    parser.add_argument("--reading", default="See the table.", help="what it says, in one sentence")
    parser.add_argument("--order", type=int, default=85)
    args = parser.parse_args()
    results = {"cpu": cpu(), "versions": package_versions(), "milliseconds": measure()}
    path = args.output_dir / "results.json"
    write_json(path, results)
    for name, times in results["milliseconds"].items():
        print(name.ljust(20), {rows: f"{t:.3f} ms" for rows, t in times.items()})
    if args.result is not None:
        write_text(args.result, json_text(record(results, path, args)))


if __name__ == "__main__":
    main()
