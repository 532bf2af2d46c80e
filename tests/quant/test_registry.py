"""The registry: every record is complete, and no other code asks which class a scheme has."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from whisper_qat.export.onnx.schemes.nodes import LookupNodes, SchemeNodes
from whisper_qat.infer.kernels.kernel_check import KernelCheck
from whisper_qat.parity.activation_codes import CodeProbe
from whisper_qat.quant import registry
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.numerics import ActivationNumerics, WeightNumerics
from whisper_qat.quant.packing import Packing
from whisper_qat.quant.registry import parse_scheme, part, records, register

SOURCES = sorted((Path(__file__).parents[2] / "src" / "whisper_qat").rglob("*.py"))
REQUIRED = {
    "weight": WeightNumerics, "activation": ActivationNumerics, "packing": Packing,
    "nodes": SchemeNodes, "kernel_check": KernelCheck, "parity": CodeProbe,
}  # fmt: skip
RECORDS = pytest.mark.parametrize("record", records(), ids=lambda r: r.scheme.__name__)


def missing(module, protocol):
    """What `module` lacks of `protocol`, or takes under other names."""
    verbs = {n: v for n, v in vars(protocol).items() if inspect.isfunction(v) and n[0] != "_"}
    constants = [name for name in protocol.__annotations__ if not hasattr(module, name)]
    return constants + [
        name for name, verb in verbs.items()
        if arguments(getattr(module, name, None)) != arguments(verb)
    ]  # fmt: skip


def arguments(verb):
    if verb is None:
        return None
    parameters = inspect.signature(verb).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters if p.name != "self"]


def test_every_part_has_its_protocol():
    assert tuple(REQUIRED) == registry.PARTS and len(records()) == 4


@RECORDS
@pytest.mark.parametrize("name", registry.PARTS)
def test_every_part_of_every_record_has_its_verbs(record, name):
    assert missing(record.part(name), REQUIRED[name]) == []


@RECORDS
def test_a_scheme_with_a_lookup_has_its_nodes(record):
    lacks = missing(record.part("nodes"), LookupNodes)
    assert (lacks == []) == bool(record.scheme.has_lookup)


def test_a_missing_verb_is_seen():
    module = type("Half", (), {"pack": lambda codes: codes, "PACKED_DTYPE": int})
    assert missing(module, Packing) == [
        "pack", "unpack", "packed_shape", "pack_scales", "scale_bytes",
    ]  # fmt: skip


def test_a_part_is_the_record_s_module():
    from_record = registry.BLOCK.part("weight")
    assert part(BlockScheme(4, 16), "weight") is from_record
    assert from_record.__name__ == "whisper_qat.quant.block_weight"


def test_a_scheme_has_one_record():
    with pytest.raises(ValueError, match="BlockScheme: a scheme has one record, and this one has"):
        register(registry.BLOCK)


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown scheme 'int8': expected one of block-int<bits>"):
        parse_scheme("int8")
    with pytest.raises(
        ValueError, match="int8-dynamic, int8-row, int7-row, int4-row, int3-row, int2-row$"
    ):
        parse_scheme("int8-column")
    with pytest.raises(ValueError, match="bits=3: MatMulNBits level 4 is supported for"):
        parse_scheme("block-int3-32")


def test_schemes_are_read_without_the_libraries_of_their_parts():
    code = (
        "import sys\nfrom whisper_qat.quant.registry import parse_scheme, part\n"
        "scheme = parse_scheme('block-int4-32')\npart(scheme, 'packing')\n"
        "loaded = {'torch', 'onnx', 'onnxruntime'} & set(sys.modules)\nassert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_code_asks_for_the_class_of_a_scheme():
    """What differs between schemes is asked of the value or found in the record."""
    assert len(SOURCES) > 100
    found = [f"{path.name}:{line}" for path in SOURCES for line in scheme_tests(path)]
    assert found == []


def scheme_tests(path):
    for node in ast.walk(ast.parse(path.read_text())):
        called = node.func.id if isinstance(node, ast.Call) and hasattr(node.func, "id") else ""
        if called in ("isinstance", "issubclass") and "Scheme" in ast.unparse(node.args[1]):
            yield node.lineno
