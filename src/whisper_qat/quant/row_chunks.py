"""Row chunks: work on a large weight a few rows at a time, so that what is between stays in cache.

Fake quantization is a dozen elementwise passes. Over a whole token table (106 MB for Whisper base)
each reads and writes memory; over 2^18 values at a time only the first reads and the last writes.
Rows do not see one another, so the values are the same, bit for bit. Only on a CPU: on a GPU a pass
costs its launch, and memory is fast.
"""

from collections.abc import Callable

from torch import Tensor

CHUNK = 2**18  # values


def by_rows(compute: Callable[..., tuple[Tensor, ...]], *tensors: Tensor) -> tuple[Tensor, ...]:
    """`compute(*tensors)` of tensors [N, ...], whose results [N, ...] depend on their own row."""
    first = tensors[0]
    rows = max(1, CHUNK // max(1, first.shape[-1]))
    if first.device.type != "cpu" or len(first) <= rows:
        return compute(*tensors)
    whole: tuple[Tensor, ...] = ()
    for start in range(0, len(first), rows):
        part = slice(start, start + rows)
        results = compute(*(tensor[part] for tensor in tensors))
        whole = whole or tuple(r.new_empty(len(first), *r.shape[1:]) for r in results)
        for out, result in zip(whole, results, strict=True):
            out[part] = result
    return whole
