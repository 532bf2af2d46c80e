"""Processes a large weight in chunks of rows, so that intermediate results stay in cache.

Fake quantization is a dozen elementwise passes. Over a whole token table (106 MB for Whisper base)
each pass reads and writes main memory; over 2^18 values at a time only the first reads it and the
last writes it. Rows are independent, so the values are the same, bit for bit. Chunks are used on a
CPU only: on a GPU each pass costs a kernel launch, and memory is fast.
"""

from collections.abc import Callable

from torch import Tensor

CHUNK = 2**18  # values


def by_rows(compute: Callable[..., tuple[Tensor, ...]], *tensors: Tensor) -> tuple[Tensor, ...]:
    """Return `compute(*tensors)` of tensors [N, ...], computed in chunks of rows.

    Each row of the results [N, ...] must depend only on the same row of the tensors.
    """
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
