"""The model.bin format: every dtype, aliases, and every way a file can be broken."""

import re

import numpy as np
import pytest
import torch

from tests.model.ct2_bytes import write_model
from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2.model_file import Ct2File, read_file, write_file

VALUES = {
    "a/float32": np.array([[1.5, -0.0, np.inf], [3e-45, 2.0, -1.0]], np.float32),
    "a/float16": np.array([6e-8, 65504, -1], np.float16),
    "a/int8": np.array([-128, 127], np.int8),
    "a/int16": np.array([-32768, 32767], np.int16),
    "a/int32": np.array([[-(2**31)]], np.int32),
    "empty": np.zeros((0, 4), np.float32),
    "scalar": np.int16(-1),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.bin"


@pytest.mark.parametrize("version", [4, 5, 6])
def test_values_names_and_dtypes_are_the_files(path, version):
    write_model(path, VALUES, version=version, spec="AnySpec")
    file = read_file(path)
    assert (file.spec, file.revision) == ("AnySpec", 3)
    assert set(file.variables) == set(VALUES)
    for name, value in VALUES.items():
        read = file.variables[name].numpy()
        assert (read.dtype, read.shape) == (value.dtype, value.shape)
        assert read.tobytes() == np.asarray(value).tobytes()  # also tells -0.0 from 0.0


def test_written_bytes_are_those_of_the_format(path):
    aliases = {"b": "a/int8", "z": "scalar"}
    write_model(path, VALUES, aliases, spec="AnySpec")
    expected = path.read_bytes()
    variables = {name: torch.from_numpy(np.array(value)) for name, value in VALUES.items()}
    write_file(Ct2File(spec="AnySpec", revision=3, variables=variables), path, aliases=aliases)
    assert path.read_bytes() == expected
    found = read_file(path).variables
    assert found["b"] is found["a/int8"]
    assert found["z"] is found["scalar"]


def test_bfloat16_is_written(path):
    numbers = torch.tensor([[1.0], [-3.140625]]).bfloat16()
    write_file(Ct2File(spec="S", revision=3, variables={"x": numbers}), path, aliases={})
    assert torch.equal(read_file(path).variables["x"], numbers)


def test_bfloat16(path):
    numbers = torch.tensor([1.0, -3.140625, 1e30]).bfloat16()
    write_model(path, {"x": numbers.view(torch.int16).numpy()}, bfloat16=True)
    read = read_file(path).variables["x"]
    assert read.dtype == torch.bfloat16
    assert torch.equal(read, numbers)


def test_an_alias_is_the_same_tensor_and_keeps_its_scale(path):
    weight = {
        "e/weight": np.array([[1, 2]], np.int8),
        "e/weight_scale": np.array([4.0], np.float32),
    }
    write_model(path, weight, {"p/weight": "e/weight"})
    variables = read_file(path).variables
    assert variables["p/weight"] is variables["e/weight"]
    assert variables["p/weight_scale"] is variables["e/weight_scale"]


def test_every_cut_of_a_file_is_refused(path):
    write_model(path, VALUES, {"alias": "a/int8"})
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"model\.bin: truncated: \d+ bytes wanted at byte"):
            read_file(path)


def test_more_than_the_file_says_is_refused(path):
    write_model(path, VALUES)
    path.write_bytes(path.read_bytes() + b"xx")
    with pytest.raises(InputError, match="2 bytes after the end"):
        read_file(path)


@pytest.mark.parametrize("start", [b"", b"PK", b"PK\3\4", b'{"js', b"\7\0\0\0"])
def test_another_kind_of_file_is_refused(path, start):
    path.write_bytes(start + b"and more" * (len(start) == 4))
    message = "not a CTranslate2 model of binary version 4 to 6 (it starts with "
    with pytest.raises(InputError, match=re.escape(f"{message}{start!r})")):
        read_file(path)


def test_a_missing_file_is_refused(path):
    with pytest.raises(InputError, match=r"no such file; expected a folder with CTranslate2's"):
        read_file(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"x\0\1\4\0\0\0\1\4\0\0\0", b"x\0\1\4\0\0\0\6\4\0\0\0", "x: unknown type id 6"),
        (
            b"x\0\1\4\0\0\0\1\4\0\0\0",
            b"x\0\1\4\0\0\0\1\3\0\0\0",
            r"x: 3 bytes for torch.int8 \[4\]",
        ),
        (b"x\0\1\4", b"xy\1\4", "no name at byte 26; the file is damaged"),
        (b"\2\0x\0", b"\2\0\xff\0", "no name at byte 26; the file is damaged"),
        (b"\2\0x\0", b"\0\0x\0", "no name at byte 26; the file is damaged"),
    ],
    ids=["type", "size", "no zero", "not text", "no length"],
)
def test_a_damaged_variable_is_named(path, old, new, message):
    write_model(path, {"x": np.arange(4, dtype=np.int8)})
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_file(path)


def test_an_alias_of_nothing_is_refused(path):
    write_model(path, {"x": np.zeros(1, np.float32)}, {"y": "z"})
    with pytest.raises(InputError, match="alias 'y' of an unknown variable 'z'"):
        read_file(path)
