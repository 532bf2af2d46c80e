"""Packs codes and scales into the bytes that a scheme's kernel reads."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from whisper_qat.quant.registry import part
from whisper_qat.quant.scheme import Scheme


class Packing(Protocol):
    """The `packing` part of a scheme's record in `quant.registry`; see this module's functions."""

    PACKED_DTYPE: type[np.generic]

    def pack(self, codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[Any]: ...
    def unpack(self, packed: NDArray[Any], scheme: Scheme) -> NDArray[np.uint8]: ...
    def packed_shape(self, rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]: ...
    def pack_scales(self, scales: NDArray[Any]) -> NDArray[Any]: ...
    def scale_bytes(self, rows: int, in_features: int, scheme: Scheme) -> int: ...


def packing_of(scheme: Scheme) -> Packing:
    packing: Packing = part(scheme, "packing")
    return packing


def pack(codes: NDArray[np.uint8], scheme: Scheme) -> NDArray[np.uint8] | NDArray[np.int8]:
    """Pack codes [N, blocks*block]: in the layout of the scheme's own `pack`."""
    return packing_of(scheme).pack(codes, scheme)


def unpack(packed: NDArray[np.uint8] | NDArray[np.int8], scheme: Scheme) -> NDArray[np.uint8]:
    """Unpack codes [N, blocks*block]; the inverse of `pack`."""
    return packing_of(scheme).unpack(packed, scheme)


def packed_shape(rows: int, in_features: int, scheme: Scheme) -> tuple[int, ...]:
    """Shape of the packed codes of a weight [rows, in_features]."""
    return packing_of(scheme).packed_shape(rows, in_features, scheme)


def packed_dtype(scheme: Scheme) -> type[np.generic]:
    """The numpy type of the packed codes."""
    return packing_of(scheme).PACKED_DTYPE


def pack_scales(scales: NDArray[Any], scheme: Scheme) -> NDArray[Any]:
    """Bring scales [N, blocks], float32 or float16, into the shape that the kernel takes."""
    return packing_of(scheme).pack_scales(scales)


def stored_bytes(rows: int, in_features: int, scheme: Scheme) -> int:
    """Number of bytes that codes and scales of a weight [rows, in_features] take in a file."""
    codes = int(np.prod(packed_shape(rows, in_features, scheme)))
    return codes + packing_of(scheme).scale_bytes(rows, in_features, scheme)
