"""A file of JSON lines that grows clip by clip and survives a kill at any moment.

A line cut short by a kill is removed when the file is opened again; complete lines stay, so a
rerun does only the missing work. Data reaches the disk at least every SYNC_S seconds.
"""

import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from whisper_qat.errors import InputError

SYNC_S = 5.0


class Journal:
    """An append-only file of records, as a context manager; `done` holds the ids it contains."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.done = {record["id"] for record in repair(path)}
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by __exit__
        self._synced = time.monotonic()

    def append(self, record: dict[str, Any]) -> None:
        """Write one record; its "id" must be new."""
        assert record["id"] not in self.done, record["id"]
        self._file.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
        self._file.flush()
        self.done.add(record["id"])
        if time.monotonic() - self._synced > SYNC_S:
            self._sync()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sync()
        self._file.close()

    def _sync(self) -> None:
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()


def repair(path: Path) -> list[dict[str, Any]]:
    """Remove an incomplete last line from a journal and return its records."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    return [_record(line, path, number) for number, line in enumerate(whole.splitlines(), start=1)]


def _record(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict) or "id" not in record:
        raise InputError(f"{path}:{number}: damaged; remove the file to measure its clips again")
    return record
