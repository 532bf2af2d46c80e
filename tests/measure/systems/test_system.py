"""The error for a missing runtime names the command that installs it."""

import pytest

from whisper_qat.measure.systems.system import SystemMissing, require_module


def test_a_missing_runtime_names_its_extra():
    with pytest.raises(
        SystemMissing,
        match=r"no_such_runtime cannot be imported .*; install it with .* install -e '.\[bench\]",
    ):
        require_module("no_such_runtime")


def test_an_installed_one_is_its_module():
    assert require_module("json").loads("1") == 1
