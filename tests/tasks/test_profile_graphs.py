"""The command: graphs side by side, and its errors."""

import pytest

from tests.infer.onnx_folders import ptq_folder
from whisper_qat.cli.parsing import parse
from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json
from whisper_qat.tasks.profile_graphs import ProfileGraphsConfig, numbers, run


def test_two_graphs_of_a_folder(tiny_whisper, tmp_path, capsys):
    folder = ptq_folder(tiny_whisper, tmp_path / "int8", "int8")
    arguments = ["--graphs", f"a={folder / 'encoder_model.onnx'}", f"b={folder / 'cross.onnx'}"]
    arguments += ["--sizes", "feature_length=40", "encoder_sequence_length=20", "--rounds", "2"]
    run(parse(ProfileGraphsConfig, [*arguments, "--json", str(tmp_path / "found.json")]))
    printed = capsys.readouterr().out
    assert "MultiHeadAttention" in printed and "CPU time of a run" in printed
    found = read_json(tmp_path / "found.json")
    assert set(found["graphs"]) == {"a", "b"} and found["environment"]["versions"]
    attention = found["graphs"]["a"]["operators"]["MultiHeadAttention"]
    assert attention["nodes"] == 1 + 1  # two encoder layers
    assert "MultiHeadAttention" not in found["graphs"]["b"]["operators"]


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["a"], "--sizes 'a': expected NAME=N"),
        (["=3"], "--sizes '=3': expected NAME=N"),
        (["a=-1"], "--sizes a=-1: expected a whole number from 0 on"),
    ],
)
def test_sizes_of_another_form(entries, message):
    with pytest.raises(InputError) as error:
        numbers("--sizes", entries)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["rounds", "threads"])
def test_at_least_one(name):
    with pytest.raises(InputError, match=f"--{name} 0: expected 1 or more"):
        ProfileGraphsConfig(graphs=["a=b"], **{name: 0})


def test_a_graph_without_a_name():
    with pytest.raises(InputError, match=r"--graphs 'a\.onnx': expected NAME=FILE\.onnx"):
        run(ProfileGraphsConfig(graphs=["a.onnx"]))
