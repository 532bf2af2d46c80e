"""A teacher whose outputs are kept in a folder, so that several runs compute them only once.

A float control and its quantized runs share their teacher and their clips. What is kept of a clip
is the decoder's last states [T, D], float32: 30 KB in Whisper base, where the logits would be 3 MB;
the head turns them into logits in every step. A clip is always computed alone, without padding, so
its values do not depend on the batch or on which run came first.

Files are found by a hash of all that decides the values: the teacher, the encoder's input, the
tokens and the dtype of the products. So a folder can serve any number of runs, and nothing in it is
ever out of date.
"""

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from whisper_qat.model import forward
from whisper_qat.train.objective import Whisper

FORMAT = "1"
KEY = "states"


class KeptTeacher(Whisper):
    """The float model, called as `Whisper` is; its encoder states are not kept and come empty."""

    def __init__(
        self, model: WhisperForConditionalGeneration, folder: Path, fingerprint: str
    ) -> None:
        super().__init__(model)
        self.folder, self.fingerprint = folder, fingerprint
        self.computed = 0

    @torch.no_grad()
    def forward(self, mel: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, T, V] of `mel` [B, M, F] and `tokens` [B, T]; 0 at padding after a text."""
        rows = [
            self._states(clip[None], text[None]) for clip, text in zip(mel, tokens, strict=True)
        ]
        states = mel.new_zeros(len(rows), tokens.shape[1], rows[0].shape[-1], dtype=torch.float32)
        for row, found in zip(states, rows, strict=True):
            row[: len(found)] = found
        with torch.autocast(mel.device.type, enabled=False):
            return self.model.proj_out(states), states.new_empty(len(rows), 0, 0)

    def _states(self, mel: Tensor, tokens: Tensor) -> Tensor:
        """The decoder's last states [t, D] of one clip, up to its last token before padding."""
        length = _text_length(tokens[0], self.model.config.eos_token_id)
        tokens = tokens[:, :length]
        path = self.folder / self._name(mel, tokens)
        kept = _read(path)
        if kept is None:
            encoded = forward.encode(self.model, mel)
            states = forward.decoder_states(self.model, tokens, forward.start(self.model, encoded))
            kept = states[0].float().cpu().contiguous()
            _write(path, kept)
            self.computed += 1
        return kept.to(mel.device)

    def _name(self, mel: Tensor, tokens: Tensor) -> str:
        kind = mel.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else mel.dtype
        digest = hashlib.sha256(f"{FORMAT} {self.fingerprint} {dtype} {tuple(mel.shape)}".encode())
        digest.update(mel.float().cpu().contiguous().numpy().tobytes())
        digest.update(tokens.cpu().contiguous().numpy().tobytes())
        name = digest.hexdigest()
        return f"{name[:2]}/{name}.safetensors"


def _text_length(tokens: Tensor, end: int) -> int:
    """Number of tokens before the padding, which repeats the end token."""
    texts = (tokens != end).nonzero()
    return int(texts[-1]) + 1 if len(texts) else len(tokens)


def _read(path: Path) -> Tensor | None:
    """The kept tensor; None for a file that is not there or not whole."""
    try:
        return load_file(path)[KEY]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None


def _write(path: Path, states: Tensor) -> None:
    """Write whole or not at all; of two processes that write the same file, either is right."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    save_file({KEY: states}, partial)
    partial.rename(path)
