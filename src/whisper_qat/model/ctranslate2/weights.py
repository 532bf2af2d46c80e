"""Converts CTranslate2's Whisper variables to ``WhisperForConditionalGeneration``'s state dict.

The mapping is one to one: CTranslate2 only joins q, k and v of self-attention (and k and v of
cross-attention) into one matrix, gives k the zero bias that Whisper lacks, and stores the head as
an alias of the token table (see ``ctranslate2/converters/transformers.py``). Float weights keep the
value and dtype of the file. int8 and int16 weights become codes / scale in float32, the values they
represent; the float weights they were rounded from are lost.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2.model_file import SCALE, Ct2File

SPEC = "WhisperSpec"
HEAD_DIM = 64  # of every Whisper; older files do not store the number of heads
GELU = 3
FLAGS = {  # options of the Transformer spec, each with Whisper's value
    "decoder/activation": GELU,
    "decoder/alibi": 0,
    "decoder/alibi_use_positive_positions": 0,
    "decoder/pre_norm": 1,
    "decoder/scale_alibi": 0,
    "decoder/scale_embeddings": 0,
    "decoder/start_from_zero_embedding": 0,
}
IRRELEVANT = ("decoder/alignment_heads", "decoder/alignment_layer")  # of translation models
LEAVES = {
    "norm": {"gamma": "weight", "beta": "bias"},
    "linear": {"weight": "weight", "bias": "bias"},
    "conv": {"weight": "weight", "bias": "bias"},
    "table": {"weight": "weight"},
    "positions": {"encodings": "weight"},
}


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """The sizes of a Whisper model, named as in transformers' WhisperConfig."""

    d_model: int
    vocab_size: int
    num_mel_bins: int
    encoder_layers: int
    decoder_layers: int
    encoder_attention_heads: int
    decoder_attention_heads: int
    encoder_ffn_dim: int
    decoder_ffn_dim: int
    max_source_positions: int
    max_target_positions: int


@dataclass(frozen=True)
class Module:
    """A group of variables and the transformers modules among which its rows are divided."""

    name: str
    kind: str
    targets: tuple[str, ...]


def convert(file: Ct2File) -> tuple[Dimensions, dict[str, Tensor]]:
    """Return a Whisper file's dimensions and weights (without proj_out, tied to the token table).

    Removes the variables from ``file`` one by one, so that no second copy of the model is held.
    InputError for a missing, unknown or unexpected variable.
    """
    if file.spec != SPEC:
        raise InputError(f"not a Whisper: spec {file.spec!r}, expected {SPEC!r}")
    variables = file.variables
    check_flags(variables)
    quantized = dequantize_all(variables)
    dimensions = measure(variables)
    check_tied(variables)
    weights: dict[str, Tensor] = {}
    for module in modules(dimensions):
        weights |= convert_module(module, variables)
    if variables:
        raise InputError(f"unknown variable {min(variables)!r} ({len(variables)} in all)")
    if quantized or len({w.dtype for w in weights.values()}) > 1:
        weights = {name: weight.float() for name, weight in weights.items()}
    return dimensions, weights


def check_flags(variables: dict[str, Tensor]) -> None:
    """Remove the options; InputError when one of them is not that of a Whisper network."""
    for name in IRRELEVANT:
        variables.pop(name, None)
    for name, expected in FLAGS.items():
        if name in variables and (value := int(variables.pop(name))) != expected:
            raise InputError(f"not a Whisper: {name} is {value}, expected {expected}")


def dequantize_all(variables: dict[str, Tensor]) -> bool:
    """Replace int8 and int16 weights by codes / scale (float32); True when there were any.

    ``weight_scale`` holds one scale for each row, or a single one (int16).
    """
    scales = [name for name in variables if name.endswith(SCALE)]
    for name in scales:
        scale = variables.pop(name)
        weight = _take(variables, name.removesuffix(SCALE))
        rows = scale.reshape(-1, *[1] * (weight.dim() - 1))
        variables[name.removesuffix(SCALE)] = weight.float() / rows
    for name, value in variables.items():
        if value.dim() and not value.dtype.is_floating_point:
            raise InputError(f"{name}: {value.dtype} without {name}{SCALE}")
    return bool(scales)


def measure(variables: dict[str, Tensor]) -> Dimensions:
    """Derive the sizes from the shapes; removes the variables with the numbers of heads."""
    d_model, num_mel_bins, _ = _shape(variables, "encoder/conv1/weight", 3)
    heads = {}
    for side in ("encoder", "decoder"):
        stored = variables.pop(f"{side}/num_heads", None)
        heads[side] = int(stored) if stored is not None else d_model // HEAD_DIM
        if heads[side] < 1 or d_model % heads[side]:
            raise InputError(f"{side}/num_heads is {heads[side]}, d_model is {d_model}")
    return Dimensions(
        d_model=d_model,
        vocab_size=_shape(variables, "decoder/embeddings/weight", 2)[0],
        num_mel_bins=num_mel_bins,
        encoder_layers=_count_layers(variables, "encoder"),
        decoder_layers=_count_layers(variables, "decoder"),
        encoder_attention_heads=heads["encoder"],
        decoder_attention_heads=heads["decoder"],
        encoder_ffn_dim=_shape(variables, "encoder/layer_0/ffn/linear_0/weight", 2)[0],
        decoder_ffn_dim=_shape(variables, "decoder/layer_0/ffn/linear_0/weight", 2)[0],
        max_source_positions=_shape(variables, "encoder/position_encodings/encodings", 2)[0],
        max_target_positions=_shape(variables, "decoder/position_encodings/encodings", 2)[0],
    )


