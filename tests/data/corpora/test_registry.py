"""Corpora by name: what each takes, and where the registry's names are written out."""

from dataclasses import fields

from whisper_qat.data.corpora.record import Request
from whisper_qat.data.corpora.registry import LAYOUTS, SOURCES, sources_with
from whisper_qat.tasks.prepare_data import PrepareDataConfig


def test_what_the_sources_take():
    assert sources_with("archive") == ["common-voice-fr"]
    assert sources_with("text_field") == ["fleurs-fr", "mls-fr", "voxpopuli-fr"]
    known = {field.name for field in fields(Request)}
    assert all(source.takes <= known for source in SOURCES.values())


def test_the_help_text_names_every_source():
    assert ", ".join(SOURCES) in PrepareDataConfig.__doc__


def test_layouts():
    assert [layout.name for layout in LAYOUTS] == ["mtedx"]
