"""The form of a published result file: its keys and the values that each may have."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from whisper_qat.errors import InputError, nearest


@dataclass(frozen=True)
class Kind:
    """The values that a key may have, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


Form = Mapping[str, Kind]


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_date(value: Any) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except (TypeError, ValueError):
        return False


def one_of(choices: Mapping[str, Any]) -> Kind:
    """One of several words."""
    return Kind(f"one of {', '.join(choices)}", lambda v: isinstance(v, str) and v in choices)


def or_null(kind: Kind) -> Kind:
    """The same kind, or null where the value is unknown or does not apply."""
    return Kind(f"{kind.words} or null", lambda v: v is None or kind.fits(v))


def list_of(kind: Kind, words: str) -> Kind:
    """A list whose items are all of one kind."""
    return Kind(
        f"a list of {words}", lambda v: isinstance(v, list) and all(kind.fits(i) for i in v)
    )


TEXT = Kind("text", _is_text)
WHOLE = Kind("a whole number", _is_whole)
NUMBER = Kind("a number", _is_number)
DATE = Kind("a date like 2026-11-21", _is_date)
OBJECT = Kind("an object", lambda v: isinstance(v, dict))
OBJECTS = list_of(OBJECT, "objects")
TEXTS = list_of(TEXT, "texts")

SECTIONS = {"accuracy": "Accuracy", "size": "Size", "speed": "Speed", "training": "Training cost"}
# Unit of a column -> the values of its cells. A fraction is printed in percent, a difference of
# fractions in signed points, a number unchanged.
TEXT_UNIT = "text"
UNITS = {
    TEXT_UNIT: or_null(TEXT),
    "fraction": or_null(NUMBER),
    "difference": or_null(NUMBER),
    "number": or_null(NUMBER),
    "count": or_null(WHOLE),
}
UNIT_MARKS = {"fraction": "%", "difference": "points"}
DECIMAL_UNITS = ("fraction", "difference", "number")
PERCENTAGE = (
    10  # from here on a fraction would be 1,000 % or more, so it must have been given in percent
)

TABLE: Form = {
    "id": TEXT,
    "section": one_of(SECTIONS),
    "order": WHOLE,
    "title": TEXT,
    "question": TEXT,
    "reading": TEXT,
    "date": DATE,
    "commit": or_null(TEXT),
    "command": or_null(TEXT),
    "source": OBJECT,
    "machine": OBJECT,
    "settings": OBJECT,
    "columns": OBJECTS,
    "rows": OBJECTS,
    "notes": TEXTS,
}
DOCUMENTS = {"log": "the log", "README": "the README", "issue": "the project's issue text"}
SOURCES: Mapping[str, Form] = {
    "measured": {"kind": TEXT, "folder": TEXT, "results_sha256": TEXT, "models": OBJECT},
    "transcribed": {
        "kind": TEXT,
        "document": one_of(DOCUMENTS),
        "entry": or_null(TEXT),
        "commit": or_null(TEXT),
    },
}
MACHINE: Form = {
    "cpu": or_null(TEXT),
    "isa": TEXTS,
    "cores": or_null(WHOLE),
    "threads": or_null(WHOLE),
    "load": or_null(TEXT),
}
SETTINGS: Form = {
    "model": or_null(TEXT),
    "test_sets": OBJECTS,
    "normalizer": or_null(TEXT),
    "decoding": or_null(TEXT),
    "runtime": or_null(TEXT),
    "audio_context": or_null(TEXT),
    "training_seeds": list_of(WHOLE, "whole numbers"),
    "intervals": or_null(TEXT),
}
TEST_SET: Form = {"name": TEXT, "clips": or_null(WHOLE), "words": or_null(WHOLE)}
COLUMN: Form = {
    "name": TEXT,
    "title": TEXT,
    "unit": one_of(UNITS),
    "decimals": or_null(WHOLE),
    "meaning": or_null(TEXT),
}


def check(
    record: Any, form: Form, file: str, where: str = "", optional: Form | None = None
) -> None:
    """InputError unless the record has every key of the form and no others but optional ones."""
    dot = f"{where}." if where else ""
    if not isinstance(record, dict):
        raise InputError(f"{file}: {where or 'file'}: expected an object with {', '.join(form)}")
    known = {**form, **(optional or {})}
    for key in record:
        if key not in known:
            raise InputError(f"{file}: {dot}{key}: unknown key{nearest(key, known)}")
    for key, kind in known.items():
        if key not in record:
            if key in form:
                raise InputError(f"{file}: {dot}{key}: missing; expected {kind.words}")
        elif not kind.fits(record[key]):
            raise InputError(f"{file}: {dot}{key}: expected {kind.words}, got {record[key]!r}")
