"""Costs: milliseconds once for each shape, the table stored once."""

import pytest
import torch

from whisper_qat.model.plan.plan import HEAD, TOKEN_TABLE
from whisper_qat.ptq.calibration import Sample
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.packing import stored_bytes
from whisper_qat.sensitivity import part_costs
from whisper_qat.sensitivity.part_costs import Costs

INT4, INT8 = BlockScheme(4, 32, "float16"), BlockScheme(8, 32)
FC1, CROSS_V = "model.encoder.layers.0.fc1", "model.decoder.layers.0.encoder_attn.v_proj"
OUT = "model.decoder.layers.0.self_attn.out_proj"
SHAPES = {FC1: (96, 64), OUT: (64, 64), CROSS_V: (64, 64), TOKEN_TABLE: (97, 64)}
SAMPLES = [Sample(torch.zeros(1, 8, 100), torch.zeros(1, n, dtype=torch.int64), 4) for n in (9, 11)]


@pytest.fixture
def costs(monkeypatch):
    asked = []

    def milliseconds(shape, schemes, threads):
        asked.append((shape.rows, schemes[1].name, threads))
        return [3.0, 1.0]

    monkeypatch.setattr(part_costs, "milliseconds", milliseconds)
    return Costs(SHAPES, SAMPLES, INT4, INT8, threads=2), asked


def test_the_encoder_and_cross_kv_run_once_a_clip_the_decoder_once_a_token(costs):
    made, asked = costs
    assert made.savings([FC1]).ms_saved == made.savings([CROSS_V]).ms_saved == 2.0
    assert made.savings([OUT]).ms_saved == 2.0 * 7  # 9 and 11 tokens less a prompt of 4, and a step
    assert made.savings([HEAD]).ms_saved == 14.0
    assert asked == [(50, INT4.name, 2), (50, INT4.name, 2), (1, INT4.name, 2), (1, INT8.name, 2)]
    made.savings([FC1])
    assert len(asked) == 4


def test_the_tables_bytes_count_once(costs):
    made, _ = costs
    table = 97 * 64 * 4 - stored_bytes(97, 64, INT8)
    assert made.savings([TOKEN_TABLE]).bytes_saved == table == made.savings([HEAD]).bytes_saved
    assert made.savings([TOKEN_TABLE, HEAD]).bytes_saved == table
    assert made.savings([]).bytes_saved == 0
