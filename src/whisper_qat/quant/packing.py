"""Packing: codes and scales as the bytes that a scheme's kernel stores."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class Packing(Protocol):
    """The part `packing` of a record: see the functions of this module."""

    PACKED_DTYPE: type[np.generic]

    def pack(self, codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[Any]: ...
    def unpack(self, packed: NDArray[Any], scheme: Scheme) -> NDArray[np.uint8]: ...
    def packed_shape(self, rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]: ...
    def pack_scales(self, scales: NDArray[Any]) -> NDArray[Any]: ...


def packing_of(scheme: Scheme) -> Packing:
    packing: Packing = part(scheme, "packing")
    return packing


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8] | NDArray[np.int8]:
    """Codes [N, blocks*block] -> uint8 [N, blocks, block*bits/8], int8 [K, N] per channel."""
    return packing_of(scheme).pack(codes, scheme)


def unpack(packed: NDArray[np.uint8] | NDArray[np.int8], scheme: Scheme) -> NDArray[np.uint8]:
    """The inverse of `pack`: codes [N, blocks*block]."""
    return packing_of(scheme).unpack(packed, scheme)


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    return packing_of(scheme).packed_shape(rows, in_features, scheme)


def packed_dtype(scheme: Scheme) -> type[np.generic]:
    """Type of the packed codes."""
    return packing_of(scheme).PACKED_DTYPE


def pack_scales(scales: NDArray[Any], scheme: Scheme) -> NDArray[Any]:
    """Scales [N, blocks], float32 or float16, in the shape that the kernel takes."""
    return packing_of(scheme).pack_scales(scales)
