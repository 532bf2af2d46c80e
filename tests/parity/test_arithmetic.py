"""Arithmetic parity fails where the training forward is not the written kernel's."""

import torch

from whisper_qat.model.fake_quant.layers import fake_quantized
from whisper_qat.parity import arithmetic


def test_a_moved_weight_is_named(written):
    final, folder, material, _ = written
    layer = fake_quantized(final.model)["model.decoder.layers.0.fc1"]
    with torch.no_grad():
        layer.weight[0, :8] += layer.scale()[0, 0].abs() * 40
    report = arithmetic.check(final, folder, material)
    bad = [x for x in report["layers"] if not x["passed"]]
    assert [x["name"] for x in bad] == ["model.decoder.layers.0.fc1"] and not report["passed"]
    assert bad[0]["wrong_weight_codes"] >= 1 and bad[0]["wrong_activation_codes"] == 0


def test_a_moved_scale_is_named(written):
    final, folder, material, _ = written
    layer = fake_quantized(final.model)["model.encoder.layers.1.fc2"]
    layer.weight_scale = layer.weight_scale * 1.5
    bad = [x for x in arithmetic.check(final, folder, material)["layers"] if not x["passed"]]
    assert [x["name"] for x in bad] == ["model.encoder.layers.1.fc2"]
    assert bad[0]["wrong_scales"] == layer.weight_scale.numel()
