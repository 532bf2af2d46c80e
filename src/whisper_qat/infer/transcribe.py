"""Transcription from samples to text and segments, with the time taken.

Covers features, chunks, decoding and detokenization. A converted folder runs on onnxruntime, and
nothing here loads torch, which would take most of the time from process start to the first text.
A checkpoint runs on torch, see `infer.runtimes`.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.errors import InputError
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.infer.decoding.backend import Backend
from whisper_qat.infer.decoding.batch import greedy_batch
from whisper_qat.infer.decoding.beam import BeamSettings, beam_search
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.decoding.greedy import Decoded, greedy
from whisper_qat.infer.decoding.rules import DecodingRules, read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.decoding.timestamps import split
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.infer.onnx.backend import OnnxBackend
from whisper_qat.metrics.hallucination import compression_ratio
from whisper_qat.model.checkpoint.info import INFO_NAME
from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE
from whisper_qat.runs.folders import read_json

Mel = NDArray[np.float32]
Search = Callable[[Any, Sequence[Mel], DecodingRules], list[Decoded]]  # Any: a (Rows)Backend


@dataclass(frozen=True, kw_only=True)
class SpokenSegment:
    """Transcript of `start_s` to `end_s` of the recording; `tokens` without timestamps."""

    start_s: float
    end_s: float
    text: str
    tokens: list[int]


@dataclass(frozen=True, kw_only=True)
class DecodedChunk:
    """A chunk of a recording, in seconds from its start, with its decoded tokens."""

    start_s: float
    end_s: float
    decoded: Decoded


@dataclass(frozen=True, kw_only=True)
class Repetition:
    """A chunk, in seconds, whose text was repetitive, and how that was resolved.

    `temperature` is that of the sample that replaced the text, 0 where the original text was kept;
    `compression_ratio` is that of the final text.
    """

    start_s: float
    end_s: float
    temperature: float
    compression_ratio: float


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """Result for a recording; `tokens` and `margins` are concatenated over all `chunks`.

    A segment is a chunk, or with timestamps a segment marked by the decoder; those without text are
    left out. `repetitions` is filled only where a fallback is set. `wall_s` covers everything.
    """

    text: str
    segments: list[SpokenSegment]
    tokens: list[int]
    chunks: int
    wall_s: float
    margins: list[float]
    repetitions: list[Repetition] = field(default_factory=list)


def one_by_one(backend: Backend, mels: Sequence[Mel], rules: DecodingRules) -> list[Decoded]:
    """Greedy search on each utterance separately."""
    return [greedy(backend, mel, rules) for mel in mels]


def search_with(num_beams: int) -> Search:
    """Batched greedy search for one beam, else beam search; InputError for an invalid number."""
    if num_beams == 1:
        return greedy_batch
    return partial(beam_search, settings=BeamSettings(num_beams=num_beams))


@dataclass(frozen=True, kw_only=True)
class Transcriber:
    """A model ready to transcribe; no state of an utterance is kept between calls.

    `search` decodes up to `batch_size` chunks in one call; its result is final without `fallback`.
    """

    backend: Backend
    features: Features
    text_decoder: TextDecoder
    context: AudioContext
    rules: DecodingRules
    search: Search = one_by_one
    batch_size: int = 1
    fallback: Fallback | None = None

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        threads: int | None = None,
        *,
        language: str = "fr",
        max_new_tokens: int | None = None,
        timestamps: bool = False,
        batch_size: int = 1,
        num_beams: int = 1,
        fallback: Fallback | None = None,
        audio_context: AudioContext | None = None,
    ) -> "Transcriber":
        """Open a converted folder on onnxruntime; `threads` None leaves the number to it.

        Up to `batch_size` chunks are decoded at once, greedily, or by search with `num_beams`;
        with a `fallback` repetitive ones are decoded again by sampling. Without an
        `audio_context` the encoder gets the input that the folder was converted for.
        InputError when `folder` is not a converted folder.
        """
        if batch_size < 1:
            raise InputError(f"batch_size {batch_size}: expected 1 or more")
        if find_runtime(folder) != "onnx":
            raise InputError(
                f"{folder}: a checkpoint; convert it first: python scripts/convert_qat_to_"
                f"quantized.py --model_path {folder} --output_path FOLDER --quantization_type none"
            )
        rules = read_rules(
            folder, language=language, max_new_tokens=max_new_tokens, timestamps=timestamps
        )
        made = cls.around(OnnxBackend.from_folder(folder, threads), folder, rules)
        if audio_context is not None:
            made = replace(made, context=audio_context)
        return replace(
            made, search=search_with(num_beams), batch_size=batch_size, fallback=fallback
        )

    @classmethod
    def around(cls, backend: Backend, folder: str | Path, rules: DecodingRules) -> "Transcriber":
        """Wrap a loaded `backend` with the features, tokenizer and audio context of `folder`."""
        return cls(
            backend=backend,
            features=Features.from_pretrained(folder),
            text_decoder=TextDecoder.from_folder(folder),
            context=read_context(folder),
            rules=rules,
        )

    def transcribe(
        self, audio: NDArray[np.float32] | Iterable[NDArray[np.float32]]
    ) -> Transcription:
        """Transcribe `audio` [samples] at 16 kHz, or its blocks; over 30 s in chunks."""
        started = time.perf_counter()
        pieces, found, start = chunks(audio), [], 0
        while batch := list(islice(pieces, self.batch_size)):
            for piece, decoded in zip(batch, self.decode(batch), strict=True):
                found.append(chunk_at(start, len(piece), decoded))
                start += len(piece)
        return self.assemble(found, time.perf_counter() - started)

    def decode(self, pieces: Sequence[NDArray[np.float32]]) -> list[Decoded]:
        """Decode pieces of at most 30 s each, from one recording or several."""
        mels = [self.features.log_mel(piece, self.context) for piece in pieces]
        found = self.search(self.backend, mels, self.rules)
        if self.fallback is None:
            return found
        text = self.text_decoder.text
        return [
            self.fallback.decode_again(decoded, self.backend, mel, self.rules, text)
            for decoded, mel in zip(found, mels, strict=True)
        ]

    def assemble(self, found: Sequence[DecodedChunk], wall_s: float) -> Transcription:
        """Assemble the chunks of one recording, in order, into its transcription."""
        text = " ".join(self.text_decoder.text(chunk.decoded.tokens) for chunk in found)
        return Transcription(
            text=text.strip(),
            segments=[s for chunk in found for s in self._segments(chunk) if s.text],
            tokens=[token for chunk in found for token in chunk.decoded.tokens],
            chunks=len(found),
            wall_s=wall_s,
            margins=[margin for chunk in found for margin in chunk.decoded.margins],
            repetitions=[r for chunk in found for r in self._repetitions(chunk)],
        )

    def _repetitions(self, chunk: DecodedChunk) -> list[Repetition]:
        """The chunk if its text is repetitive, or was before it was decoded again."""
        text = self.text_decoder.text(chunk.decoded.tokens)
        temperature = chunk.decoded.temperature
        if self.fallback is None or not (temperature or self.fallback.repeats(text)):
            return []
        return [
            Repetition(
                start_s=chunk.start_s,
                end_s=chunk.end_s,
                temperature=temperature,
                compression_ratio=compression_ratio(text),
            )
        ]

    def _segments(self, chunk: DecodedChunk) -> list[SpokenSegment]:
        timestamps = self.rules.filters.timestamps
        if timestamps is None:
            return [self._segment(chunk.start_s, chunk.end_s, chunk.decoded.tokens)]
        segments = []
        for part in split(chunk.decoded.tokens, timestamps.first):
            # The input is padded with silence after the chunk, where the model may mark a time.
            start_s = min(chunk.start_s + part.start_s, chunk.end_s)
            end_s = chunk.end_s if part.end_s is None else chunk.start_s + part.end_s
            segments.append(self._segment(start_s, min(end_s, chunk.end_s), part.tokens))
        return segments

    def _segment(self, start_s: float, end_s: float, tokens: list[int]) -> SpokenSegment:
        text = self.text_decoder.text(tokens)
        return SpokenSegment(
            start_s=round(start_s, 3), end_s=round(end_s, 3), text=text, tokens=tokens
        )


def chunk_at(start: int, length: int, decoded: Decoded) -> DecodedChunk:
    """The chunk of `length` samples that begins at sample `start`."""
    return DecodedChunk(
        start_s=start / SAMPLE_RATE, end_s=(start + length) / SAMPLE_RATE, decoded=decoded
    )


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
    """The audio context that a folder was made for; full when it does not specify one."""
    path = Path(folder) / INFO_NAME
    if not path.is_file():
        return AudioContext()
    return AudioContext(**read_json(path)["audio_context"])
