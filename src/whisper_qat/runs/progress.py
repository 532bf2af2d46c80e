"""Progress bars, drawn on standard error unless TQDM_DISABLE is set, as ``--quiet`` does.

tqdm reads that variable when it is imported, which is before a command line is read; a bar here
reads it when it is drawn. Child processes inherit it.
"""

import os
from typing import Any

from tqdm import tqdm

DISABLE = "TQDM_DISABLE"


class Bar(tqdm):  # type: ignore[type-arg]
    """A tqdm bar that TQDM_DISABLE switches off unless ``disable`` is given."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings.setdefault("disable", os.environ.get(DISABLE, "") not in ("", "0"))
        super().__init__(*arguments, **settings)
