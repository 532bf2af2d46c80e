"""Decode token ids to text with the folder's own tokenizer.json, without special tokens.

Timestamps are left out, too. The tokenizers library suffices: transformers' class gives the same
text (tested on French).
"""

from pathlib import Path

from tokenizers import Tokenizer

from whisper_qat.errors import InputError
from whisper_qat.runs.folders import read_json


class TextDecoder:
    """Turns the ids of one checkpoint's tokenizer into text."""

    def __init__(self, tokenizer: Tokenizer, first_timestamp: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.first_timestamp = first_timestamp

    @classmethod
    def from_folder(cls, folder: str | Path) -> "TextDecoder":
        """Reads `tokenizer.json` and `generation_config.json`; InputError when one is missing."""
        path = Path(folder) / "tokenizer.json"
        if not path.is_file():
            raise InputError(f"{path}: missing; copy it from the checkpoint this model came from")
        last_special = read_json(Path(folder) / "generation_config.json").get(
            "no_timestamps_token_id"
        )
        first_timestamp = None if last_special is None else last_special + 1
        return cls(Tokenizer.from_file(str(path)), first_timestamp)

    def text(self, tokens: list[int]) -> str:
        """Text of `tokens`, stripped."""
        first = self.first_timestamp
        kept = [token for token in tokens if first is None or token < first]
        return self.tokenizer.decode(kept, skip_special_tokens=True).strip()
