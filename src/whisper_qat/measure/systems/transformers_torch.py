"""transformers on torch in float32, with its own features and `generate`, as on model cards."""

from importlib.metadata import version

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import WhisperFeatureExtractor, WhisperForConditionalGeneration
from transformers.utils.logging import set_verbosity_error

from whisper_qat.front_end import SAMPLE_RATE
from whisper_qat.infer.decoding.prompt import is_english_only
from whisper_qat.infer.decoding.text_decoder import TextDecoder
from whisper_qat.infer.long_form.chunks import chunks
from whisper_qat.measure.systems.runtime import CHECKPOINT, Form, Runtime, Variant
from whisper_qat.measure.systems.system import Setup
from whisper_qat.model.checkpoint.load import load_whisper

POLICY = (
    "generate with num_beams 1 and sdpa attention; padded to 30 s; the filters of the checkpoint; "
    "the size is that of the checkpoint file, in its own precision"
)


class TransformersTorch:
    """A checkpoint folder; see `measure.systems.system.System`."""

    def __init__(self, model: WhisperForConditionalGeneration, setup: Setup) -> None:
        self.model = model
        self.setup = setup
        self.features = WhisperFeatureExtractor.from_pretrained(setup.folder)
        self.text = TextDecoder.from_folder(setup.folder)
        english_only = is_english_only(model.generation_config.to_dict())
        # `generate` refuses both of these for an English-only checkpoint, even English.
        self.spoken = {} if english_only else {"language": setup.language, "task": "transcribe"}

    def transcribe(self, audio: NDArray[np.float32]) -> str:
        limit = {"max_new_tokens": self.setup.max_new_tokens}
        parts = [self.text.text(self._generate(piece, limit)) for piece in chunks(audio)]
        return " ".join(parts).strip()

    def decode_fixed(self, audio: NDArray[np.float32], tokens: int) -> int:
        found = self._generate(audio, {"min_new_tokens": tokens, "max_new_tokens": tokens})
        return len(found)

    def facts(self) -> dict[str, str]:
        return {"torch": version("torch"), "transformers": version("transformers")}

    @torch.inference_mode()
    def _generate(self, audio: NDArray[np.float32], limit: dict[str, int]) -> list[int]:
        """The new tokens, without prompt and end of text."""
        inputs = self.features(
            audio, sampling_rate=SAMPLE_RATE, return_tensors="pt", return_attention_mask=True
        )
        out = self.model.generate(
            inputs.input_features, attention_mask=inputs.attention_mask, num_beams=1,
            do_sample=False, return_timestamps=False, **self.spoken, **limit,
        )[0].tolist()  # fmt: skip
        config = self.model.generation_config
        prompt = out.index(config.no_timestamps_token_id) + 1 if (
            config.no_timestamps_token_id in out
        ) else 0  # fmt: skip
        return [token for token in out[prompt:] if token != config.eos_token_id]


def open_transformers(setup: Setup) -> TransformersTorch:
    """Open the checkpoint in float32."""
    torch.set_num_threads(setup.threads)
    set_verbosity_error()  # each call warns that max_new_tokens overrides max_length
    return TransformersTorch(load_whisper(setup.folder), setup)


TRANSFORMERS = Runtime(
    name="transformers", open=open_transformers, policy=POLICY,
    variants=(
        Variant(name="transformers-float32", form=Form(name="checkpoint", kind=CHECKPOINT)),
    ),
)  # fmt: skip