def check_tied(variables: dict[str, Tensor]) -> None:
    """Remove the output head; InputError unless it equals the token table."""
    head = _take(variables, "decoder/projection/weight")
    table = variables["decoder/embeddings/weight"]
    if head is not table and not torch.equal(head, table):
        raise InputError(
            "decoder/projection/weight differs from decoder/embeddings/weight; "
            "in Whisper they are one tensor"
        )


def modules(dimensions: Dimensions) -> Iterator[Module]:
    """Yield every group of variables of a Whisper with these dimensions."""
    for conv in ("conv1", "conv2"):
        yield Module(f"encoder/{conv}", "conv", (f"model.encoder.{conv}",))
    yield Module("decoder/embeddings", "table", ("model.decoder.embed_tokens",))
    for side in ("encoder", "decoder"):
        yield Module(f"{side}/position_encodings", "positions", (f"model.{side}.embed_positions",))
        yield Module(f"{side}/layer_norm", "norm", (f"model.{side}.layer_norm",))
    for i in range(dimensions.encoder_layers):
        yield from layer_modules(f"encoder/layer_{i}/", f"model.encoder.layers.{i}.")
    for i in range(dimensions.decoder_layers):
        yield from layer_modules(f"decoder/layer_{i}/", f"model.decoder.layers.{i}.")
        yield from cross_modules(f"decoder/layer_{i}/", f"model.decoder.layers.{i}.")


def layer_modules(source: str, target: str) -> Iterator[Module]:
    """Yield the groups common to encoder and decoder layers: self-attention and feed-forward."""
    q_k_v = tuple(f"{target}self_attn.{x}_proj" for x in "qkv")
    norm = f"{target}self_attn_layer_norm"
    yield Module(f"{source}self_attention/layer_norm", "norm", (norm,))
    yield Module(f"{source}self_attention/linear_0", "linear", q_k_v)
    yield Module(f"{source}self_attention/linear_1", "linear", (f"{target}self_attn.out_proj",))
    yield Module(f"{source}ffn/layer_norm", "norm", (f"{target}final_layer_norm",))
    yield Module(f"{source}ffn/linear_0", "linear", (f"{target}fc1",))
    yield Module(f"{source}ffn/linear_1", "linear", (f"{target}fc2",))


def cross_modules(source: str, target: str) -> Iterator[Module]:
    """Yield the groups of a decoder layer's cross-attention."""
    k_v = tuple(f"{target}encoder_attn.{x}_proj" for x in "kv")
    norm = f"{target}encoder_attn_layer_norm"
    yield Module(f"{source}attention/layer_norm", "norm", (norm,))
    yield Module(f"{source}attention/linear_0", "linear", (f"{target}encoder_attn.q_proj",))
    yield Module(f"{source}attention/linear_1", "linear", k_v)
    yield Module(f"{source}attention/linear_2", "linear", (f"{target}encoder_attn.out_proj",))


def convert_module(module: Module, variables: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the module's variables from `variables` and divide their rows among its targets."""
    weights = {}
    for leaf, parameter in LEAVES[module.kind].items():
        value = _take(variables, f"{module.name}/{leaf}")
        if value.shape[0] % len(module.targets):
            raise InputError(
                f"{module.name}/{leaf}: {value.shape[0]} rows for {len(module.targets)} projections"
            )
        for target, rows in zip(module.targets, value.chunk(len(module.targets)), strict=True):
            if target.endswith("k_proj") and parameter == "bias":
                _check_zero(rows, f"{module.name}/{leaf}")
            else:
                weights[f"{target}.{parameter}"] = rows.clone()  # the file's buffer can go
    return weights


def _check_zero(k_bias: Tensor, name: str) -> None:
    if k_bias.any():
        raise InputError(f"{name}: the rows of k are not zero; Whisper has no bias there")


def _take(variables: dict[str, Tensor], name: str) -> Tensor:
    if name not in variables:
        raise InputError(f"no variable {name!r}; expected the variables of a Whisper")
    return variables.pop(name)


def _shape(variables: dict[str, Tensor], name: str, rank: int) -> torch.Size:
    if name not in variables:
        raise InputError(f"no variable {name!r}; expected the variables of a Whisper")
    shape = variables[name].shape
    if len(shape) != rank:
        raise InputError(f"{name}: shape {list(shape)}, expected {rank} dimensions")
    return shape


def _count_layers(variables: dict[str, Tensor], side: str) -> int:
    count = 0
    while f"{side}/layer_{count}/ffn/linear_0/weight" in variables:
        count += 1
    return count
