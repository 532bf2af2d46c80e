"""Settings of a training: what is recorded of a plan file."""

from dataclasses import asdict

from whisper_qat.tasks.train.config import TrainConfig, recorded


def test_a_plan_is_recorded_by_its_rules(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text("- {pattern: .*, scheme: block-int4-32, why: all}\n")
    config = TrainConfig(plan=path)
    rule = {"pattern": ".*", "scheme": "block-int4-32", "why": "all"}
    assert recorded(config) == asdict(config) | {"plan": [rule]}


def test_without_a_plan_the_settings_are_the_record():
    assert recorded(TrainConfig()) == asdict(TrainConfig())
