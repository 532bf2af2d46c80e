"""Tiny random Whispers, their graphs, and codes made for the tests."""

from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_qat.export.onnx.folder import write_graphs
from whisper_qat.export.onnx.shape import WhisperShape
from whisper_qat.export.weights import QuantizedWeight, Weights
from whisper_qat.infer.onnx.session import DATA_FOLDER, open_session, session_options
from whisper_qat.model.onnx_files import DECODER_FILE
from whisper_qat.model.plan.plan import TOKEN_TABLE as TABLE
from whisper_qat.quant import numerics
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.channel_scheme import DynamicScheme, RowScheme
from whisper_qat.quant.packing import pack
from whisper_qat.quant.scheme import Scheme
from whisper_qat.quant.two_level_scheme import TwoLevelScheme
from whisper_qat.runs.folders import write_json

INT8 = BlockScheme(bits=8, block_size=32)
INT4 = BlockScheme(bits=4, block_size=16)
DYNAMIC = DynamicScheme()
ROW = RowScheme()
SEVEN = RowScheme(7)
TWO_LEVEL = TwoLevelScheme(4)


def tiny_config(d_model: int = 64) -> WhisperConfig:
    return WhisperConfig(
        vocab_size=97,
        num_mel_bins=8,
        d_model=d_model,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=2,
        encoder_ffn_dim=96,
        decoder_ffn_dim=80,
        max_source_positions=50,
        max_target_positions=12,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=3,
        init_std=0.2,
    )


def tiny_whisper(d_model: int = 64) -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    model = WhisperForConditionalGeneration(tiny_config(d_model)).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or "layer_norm" in name:
            torch.nn.init.normal_(parameter, mean=0.5 if "norm.weight" in name else 0.0, std=0.1)
    return model


def tensors(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    state = model.state_dict()
    return {name: state[name].numpy() for name in state if name != "proj_out.weight"}


def linear_layers(model: WhisperForConditionalGeneration) -> list[str]:
    """Every layer that can be quantized, the table once under its own name."""
    linears = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    return [n for n in linears if n != "proj_out"] + [TABLE]


def quantize(weight: np.ndarray, scheme: Scheme) -> QuantizedWeight:
    w = torch.from_numpy(weight)
    verbs = numerics.of_weight(scheme)
    scale, _ = verbs.choose_params(w, scheme)
    codes = verbs.quantize(w, scale, scheme).numpy()
    return QuantizedWeight(
        packed=pack(codes, scheme), scales=scale.numpy(), scheme=scheme, in_features=w.shape[1]
    )


def dequantized(model: WhisperForConditionalGeneration, scheme: Scheme) -> None:
    """Moves every linear layer and the table onto the grid, in place."""
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name in linear_layers(model):
            weight = modules[name].weight
            weight.copy_(numerics.of_weight(scheme).fake_quantize(weight, scheme))


def write(
    model: WhisperForConditionalGeneration, folder: Path, scheme: Scheme | None = None
) -> Path:
    """The model's graphs in `folder`; with a scheme, every layer that can have it quantized."""
    named = tensors(model)
    layers = linear_layers(model) if scheme else []
    planned = list(layers)
    if scheme is not None and not scheme.has_lookup:
        layers.remove(TABLE)
    quantized = {name: quantize(named[f"{name}.weight"], scheme) for name in layers if scheme}
    folder.mkdir(parents=True, exist_ok=True)
    shape = WhisperShape.from_config(model.config.to_dict())
    write_graphs(shape, Weights(named, quantized, planned), folder)
    return folder


def session(model: Path | bytes, folder: Path | None = None) -> ort.InferenceSession:
    """The product's, on one thread; `folder` holds the data of a model in bytes."""
    options = session_options(1)
    if folder is not None:
        options.add_session_config_entry(DATA_FOLDER, str(folder))
    return open_session(model, options)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    """Norm of the difference over the norm."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def no_past(config: WhisperConfig, batch: int, length: int = 0) -> dict[str, np.ndarray]:
    """The ignored past of a first step; noise where it has a length, so that reading it shows."""
    heads = config.decoder_attention_heads
    shape = (batch, heads, length, config.d_model // heads)
    rng = np.random.default_rng(7)
    return {
        f"past_key_values.{i}.{kind}.{part}": rng.normal(size=shape).astype(np.float32)
        for i in range(config.decoder_layers)
        for kind in ("decoder", "encoder")
        for part in ("key", "value")
    }


class OnnxDecoder:
    """Feeds the merged decoder as optimum does."""

    def __init__(self, folder: Path, past: dict[str, np.ndarray]) -> None:
        self.session = session(folder / DECODER_FILE)
        self.past = past
        self.steps = 0

    def __call__(self, tokens: np.ndarray, encoder_states: np.ndarray) -> np.ndarray:
        feeds = {"input_ids": tokens, "encoder_hidden_states": encoder_states, **self.past}
        feeds["use_cache_branch"] = np.array([self.steps > 0])
        names = [o.name for o in self.session.get_outputs()]
        out = dict(zip(names, self.session.run(names, feeds), strict=True))
        self.past = {n.replace("present", "past_key_values"): out[n] for n in names[1:]}
        self.steps += 1
        return out["logits"]


def save_checkpoint(model: WhisperForConditionalGeneration, folder: Path) -> Path:
    """A plain checkpoint with the smallest companions that pass for Whisper's."""
    model.save_pretrained(folder)
    vocabulary = {f"word{i}": i for i in range(model.config.vocab_size)}
    write_json(folder / "tokenizer.json", {"model": {"type": "WordLevel", "vocab": vocabulary}})
    write_json(folder / "preprocessor_config.json", {"feature_size": model.config.num_mel_bins})
    write_json(folder / "generation_config.json", {"eos_token_id": 2})
    return folder
