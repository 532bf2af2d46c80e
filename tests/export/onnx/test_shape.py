"""The shape of a Whisper, from its config."""

import pytest

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.shape import WhisperShape


def test_shape_is_read_from_the_config():
    shape = WhisperShape.from_config(cases.tiny_config().to_dict())
    assert (shape.d_model, shape.decoder_layers, shape.decoder_head_dim) == (64, 2, 32)


def test_another_activation_is_refused():
    config = cases.tiny_config().to_dict() | {"activation_function": "relu"}
    with pytest.raises(InputError, match="activation_function 'relu' is not 'gelu'"):
        WhisperShape.from_config(config)
