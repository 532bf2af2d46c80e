"""transformers: text of `generate`, chunks of long audio, a fixed number of tokens."""

import numpy as np
import pytest

from tests.infer.onnx_folders import onnx_folder
from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.system import Setup
from whisper_qat.measure.systems.transformers_torch import open_transformers


@pytest.mark.parametrize("checkpoint", ["tiny_whisper", "tiny_english_whisper"])
def test_same_text_as_ours_and_fixed_length(request, checkpoint, tmp_path):
    checkpoint = request.getfixturevalue(checkpoint)
    setup = Setup(folder=checkpoint, threads=1, language="fr", max_new_tokens=6)
    system = open_transformers(setup)
    folder = onnx_folder(checkpoint, tmp_path / "onnx")
    ours = open_ours(Setup(folder=folder, threads=1, language="fr", max_new_tokens=6))
    rng = np.random.default_rng(0)
    for seconds in (1, 31):
        audio = rng.normal(scale=0.1, size=16_000 * seconds).astype(np.float32)
        assert system.transcribe(audio) == ours.transcribe(audio)
    assert [system.decode_fixed(audio[:16_000], n) for n in (1, 9)] == [1, 9]
    assert set(system.facts()) == {"torch", "transformers"}
