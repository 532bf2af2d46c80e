"""From samples to text: features, chunks, greedy decoding, detokenising, and the time they took."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from whisper_qat.artifacts import read_json
from whisper_qat.config import InputError
from whisper_qat.data.context import AudioContext
from whisper_qat.data.features import Features
from whisper_qat.infer.backend import Backend
from whisper_qat.infer.chunked import chunks
from whisper_qat.infer.decode import Decoded, greedy
from whisper_qat.infer.decoding_rules import DecodingRules, read_rules
from whisper_qat.infer.onnx_backend import DECODER_FILE, ENCODER_FILE, OnnxBackend
from whisper_qat.infer.text_decoder import TextDecoder
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.model.info import INFO_NAME

RUNTIMES = ("onnx", "torch")


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """`tokens` and `margins` are those of all `chunks` in a row; `wall_s` covers everything."""

    text: str
    tokens: list[int]
    chunks: int
    wall_s: float
    margins: list[float]


@dataclass(frozen=True, kw_only=True)
class Transcriber:
    """One model ready to transcribe; nothing of an utterance is kept between calls."""

    backend: Backend
    features: Features
    text_decoder: TextDecoder
    context: AudioContext
    rules: DecodingRules

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        runtime: str | None = None,
        threads: int | None = None,
        *,
        language: str = "fr",
        max_new_tokens: int | None = None,
    ) -> "Transcriber":
        """Loads an ONNX folder ("onnx") or a transformers folder ("torch"); None: what is there.

        `threads` counts for onnxruntime; torch has one setting per process (torch.set_num_threads).
        """
        runtime = runtime or find_runtime(folder)
        if runtime not in RUNTIMES:
            raise InputError(f"runtime={runtime!r}: expected one of {', '.join(RUNTIMES)}")
        rules = read_rules(folder, language=language, max_new_tokens=max_new_tokens)
        backend: Backend = (
            OnnxBackend.from_folder(folder, threads)
            if runtime == "onnx"
            else TorchBackend.from_folder(folder)
        )
        return cls(
            backend=backend,
            features=Features.from_pretrained(folder),
            text_decoder=TextDecoder.from_folder(folder),
            context=read_context(folder),
            rules=rules,
        )

    def transcribe(self, audio: NDArray[np.float32]) -> Transcription:
        """Text of `audio` [samples] at 16 kHz, of any length; over 30 s in chunks, joined."""
        started = time.perf_counter()
        parts = [self._decode(piece) for piece in chunks(audio)]
        text = " ".join(self.text_decoder.text(part.tokens) for part in parts)
        return Transcription(
            text=text.strip(),
            tokens=[token for part in parts for token in part.tokens],
            chunks=len(parts),
            wall_s=time.perf_counter() - started,
            margins=[margin for part in parts for margin in part.margins],
        )

    def _decode(self, audio: NDArray[np.float32]) -> Decoded:
        return greedy(self.backend, self.features.log_mel(audio, self.context), self.rules)


def find_runtime(folder: str | Path) -> str:
    """ "onnx" or "torch" by the files of `folder`; InputError when it is neither."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if (folder / ENCODER_FILE).is_file() and (folder / DECODER_FILE).is_file():
        return "onnx"
    if any(folder.glob("*.safetensors")):
        return "torch"
    hint = f"; did you mean {folder / 'final'}?" if (folder / "final").is_dir() else ""
    raise InputError(
        f"{folder}: neither {ENCODER_FILE} and {DECODER_FILE} nor *.safetensors in it; expected a "
        f"folder written by convert, or a Whisper checkpoint{hint}"
    )


def read_context(folder: str | Path) -> AudioContext:
    """The audio context that a folder was made for; full where it does not say."""
    path = Path(folder) / INFO_NAME
    if not path.is_file():
        return AudioContext()
    return AudioContext(**read_json(path)["audio_context"])
