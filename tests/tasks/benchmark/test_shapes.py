"""Random shapes: the sizes of the published models, and a folder that runs."""

import numpy as np

from whisper_qat.measure.systems.ours import open_ours
from whisper_qat.measure.systems.system import Setup
from whisper_qat.tasks.benchmark.shapes import PUBLISHED, RandomWhisper, make_random


def test_parameters_of_the_published_shapes():
    """Whisper base: 72.6 M weights, of which 26.6 M the token table and 1.9 M the rest."""
    assert [round(shape.parameters / 1e6) for shape in PUBLISHED] == [17, 44, 198, 682]


def test_a_random_shape_runs(tiny_whisper, tmp_path):
    shape = RandomWhisper(encoder_layers=1, decoder_layers=2, width=64)
    make_random(shape, tiny_whisper, tmp_path / "model", "int8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model"]
    setup = Setup(folder=tmp_path / "model", threads=1, language="fr", max_new_tokens=4)
    assert open_ours(setup).decode_fixed(np.zeros(16_000, np.float32), 5) == 5
