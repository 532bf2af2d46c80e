"""Names of the graphs: those that other tools look for."""

from whisper_qat.model.onnx_files import DECODER_FILE, ENCODER_FILE, data_file


def test_names_are_those_that_optimum_and_transformers_js_load():
    assert ENCODER_FILE == "encoder_model.onnx"
    assert DECODER_FILE == "decoder_model_merged.onnx"
    assert data_file(ENCODER_FILE) == "encoder_model.onnx_data"
