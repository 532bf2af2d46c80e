"""Recommend a plan: what this CPU has, and which plan is fastest at which size on it."""

import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from whisper_qat.errors import InputError
from whisper_qat.infer.kernels.saturation import describe_cpu
from whisper_qat.measure.plan_time import CLIPS, Products
from whisper_qat.model.plan.plan import Rule
from whisper_qat.model.plan.rules_file import read_rules_file
from whisper_qat.report.recommendation import FLOAT_PLAN, show
from whisper_qat.runs.environment import num_cores, package_versions
from whisper_qat.runs.folders import read_json, write_json
from whisper_qat.runs.progress import Bar
from whisper_qat.shipped import PLANS, shipped_names

logger = logging.getLogger(__name__)
FOREIGN = "ggml_"  # plans of another runtime's formats
FLOAT_RULES = [Rule(pattern=".*", scheme="float", why="reference")]


@dataclass(frozen=True, kw_only=True)
class RecommendConfig:
    """Say what this CPU has and which quantization plan is fastest at which size on it.

    Every product of the model is timed with every scheme for about a minute; weights are not read.

    Args:
        model_path: a checkpoint or converted folder; only its config.json counts
        threads: threads of each product; unset: every core that the process may use
        plans: plans to compare, names or files (default: all that come with the package)
        json: also write the measurements to this JSON file
    """

    model_path: Path = field(metadata={"positional": True})
    threads: int | None = None
    plans: list[str] = field(default_factory=list)
    json: Path | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise InputError(f"--threads {self.threads}: expected a number from 1")
        if not (self.model_path / "config.json").is_file():
            raise InputError(
                f"--model_path {self.model_path}: no config.json; expected a checkpoint or a "
                "converted folder"
            )


def run(config: RecommendConfig) -> None:
    """Measure and print."""
    content = read_json(config.model_path / "config.json")
    if not isinstance(content, dict) or content.get("model_type") != "whisper":
        raise InputError(f"{config.model_path / 'config.json'}: not of a Whisper model")
    report = measure(config, content)
    show(report)
    if config.json is not None:
        write_json(config.json, report)
        logger.info(f"measurements: {config.json}")


def measure(config: RecommendConfig, model: dict[str, Any]) -> dict[str, Any]:
    """CPU, versions, and bytes and times of every plan."""
    threads = config.threads or num_cores()
    names = config.plans or [name for name in shipped_names(PLANS) if not name.startswith(FOREIGN)]
    plans = {FLOAT_PLAN: FLOAT_RULES} | {name: read_rules_file(Path(name)) for name in names}
    products = Products(model, threads)
    with Bar(total=1, desc="timing products", unit="") as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = products.measure(plans, progress)
    return {
        "model": str(config.model_path),
        "machine": describe_cpu() | {"threads": threads},
        "versions": package_versions(),
        "clips": [clip.name for clip in CLIPS],
        "fp32_bytes": products.fp32_bytes,
        "plans": [asdict(one) for one in found],
    }
