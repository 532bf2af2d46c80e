"""Compare eager and compiled (torch.compile) fake quantization: times, and equality of values.

Forward and backward on weights and activations of Whisper base's shapes; medians of interleaved
runs.

Example:
    OMP_NUM_THREADS=1 python study/compiled_fake_quant.py --runs 15
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from whisper_qat.quant import numerics
from whisper_qat.quant.registry import parse_scheme

Function = Callable[[Tensor], Tensor]
# Without it the compiler keeps the scales, which are rounded to float16, in float32.
OPTIONS = {"emulate_precision_casts": True}
SHAPES = {"weight": [(2048, 512), (51_865, 512)], "activation": [(4, 300, 512), (4, 300, 2048)]}


def seconds(function: Function, x: Tensor) -> tuple[float, Tensor, Tensor]:
    """Time of one forward and backward, the values, and the gradient."""
    x = x.detach().clone().requires_grad_()
    start = time.perf_counter()
    y = function(x)
    y.backward(torch.ones_like(y))
    assert x.grad is not None
    return time.perf_counter() - start, y.detach(), x.grad


def compare(
    name: str, function: Function, shape: tuple[int, ...], flags: argparse.Namespace
) -> str:
    """Compare both forms; returns a line with medians in ms and the equality of values."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    forms = {
        "eager": function,
        "compiled": torch.compile(function, options=OPTIONS if flags.exact else {}),
    }
    found = {form: seconds(f, x) for form, f in forms.items()}  # compiles, and warms up
    same = all(torch.equal(a, b) for a, b in zip(*(f[1:] for f in found.values()), strict=True))
    differ = (found["eager"][1] != found["compiled"][1]).float().mean().item()
    times: dict[str, list[float]] = {form: [] for form in forms}
    for _ in range(flags.runs):
        for form, f in forms.items():
            times[form].append(1000 * seconds(f, x)[0])
    a, b = (statistics.median(times[form]) for form in forms)
    equal = "equal" if same else f"NOT equal ({100 * differ:.4f} % of the values)"
    return f"{name:32} {shape!s:18} eager {a:8.2f} ms  compiled {b:8.2f} ms  {a / b:5.2f}x  {equal}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--inexact", dest="exact", action="store_false", help="torch's defaults")
    flags = parser.parse_args()
    for scheme in map(parse_scheme, ("block-int8-32-f16", "block-int4-32-f16", "int8-row")):
        verbs = numerics.of_weight(scheme)
        for shape in SHAPES["weight"]:
            name = f"weight {scheme.name}"
            print(compare(name, lambda x: verbs.fake_quantize(x, scheme, None), shape, flags))  # noqa: B023
        for shape in SHAPES["activation"]:
            name = f"activation {scheme.name}"
            quantize = lambda x: numerics.fake_quantize_activation(x, scheme, None)  # noqa: B023, E731
            print(compare(name, quantize, shape, flags))


if __name__ == "__main__":
    main()
