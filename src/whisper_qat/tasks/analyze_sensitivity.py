"""Sensitivity analysis: quantize one part of a model at a time, and propose a mixed plan.

Writes a folder: sensitivity.json, a table (sensitivity.md), a plot (sensitivity.svg) and, with a
budget, plan.yaml, which training and the PTQ baselines accept as `--plan`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Literal

from whisper_qat.data.clips.fingerprint import hash_clips
from whisper_qat.errors import InputError
from whisper_qat.export.onnx.folder import (
    check_context,
    checkpoint_folder,
    load_checkpoint,
    with_context,
)
from whisper_qat.model.plan.plan import Rule, check_scheme
from whisper_qat.model.plan.rules_file import write_rules_file
from whisper_qat.ptq.calibration_clips import calibration_samples, held_out_clips
from whisper_qat.quant.registry import parse_scheme
from whisper_qat.quant.scheme import UNQUANTIZED
from whisper_qat.report.sensitivity import markdown, svg
from whisper_qat.runs.folders import (
    hash_folder,
    is_finished,
    new_folder,
    write_json,
    write_manifest,
)
from whisper_qat.sensitivity.analysis import Analysis
from whisper_qat.sensitivity.part_wer import WordErrors
from whisper_qat.sensitivity.proposal import Budget

JSON_NAME, TABLE_NAME, PLOT_NAME = "sensitivity.json", "sensitivity.md", "sensitivity.svg"
PLAN_FILE = "plan.yaml"


@dataclass(frozen=True, kw_only=True)
class SensitivityConfig:
    """Quantize one part of a float checkpoint at a time; measure what it costs and saves.

    Args:
        model_path: a Whisper checkpoint, or the final/ folder of a float control
        data: speech for the analysis; its validation split is used, else its train split, never its
            test split
        output_dir: folder to write
        num_clips: number of clips, drawn with the seed
        by: parts to quantize one at a time: side, kind (for example every fc1 of the encoder),
            layer or matrix
        scheme: scheme that each part is quantized to
        wer: also measure the greedy WER of each part, which is slow
        threads: threads of the timed products
        propose: write plan.yaml, a mixed plan under the one budget that is given
        fine_scheme: scheme that the proposed plan gives to the parts that it keeps finer
        size_budget: size of the proposed plan, as a share of the float32 size
        kl_budget: KL divergence of the proposed plan, in nats per token
        audio_context: length of the encoder input, full (30 s) or dynamic (the clip's length);
            overrides the checkpoint's own
        margin_s: seconds of silence after the clip with a dynamic audio context
        language: code of the language spoken in the data
        seed: seed of the draw
    """

    HELP_GROUPS: ClassVar[dict[str, tuple[str, ...]]] = {
        "model": ("model_path", "audio_context", "margin_s"),
        "data": ("data", "num_clips", "language", "seed"),
        "analysis": ("by", "scheme", "wer", "threads"),
        "proposed plan": ("propose", "fine_scheme", "size_budget", "kl_budget"),
        "output": ("output_dir",),
    }  # fmt: skip

    model_path: str
    data: str
    output_dir: Path
    num_clips: int = 24
    by: Literal["side", "kind", "layer", "matrix"] = "kind"
    scheme: str = "block-int4-32-f16"
    wer: bool = True
    threads: int = 1
    propose: bool = False
    fine_scheme: str = "block-int8-32-f16"
    size_budget: float | None = None
    kl_budget: float | None = None
    audio_context: Literal["full", "dynamic"] | None = None
    margin_s: float | None = None
    language: str = "fr"
    seed: int = 0

    def __post_init__(self) -> None:
        check_context(self.audio_context, self.margin_s)
        for name in ("scheme", "fine_scheme"):
            check_scheme(Rule(pattern="", scheme=getattr(self, name), why=""), f"--{name}")
            if getattr(self, name) in UNQUANTIZED:
                raise InputError(f"--{name} {getattr(self, name)}: expected an integer scheme")
        for name in ("num_clips", "threads"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name} {getattr(self, name)}: expected 1 or more")
        budgets = [b for b in (self.size_budget, self.kl_budget) if b is not None]
        if self.propose and len(budgets) != 1:
            raise InputError("--propose: give one budget, --size_budget or --kl_budget")
        if not self.propose and budgets:
            raise InputError("--size_budget, --kl_budget: only with --propose true")
        if any(budget <= 0 for budget in budgets):
            raise InputError(f"budget {budgets[0]}: expected more than 0")


def run(config: SensitivityConfig) -> None:
    """Write `output_dir`; InputError when it is not empty, or the model is already quantized."""
    output = config.output_dir
    if is_finished(output):
        raise InputError(f"--output_dir {output}: finished already; remove it to measure again")
    source = checkpoint_folder(config.model_path, output)
    final = load_checkpoint(source, config.model_path)
    if final.plan is not None:
        raise InputError(f"--model_path {config.model_path}: is quantized; give a float checkpoint")
    final = with_context(final, config.audio_context, config.margin_s)
    clips = held_out_clips(config.data, config.num_clips, config.seed)
    samples = calibration_samples(clips, final, source, config.language)
    words = WordErrors(final, source, clips, config.language) if config.wer else None
    analysis = Analysis(final, samples, config.by, words, threads=config.threads)
    scheme, fine = parse_scheme(config.scheme), parse_scheme(config.fine_scheme)
    found = analysis.measure(scheme)
    with new_folder(output) as folder:
        if config.propose:
            budget = Budget(config.size_budget, config.kl_budget)
            made, found["proposal"] = analysis.propose(scheme, fine, budget)
            write_rules_file(folder / PLAN_FILE, made)
        write_json(folder / JSON_NAME, found)
        (folder / TABLE_NAME).write_text(markdown(found))
        (folder / PLOT_NAME).write_text(svg(found))
        inputs = {"model": hash_folder(source), "clips": hash_clips(clips)}
        settings = asdict(config) | {"output_dir": str(output)}
        write_manifest(folder, kind="sensitivity", inputs=inputs, config=settings)
    print((output / TABLE_NAME).read_text())
