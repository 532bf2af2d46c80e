"""Measures the word error rate of the analysed model with some of its layers quantized."""

from collections.abc import Sequence
from pathlib import Path

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.audio.features import Features
from whisper_qat.data.audio.reading import read_audio
from whisper_qat.data.clips.clip import Clip
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.greedy_wer import greedy_wer
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.scope import set_prompt_length


class WordErrors:
    """Measures the greedy WER of `final`'s model in its current state, on clips that are read once.

    `source` is the folder with the tokenizer and the feature settings.
    """

    def __init__(self, final: Final, source: Path, clips: Sequence[Clip], language: str) -> None:
        self._model = final.model
        self._transcriber = Transcriber(
            backend=TorchBackend(final.model), features=Features.from_pretrained(source),
            text_decoder=TextDecoder.from_folder(source),
            context=AudioContext(**final.info.audio_context),
            rules=read_rules(source, language=language),
        )  # fmt: skip
        self._speech = [(clip.text, read_audio(clip)) for clip in clips]

    def rate(self, prompt_length: int) -> float:
        """Return word errors / reference words; restores `prompt_length` for teacher forcing."""
        set_prompt_length(self._model, None)
        try:
            return greedy_wer(self._transcriber, self._speech)
        finally:
            set_prompt_length(self._model, prompt_length)
