"""Word error rate of the model in hand, on clips that are read and transformed once."""

from collections.abc import Sequence
from pathlib import Path

from whisper_qat.data.clips.clip import Clip
from whisper_qat.infer.decoding.greedy import greedy
from whisper_qat.infer.decoding.rules import read_rules
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.torch_backend import TorchBackend
from whisper_qat.metrics.normalize import get_normalizer
from whisper_qat.metrics.wer import count_words, total
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.fake_quant.scope import set_prompt_length
from whisper_qat.ptq.calibration import Sample

NORMALIZER = "card"


class WordErrors:
    """Greedy WER of `final`'s model, in whatever state it is; samples as `Sample`s of the clips."""

    def __init__(
        self, final: Final, source: Path, clips: Sequence[Clip], samples: Sequence[Sample],
        language: str,
    ) -> None:  # fmt: skip
        self._normalize = get_normalizer(NORMALIZER).apply
        self._rules = read_rules(source, language=language)
        self._text = TextDecoder.from_folder(source)
        self._model = final.model
        references = [self._normalize(clip.text) for clip in clips]
        self._pairs = [
            (reference, sample.mel[0].numpy())
            for reference, sample in zip(references, samples, strict=True)
            if reference
        ]

    def rate(self, prompt_length: int) -> float:
        """Errors over reference words; `prompt_length` is restored for teacher-forced calls."""
        set_prompt_length(self._model, None)
        backend = TorchBackend(self._model)
        counts = []
        for reference, mel in self._pairs:
            heard = self._text.text(greedy(backend, mel, self._rules).tokens)
            counts.append(count_words(reference, self._normalize(heard)))
        set_prompt_length(self._model, prompt_length)
        return total(counts).rate
