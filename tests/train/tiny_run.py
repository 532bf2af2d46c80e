"""A training run small enough for a test: a random Whisper on random spectrograms, 12 clips."""

import numpy as np
import torch
from accelerate import Accelerator
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.data.audio.context import AudioContext
from whisper_qat.data.loader import Collator, Example
from whisper_qat.model.fake_quant.prepare import apply_plan, plan
from whisper_qat.model.plan.plan import default_rules
from whisper_qat.train import curriculum, scales
from whisper_qat.train.curriculum import Curriculum
from whisper_qat.train.loop import Data, Loop, Settings
from whisper_qat.train.objective import Objective, Whisper

PROMPT = [3, 4, 5]
DURATIONS_S = [1.0 + 0.25 * (7 * i % 12) for i in range(12)]


class RandomExamples(torch.utils.data.Dataset):
    """Examples drawn from their index alone, so every process and run sees the same."""

    def __len__(self):
        return len(DURATIONS_S)

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        mel = rng.standard_normal((8, 3000)).astype(np.float32)
        text = rng.integers(6, 60, 3 + index % 4).tolist()
        return Example(f"clip-{index}", mel, int(DURATIONS_S[index] * 16000), [*PROMPT, *text, 2])


def tiny_whisper(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    config = WhisperConfig(
        vocab_size=64, num_mel_bins=8, d_model=32, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64,
        decoder_ffn_dim=64, max_target_positions=16, pad_token_id=0, bos_token_id=1,
        eos_token_id=2, decoder_start_token_id=3, init_std=0.1, dropout=dropout,
    )  # fmt: skip
    return WhisperForConditionalGeneration(config).eval()


def settings(**changes):
    values = {
        "num_epochs": 2, "per_device_batch_size": 2, "gradient_accumulation_steps": 2,
        "learning_rate": 1e-3, "warmup_ratio": 0.1, "weight_decay": 0.0, "max_grad_norm": 1.0,
        "seed": 0, "num_workers": 0, "eval_steps": 3, "save_steps": 2,
        "objective": Objective({"ce_weight": 0.8, "kl_weight": 1.0, "temperature": 2.0}),
    }  # fmt: skip
    return Settings(**(values | changes))


def make_loop(
    folder, quantization_type="int8", *, dropout=0.0, evaluate=None, examples=None,
    start=None, stages="", mixed_precision=None, **changes,
):  # fmt: skip
    model, teacher = tiny_whisper(dropout=dropout), tiny_whisper(seed=1)
    rules = default_rules(quantization_type, 32)
    if rules:
        apply_plan(model, plan(model, rules))
    if start:
        scales.learn(model, start)
    data = Data(
        examples or RandomExamples(), DURATIONS_S,
        Collator(AudioContext(mode="dynamic", margin_s=0.5), len(PROMPT)),
    )  # fmt: skip
    torch.manual_seed(5)
    student = Whisper(model)
    return Loop(
        Accelerator(cpu=True, mixed_precision=mixed_precision), student,
        Whisper(teacher).requires_grad_(False), data, settings(**changes), folder,
        evaluate or (lambda model: {"eval_loss": 1.0}),
        Curriculum(
            student, curriculum.parse(stages), lambda: start and scales.restart(model, start)
        ),
    )  # fmt: skip


def train(folder, quantization_type="int8", **changes):
    """(loss of every step, final weights) of a run in `folder`, resumed when there is one."""
    loop = make_loop(folder, quantization_type, **changes)
    loop.resume()
    losses = []
    loop.run(lambda metrics: losses.append(metrics["loss"]))
    return losses, {n: p.detach().clone() for n, p in loop.bare.named_parameters()}
