"""The terms of the objective: what a run's history and settings call them, and one more term."""

import torch
from torch import nn

from whisper_qat.data.loader import Batch
from whisper_qat.runs.setting_groups import settings_of
from whisper_qat.tasks.train.config import TrainConfig
from whisper_qat.train import objective
from whisper_qat.train.objective import Objective
from whisper_qat.train.terms.registry import TERMS
from whisper_qat.train.terms.term import Term


def test_names_in_the_history_and_in_the_settings():
    assert [term.name for term in TERMS] == ["ce", "kl", "encoder_states"]
    assert [term.weight for term in TERMS] == ["ce_weight", "kl_weight", "encoder_weight"]


def test_the_settings_are_fields_of_the_training_configuration():
    fields = {setting.name for setting in settings_of(TrainConfig)}
    assert {name for term in TERMS for name in (term.weight, *term.others)} <= fields


class Fixed(nn.Module):
    """Returns logits and states of ones."""

    def forward(self, mel, tokens):
        return torch.ones(*tokens.shape, 4, requires_grad=True), torch.ones(len(mel), 5, 3)


def test_a_new_term_is_a_record_and_its_setting(monkeypatch):
    toy = Term(
        name="toy", weight="toy_weight", others=("toy_offset",), needs_teacher=False,
        sum=lambda student, teacher, labels, s: student.logits.sum() + s["toy_offset"],
    )  # fmt: skip
    monkeypatch.setattr(objective, "TERMS", (*TERMS, toy))
    settings = {"ce_weight": 1.0, "kl_weight": 0.0, "encoder_weight": 0.0, "temperature": 2.0,
                "toy_weight": 0.5, "toy_offset": 2.0, "learning_rate": 0.1}  # fmt: skip
    how = Objective.of(settings)
    assert "learning_rate" not in how.settings and not how.needs_teacher
    batch = Batch(torch.zeros(1, 8, 10), torch.zeros(1, 2, dtype=torch.long),
                  torch.tensor([[1, 2]]), ("a",))  # fmt: skip
    found = objective.compute(Fixed(), None, batch, how)
    assert found.sums["toy"] == 10 and set(found.sums) == {"ce", "kl", "encoder_states", "toy"}
    assert found.total == found.sums["ce"] + 0.5 * 10
