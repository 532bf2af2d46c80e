"""Whisper on torch with the forward pass of training: float, or fake-quantized from final/."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperForConditionalGeneration

from whisper_qat.model.checkpoint.final import load_final
from whisper_qat.model.checkpoint.info import INFO_NAME
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.forward import DecoderState, decode, encode, start


class TorchBackend:
    """A float32 model on its own device; implements `infer.decoding.backend.Backend`."""

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        self.model = model.eval()
        self.device = next(model.parameters()).device

    @classmethod
    def from_folder(cls, folder: str | Path) -> "TorchBackend":
        """A final/ folder as it was trained (fake quantization on), or any float checkpoint."""
        if (Path(folder) / INFO_NAME).is_file():
            return cls(load_final(folder).model)
        return cls(load_whisper(folder))

    @torch.inference_mode()
    def encode(self, mel: NDArray[np.float32]) -> DecoderState:
        """State of a new utterance from `mel` [1, n_mels, frames]."""
        features = torch.from_numpy(np.ascontiguousarray(mel)).to(self.device)
        return start(self.model, encode(self.model, features))

    @torch.inference_mode()
    def logits(self, tokens: NDArray[np.int64], state: DecoderState) -> NDArray[np.float32]:
        """Logits float32 [1, n, vocab] for the new `tokens` [1, n]."""
        return decode(self.model, torch.from_numpy(tokens).to(self.device), state).cpu().numpy()

    def next_logits(self, tokens: NDArray[np.int64], state: DecoderState) -> NDArray[np.float32]:
        """Logits float32 [1, vocab] after the last of the new `tokens` [1, n]."""
        return self.logits(tokens, state)[:, -1]
