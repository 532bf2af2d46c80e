"""Time of a graph by operator, from the profiler of onnxruntime.

Several graphs run in turn, round by round, so that a busy moment of the machine affects them all.
"""

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from whisper_qat.errors import InputError
from whisper_qat.infer.onnx.session import open_session, session_options

WARM_UP = 2
KERNEL = "_kernel_time"
OF_ACTIVATIONS = " of activations"  # distinguishes a MatMul of attention from that of a layer
TYPES = {
    "tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}  # fmt: skip


def profile(
    graphs: Sequence[Path], sizes: Mapping[str, int], values: Mapping[str, int], *,
    rounds: int, threads: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """For each graph the median `cpu_ms` and `wall_ms` of a run, and the count and ms of operators.

    `sizes` gives the symbolic dimensions (1 by default) and `values` the value of integer and
    boolean inputs (0 by default); float inputs are Gaussian noise. InputError for an unusable file.
    """
    with tempfile.TemporaryDirectory(prefix="profile-") as scratch:
        sessions = [_session(path, Path(scratch) / str(i), threads)
                    for i, path in enumerate(graphs)]  # fmt: skip
        feeds = [inputs_of(session, sizes, values) for session in sessions]
        times: list[list[tuple[float, float]]] = [[] for _ in sessions]
        for _ in range(WARM_UP + rounds):
            for session, fed, taken in zip(sessions, feeds, times, strict=True):
                cpu, wall = time.process_time(), time.perf_counter()
                session.run_with_ort_values(None, fed)
                taken.append((time.process_time() - cpu, time.perf_counter() - wall))
        return [
            {
                "graph": str(path),
                "cpu_ms": 1000 * median(cpu for cpu, _ in taken[WARM_UP:]),
                "wall_ms": 1000 * median(wall for _, wall in taken[WARM_UP:]),
                "operators": by_operator(json.loads(Path(session.end_profiling()).read_text())),
            }
            for path, session, taken in zip(graphs, sessions, times, strict=True)
        ]


def by_operator(events: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """{operator: nodes, ms}, longest first; ms is the sum of the median times of its nodes."""
    runs: dict[str, list[float]] = defaultdict(list)
    kind = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(KERNEL):
            runs[event["name"]].append(event["dur"] / 1000)
            kind[event["name"]] = _kind(event["args"])
    found: dict[str, dict[str, float]] = defaultdict(lambda: {"nodes": 0, "ms": 0.0})
    for name, taken in runs.items():
        found[kind[name]]["nodes"] += 1
        found[kind[name]]["ms"] += median(taken[WARM_UP:] or taken)
    return dict(sorted(found.items(), key=lambda item: -item[1]["ms"]))


def _kind(args: dict[str, Any]) -> str:
    operator = str(args["op_name"])
    shapes = [next(iter(entry.values())) for entry in args.get("input_type_shape", [])]
    if operator.endswith("MatMul") and len(shapes) > 1 and len(shapes[1]) > 2:
        return operator + OF_ACTIVATIONS
    return operator


def inputs_of(
    session: ort.InferenceSession, sizes: Mapping[str, int], values: Mapping[str, int]
) -> dict[str, ort.OrtValue]:
    """Inputs of noise and `values`, in the declared shapes with `sizes` for symbolic dimensions."""
    rng = np.random.default_rng(0)
    feeds = {}
    for declared in session.get_inputs():
        shape = [d if isinstance(d, int) else sizes.get(str(d), 1) for d in declared.shape]
        kind = TYPES[declared.type]
        array: NDArray = np.full(shape, values.get(declared.name, 0), dtype=kind)
        if kind is np.float32:
            array = (0.5 * rng.standard_normal(shape)).astype(np.float32)
        feeds[declared.name] = ort.OrtValue.ortvalue_from_numpy(array)
    return feeds


def _session(path: Path, prefix: Path, threads: int) -> ort.InferenceSession:
    if not path.is_file():
        raise InputError(f"{path}: no such file; expected an .onnx file")
    options = session_options(threads)
    options.enable_profiling = True
    options.profile_file_prefix = str(prefix)
    try:
        return open_session(path, options)
    except Exception as error:  # the exceptions of onnxruntime have no common base class
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{path}: onnxruntime cannot load it ({reason})") from None
