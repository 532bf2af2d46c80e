"""The registry of schemes: one record per class of schemes, naming the modules that implement it.

A record lists the parts of a scheme: its class, and a module for each layer of the library. So a
new scheme changes no `if` anywhere: it needs a record here and the modules that the record names,
which may be those of other schemes where the arithmetic or the operators are the same, or one new
module for all parts.

The parts are names, "package.module", imported on first use. Storing the modules themselves would
make this module import the graph writer, the runtime and torch: a plan could no longer be read
without them, and lower layers would import higher ones. The alternative, one registry in each
layer, spread a scheme over five tables without a check for missing entries. What each part must
provide is a Protocol next to the code that uses it, and this module's test checks every record:

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
from whisper_qat.quant.two_level_scheme import TwoLevelScheme

PARTS = ("weight", "activation", "packing", "nodes", "kernel_check", "parity")


@dataclass(frozen=True, kw_only=True)
class SchemeRecord:
    """A class of schemes, the spelling of their names, and the modules of their parts."""

    scheme: type[Scheme]
    spelling: str
    weight: str
    activation: str
    packing: str
    nodes: str
    kernel_check: str
    parity: str

    def part(self, name: str) -> Any:
        """Return the module of one of `PARTS`, importing it if necessary."""
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
    spelling=DynamicScheme().name,
    weight="whisper_qat.quant.channel_weight",
    activation="whisper_qat.quant.dynamic_activation",
    packing="whisper_qat.quant.channel_scheme",
    nodes="whisper_qat.export.onnx.schemes.dynamic",
    kernel_check="whisper_qat.infer.kernels.dynamic_check",
    parity="whisper_qat.parity.codes.dynamic",
)
ROW = SchemeRecord(
    scheme=RowScheme,
    spelling="int8-row, int7-row",
    weight="whisper_qat.quant.channel_weight",
    activation="whisper_qat.quant.row_activation",
    packing="whisper_qat.quant.channel_scheme",
    nodes="whisper_qat.export.onnx.schemes.row",
    kernel_check="whisper_qat.infer.kernels.row_check",
    parity="whisper_qat.parity.codes.row",
)

TWO_LEVEL = SchemeRecord(
    scheme=TwoLevelScheme,
    spelling="int4-row, int3-row, int2-row",
    weight="whisper_qat.quant.two_level_weight",
    activation="whisper_qat.quant.row_activation",
    packing="whisper_qat.quant.two_level_scheme",
    nodes="whisper_qat.export.onnx.schemes.two_level",
    kernel_check="whisper_qat.infer.kernels.row_check",
    parity="whisper_qat.parity.codes.row",
)

_records = {record.scheme: record for record in (BLOCK, DYNAMIC, ROW, TWO_LEVEL)}


def register(record: SchemeRecord) -> None:
    """Add a class of schemes; ValueError when it is already registered."""
    if record.scheme in _records:
        raise ValueError(f"{record.scheme.__name__}: a scheme has one record, and this one has it")
    _records[record.scheme] = record


def unregister(scheme: type[Scheme]) -> None:
    """Remove a class of schemes that `register` added."""
    del _records[scheme]


def records() -> tuple[SchemeRecord, ...]:
    """Return all records, in the order of registration."""
    return tuple(_records.values())


def part(scheme: Scheme, name: str) -> Any:
    """Return the module of a scheme's part `name`, one of `PARTS`."""
    return _records[type(scheme)].part(name)


def parse_scheme(name: str) -> Scheme:
    """Return the scheme of that name, e.g. `block-int8-32-f16`; ValueError if there is none."""
    for record in records():
        if (scheme := record.scheme.parse(name)) is not None:
            return scheme
    known = ", ".join(record.spelling for record in records())
    raise ValueError(f"unknown scheme {name!r}: expected one of {known}")
