"""Measure loss, KL and output error of the PTQ baselines on Whisper base, layers only.

python study/ptq_baselines.py --prompts data/telephone-fr --verse VERSE --clips 20

Token table and head stay float, so that only layers differ. Calibration: 64 training prompts.
Measured on validation prompts and on verse, which are not part of the calibration data.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional

from whisper_qat.data.clips.screen import screen
from whisper_qat.data.clips.source import load_clips
from whisper_qat.data.clips.split import sample_clips
from whisper_qat.export.onnx.folder import load_checkpoint, with_context
from whisper_qat.model import forward
from whisper_qat.model.fake_quant.layers import FakeQuantLinear, fake_quantized, quantized_once
from whisper_qat.model.plan.plan import Rule
from whisper_qat.ptq.calibration_clips import calibration_clips, calibration_samples
from whisper_qat.ptq.gptq import gptq, weighted_least_squares
from whisper_qat.ptq.least_squares import least_squares
from whisper_qat.ptq.round_to_nearest import round_to_nearest

BASE = Path("data/whisper-base")
GRIDS = (("int4", 32), ("int4", 128), ("int2", 32))


def fresh():
    return with_context(load_checkpoint(BASE, "base"), "dynamic", 3.0)


def log_probabilities(model, sample):
    """Log-probabilities [n, V] at the reference tokens, without the end-of-text token."""
    state = forward.start(model, forward.encode(model, sample.mel))
    logits = forward.decode(model, sample.tokens, state)[0, sample.prompt_length - 1 : -1]
    return logits.log_softmax(-1)


def divergence(model, float_model, samples):
    """Compute (loss, KL(float || model)) per token."""
    loss = kl = tokens = 0.0
    with quantized_once(model):
        for sample in samples:
            found, expected = (log_probabilities(m, sample) for m in (model, float_model))
            labels = sample.tokens[0, sample.prompt_length :]
            loss += functional.nll_loss(found, labels, reduction="sum").item()
            kl += functional.kl_div(found, expected, log_target=True, reduction="sum").item()
            tokens += len(labels)
    return loss / tokens, kl / tokens


def output_error(model, float_model, samples):
    """Relative output error |quantized - float|^2 / |float|^2 on float inputs, mean over layers."""
    error, size = {}, {}

    def compare(name, layer, module, inputs, output):
        plain = output - (0 if module.bias is None else module.bias)
        difference = (layer(inputs[0]) - output).square().sum().item()
        error[name] = error.get(name, 0.0) + difference
        size[name] = size.get(name, 0.0) + plain.square().sum().item()

    layers = {n: m for n, m in fake_quantized(model).items() if isinstance(m, FakeQuantLinear)}
    hooks = [
        float_model.get_submodule(n).register_forward_hook(partial(compare, n, layer))
        for n, layer in layers.items()
    ]
    with quantized_once(model):
        for sample in samples:
            log_probabilities(float_model, sample)
    for hook in hooks:
        hook.remove()
    return sum(error[n] / size[n] for n in error) / len(error)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", required=True)
    parser.add_argument("--verse", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=20)
    args = parser.parse_args()
    plain = fresh()
    heard = calibration_samples(calibration_clips(args.prompts, 64, 0), plain, BASE, "fr")
    sources = {
        "prompts": (args.prompts, "validation"),
        "verse": (args.verse / "train.jsonl", "all"),
    }
    sets = {}
    for name, (source, split) in sources.items():
        clips = sample_clips(load_clips(str(source), split=split), args.clips, 1)
        kept = screen(clips, decode=False).kept
        sets[name] = calibration_samples(kept, plain, BASE, "fr")
    quiet = {"progress": lambda name: None}
    methods = {
        "round-to-nearest": round_to_nearest,
        "least-squares": least_squares,
        "weighted-least-squares": lambda m, r: weighted_least_squares(m, r, heard, **quiet),
        "gptq": lambda m, r: gptq(m, r, heard, **quiet),
    }
    for kind, block in GRIDS:
        for method, quantize in methods.items():
            model = fresh().model
            scheme = f"block-{kind}-{block}-f16"
            quantize(model, [Rule(pattern=r".*\.layers\..*", scheme=scheme, why="")])
            for name, samples in sets.items():
                loss, kl = divergence(model, plain.model, samples)
                error = output_error(model, plain.model, samples[:2])
                print(f"{scheme} {method} {name}: error {error:.4f} loss {loss:.3f} KL {kl:.3f}")


if __name__ == "__main__":
    main()
