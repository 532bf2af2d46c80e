"""faster-whisper (CTranslate2) in float32 or int8, padded to 30 s or with a short audio context.

Its option `chunk_length` does not shorten the encoder input: `WhisperModel.transcribe` (1.2.1)
passes the features of each segment through `pad_or_trim`, which pads them to 3,000 frames. With our
option `margin_s` the encoder receives the features of the clip and `margin_s` seconds of silence.

CTranslate2 allows new tokens half of `max_length`, in which the four tokens of the prompt must fit.
The limit passed to it is therefore doubled, and it cannot decode fewer than two tokens.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.export.onnx.folder import load_checkpoint
from whisper_qat.export.runtime_folder import write_runtime_folder
from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.infer.decoding.prompt import ENGLISH
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.measure.systems.runtime import Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup, require_module
from whisper_qat.runs.folders import hash_folder, new_folder, write_manifest

POLICY = "beam size 1, temperature 0 without fallback, its own features and filters; padded to 30 s"
POLICY_SHORT = (
    "its encoder and generate called with the features of the clip + margin, not padded to 30 s"
)
OPTIONS: dict[str, Any] = {
    "beam_size": 1, "temperature": 0.0, "without_timestamps": True, "vad_filter": False,
    "condition_on_previous_text": False, "no_speech_threshold": None,
    "log_prob_threshold": None, "compression_ratio_threshold": None,
}  # fmt: skip
COPIED = ["tokenizer.json", "preprocessor_config.json"]
PROMPT = 4  # start, language, task, no timestamps
ENGLISH_PROMPT = 2  # start, no timestamps


def max_length(new_tokens: int) -> int:
    """The `max_length` with which CTranslate2 decodes up to so many new tokens."""
    return max(PROMPT + 1, 2 * new_tokens)


class FasterWhisper:
    """A CTranslate2 folder; see `measure.systems.system.System`."""

    def __init__(self, model: Any, setup: Setup) -> None:
        self.model = model
        self.setup = setup
        self.end = model.hf_tokenizer.token_to_id("<|endoftext|>")
        self.multilingual = model.model.is_multilingual
        self.language = setup.language if self.multilingual else ENGLISH

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        limit = self.setup.max_new_tokens
        return " ".join(self._decode(piece, limit, [-1])[0] for piece in chunks(audio)).strip()

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        return self._decode(audio, tokens, [-1, self.end])[1]

    def facts(self) -> dict[str, str]:
        packages = {name: version(name) for name in ("faster-whisper", "ctranslate2")}
        return packages | {"compute_type": self.model.model.compute_type}

    def _decode(
        self, audio: NDArray[np.float32], limit: int, suppress: list[int]
    ) -> tuple[str, int]:
        """Text and number of tokens of at most 30 s of audio."""
        prompt = PROMPT if self.multilingual else ENGLISH_PROMPT
        segments, _ = self.model.transcribe(
            audio, language=self.language, max_new_tokens=max_length(limit) - prompt,
            suppress_tokens=suppress, **OPTIONS,
        )  # fmt: skip
        found = list(segments)
        text = " ".join(segment.text.strip() for segment in found)
        return text, sum(len(segment.tokens) for segment in found)


class ShortFasterWhisper(FasterWhisper):
    """The same model without the padding to 3,000 frames."""

    def __init__(self, model: Any, setup: Setup) -> None:
        super().__init__(model, setup)
        self.context = AudioContext(mode="dynamic", margin_s=setup.options["margin_s"])
        module = require_module("faster_whisper.transcribe")
        self.tokenizer = require_module("faster_whisper.tokenizer").Tokenizer(
            model.hf_tokenizer, self.multilingual, task="transcribe", language=self.language
        )
        self.suppressed = module.get_suppressed_tokens
        self.prompt = model.get_prompt(self.tokenizer, [], without_timestamps=True)

    def _decode(
        self, audio: NDArray[np.float32], limit: int, suppress: list[int]
    ) -> tuple[str, int]:
        frames = self.context.frames(len(audio))
        silent = max(0, frames * SAMPLE_RATE // 100 - len(audio))
        features = self.model.feature_extractor(np.pad(audio, (0, silent)))[:, :frames]
        (result,) = self.model.model.generate(
            self.model.encode(np.ascontiguousarray(features)), [self.prompt], beam_size=1,
            max_length=max_length(limit), suppress_blank=True,
            suppress_tokens=list(self.suppressed(self.tokenizer, list(suppress))),
        )  # fmt: skip
        tokens = result.sequences_ids[0]
        return self.tokenizer.decode(tokens).strip(), len(tokens)


def open_faster_whisper(setup: Setup) -> FasterWhisper:
    """Open a folder; options: compute_type (float32, int8), and margin_s for a short context."""
    model = require_module("faster_whisper").WhisperModel(
        str(setup.folder), device="cpu", compute_type=setup.options["compute_type"],
        cpu_threads=setup.threads, num_workers=1, local_files_only=True,
    )  # fmt: skip
    kind = ShortFasterWhisper if "margin_s" in setup.options else FasterWhisper
    return kind(model, setup)


def make_ct2_float(source: Path, folder: Path, settings: dict[str, Any], plan: Path | None) -> None:
    """Our own writer, float32."""
    write_runtime_folder(
        load_checkpoint(source, str(source)), source, folder, format="ctranslate2",
        requantize=False, inputs={"model": hash_folder(source)}, config=settings,
    )  # fmt: skip


def make_ct2_int8(source: Path, folder: Path, settings: dict[str, Any], plan: Path | None) -> None:
    """CTranslate2's own converter: of a float checkpoint ours writes float only."""
    converters = require_module("ctranslate2.converters")
    with new_folder(folder) as partial:
        converter = converters.TransformersConverter(str(source), copy_files=COPIED)
        converter.convert(str(partial / "model"), quantization="int8")  # wants a new folder
        for path in (partial / "model").iterdir():
            path.rename(partial / path.name)
        (partial / "model").rmdir()
        inputs = {"model": hash_folder(source)}
        write_manifest(partial, kind="ctranslate2", inputs=inputs, config=settings)


CT2_FLOAT32 = Form(name="ct2-float32", kind="ct2-float32", make=make_ct2_float)
CT2_INT8 = Form(
    name="ct2-int8", kind="ct2-int8", make=make_ct2_int8, converters=("ctranslate2",)
)  # fmt: skip
FASTER_WHISPER = Runtime(
    name="faster-whisper", open=open_faster_whisper, policy=POLICY, short_policy=POLICY_SHORT,
    modules=("faster_whisper",),
    variants=(
        Variant(
            name="faster-whisper-float32", form=CT2_FLOAT32, options={"compute_type": "float32"}
        ),
        Variant(name="faster-whisper-int8", form=CT2_INT8, options={"compute_type": "int8"}),
        Variant(
            name="faster-whisper-int8-short", form=CT2_INT8, options={"compute_type": "int8"},
            short=True,
        ),
    ),
)  # fmt: skip
