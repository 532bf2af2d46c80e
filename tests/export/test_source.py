"""From a loaded checkpoint: the layers' own codes and scales, the tied head once."""

import pytest
import torch

from tests.export import cases
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import write_graphs
from whisper_qat.export.onnx.read import read_layer
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.source import checkpoint_weights
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.info import Info
from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import HEAD, Plan, PlanEntry, default_rules

INFO = Info(
    quantization_type="int4", method="qat", fine_tuned=True, audio_context={}, base_model={}
)


def write(final, folder):
    weights = checkpoint_weights(final)
    write_graphs(WhisperShape.from_config(final.model.config.to_dict()), weights, folder)


def test_trained_scales_are_written_not_chosen_again(tmp_path):
    model = cases.tiny_whisper()
    made = plan(model, default_rules("int4", 32))
    apply_plan(model, made)
    for layer in fake_quantized(model).values():
        # No PTQ rule would give these.
        layer.fix_scale(layer.scheme.storable(layer.scale() * 0.8))
    write(Final(model, made, INFO), tmp_path)
    layers = {name: layer for name, layer in fake_quantized(model).items() if name != HEAD}
    assert len(layers) == len(made.quantized())
    for name, layer in layers.items():
        written = read_layer(tmp_path, name)
        assert written.scheme == layer.scheme
        assert (torch.from_numpy(written.scales) == layer.weight_scale).all()
        assert (torch.from_numpy(written.codes) == layer.codes()).all()


def test_plan_entry_without_a_layer_raises_even_when_float(tmp_path):
    entry = PlanEntry(name="model.encoder.layers.7.fc1", scheme="float", why="")
    final = Final(cases.tiny_whisper(), Plan((entry,)), INFO)
    with pytest.raises(InputError, match=r"no such layer in the graphs: model\.encoder\.layers\.7"):
        write(final, tmp_path)


def test_untied_head_is_refused(tmp_path):
    model = cases.tiny_whisper()
    model.proj_out.weight = torch.nn.Parameter(model.proj_out.weight.clone())
    with pytest.raises(InputError, match=r"no place in Whisper: proj_out\.weight"):
        write(Final(model, None, INFO), tmp_path)
