"""The registry: one record per class of schemes, which names all that the library does with it.

A record is the list of a scheme's parts: its value, and the module in which each layer of the
library finds its share. Adding a scheme therefore edits no `if` anywhere: it takes a record here
and the modules that the record names, which may be those of other schemes where the arithmetic or
the operators are the same, or one new module for all parts.

The parts are names, "package.module", imported when first asked for. Objects in their place would
make this module import the graph writer, the runtime and torch: a plan could no longer be read
without them, and imports would point up. One registry in each layer was the alternative; a scheme
was then in five tables, and nothing said what was missing. What each part must offer is a Protocol
beside the code that asks for it, and the test of this module checks every record against them:

- weight: `quant.numerics.WeightNumerics`; on torch tensors
- activation: `quant.numerics.ActivationNumerics`; on torch tensors
- packing: `quant.packing.Packing`; on numpy arrays
- nodes: `export.onnx.schemes.nodes.SchemeNodes`
- kernel_check: `infer.kernels.kernel_check.KernelCheck`
- parity: `parity.activation_codes.CodeProbe`
"""

from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.scheme import Scheme

PARTS = ("weight", "activation", "packing", "nodes", "kernel_check", "parity")


@dataclass(frozen=True, kw_only=True)
class SchemeRecord:
    """A class of schemes, how its names are spelt, and the modules of its parts."""

    scheme: type[Scheme]
    spelling: str
    weight: str
    activation: str
    packing: str
    nodes: str
    kernel_check: str
    parity: str

    def part(self, name: str) -> Any:
        """The module of one of `PARTS`, imported now if it was not yet."""
        assert name in PARTS, name
        return resolve_name(getattr(self, name))


BLOCK = SchemeRecord(
    scheme=BlockScheme,
    spelling="block-int<bits>-<block_size>[-f16]",
    weight="whisper_qat.quant.block_weight",
    activation="whisper_qat.quant.block_activation",
    packing="whisper_qat.quant.block_scheme",
    nodes="whisper_qat.export.onnx.schemes.block",
    kernel_check="whisper_qat.infer.kernels.block_check",
    parity="whisper_qat.parity.codes.block",
)
DYNAMIC = SchemeRecord(
    scheme=DynamicScheme,
    spelling=DynamicScheme.name,
    weight="whisper_qat.quant.channel_weight",
    activation="whisper_qat.quant.dynamic_activation",
    packing="whisper_qat.quant.channel_scheme",
    nodes="whisper_qat.export.onnx.schemes.dynamic",
    kernel_check="whisper_qat.infer.kernels.dynamic_check",
    parity="whisper_qat.parity.codes.dynamic",
)
ROW = SchemeRecord(
    scheme=RowScheme,
    spelling=RowScheme.name,
    weight="whisper_qat.quant.channel_weight",
    activation="whisper_qat.quant.row_activation",
    packing="whisper_qat.quant.channel_scheme",
    nodes="whisper_qat.export.onnx.schemes.row",
    kernel_check="whisper_qat.infer.kernels.row_check",
    parity="whisper_qat.parity.codes.row",
)

_records = {record.scheme: record for record in (BLOCK, DYNAMIC, ROW)}


def register(record: SchemeRecord) -> None:
    """Add a class of schemes; ValueError when it has a record already."""
    if record.scheme in _records:
        raise ValueError(f"{record.scheme.__name__}: a scheme has one record, and this one has it")
    _records[record.scheme] = record


def unregister(scheme: type[Scheme]) -> None:
    """Take back what `register` added."""
    del _records[scheme]


def records() -> tuple[SchemeRecord, ...]:
    """All records, in the order of their registration."""
    return tuple(_records.values())


def part(scheme: Scheme, name: str) -> Any:
    """The module that holds a scheme's part `name`, one of `PARTS`."""
    return _records[type(scheme)].part(name)


def parse_scheme(name: str) -> Scheme:
    """The scheme that `name` spells, e.g. `block-int8-32-f16`; ValueError otherwise."""
    for record in records():
        if (scheme := record.scheme.parse(name)) is not None:
            return scheme
    first, *others = (record.spelling for record in records())
    raise ValueError(f"unknown scheme {name!r}: expected {first} or one of {', '.join(others)}")
