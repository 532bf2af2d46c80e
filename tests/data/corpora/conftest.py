"""Fixtures of the corpora's tests."""

from pathlib import Path

import pytest

from tests.data.corpora.fake_apt import FakeApt


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApt:
    """apt-get and dpkg-deb that serve what the test gives them."""
    return FakeApt(tmp_path, monkeypatch)
