"""Export a checkpoint as whisper.cpp's file: blocks as q8_0 or q4_0, or matrices in float16.

A symmetric block of 32 with a float16 scale is a block of q8_0 or q4_0. Longer blocks are
written as several blocks of 32 with the same scale, and narrower codes fit the wider type, so such
plans are kept exactly too. The loader (`whisper_model_load`) uses one type for every matrix;
convolutions are float16, all else is float32. Files of type float32 are not written: they load and
then abort, as `ggml_compute_forward_im2col` asserts float16 convolutions. Sizes that the loader
derives from others are checked here, as it would read on with wrong ones.
"""

import re
from collections import Counter
from dataclasses import dataclass
from io import BufferedWriter
from pathlib import Path
from typing import Any

import numpy as np
from transformers import WhisperFeatureExtractor

from whisper_qat.errors import InputError
from whisper_qat.export.ggml.file import BLOCK, Sizes, blocks, write_header, write_tensor
from whisper_qat.export.requantize import Matrices, SignedCodes, check_kept, misfits
from whisper_qat.export.source import parameters
from whisper_qat.export.weights import exact_half
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.whisper_tokens import END
from whisper_qat.model.plan.plan import STORED, TOKEN_TABLE, Plan
from whisper_qat.quant.block_scheme import BlockScheme
from whisper_qat.quant.scheme import FLOAT, FLOAT16, Scheme
from whisper_qat.runs.folders import read_json

FORMAT = "ggml"
VOCABULARIES = (51864, 51865, 51866)  # whisper.cpp identifies the special tokens by their ids
CONVS = tuple(name for name in STORED if "conv" in name)
POSITIONS = tuple(name for name in STORED if name not in CONVS)
NAMES = (  # parts of transformers' names -> whisper.cpp's, in this order
    (r"^model\.", ""),
    (r"embed_positions\.weight$", "positional_embedding"),
    (r"embed_tokens\.", "token_embedding."),
    (r"^encoder\.layer_norm\.", "encoder.ln_post."),
    (r"^decoder\.layer_norm\.", "decoder.ln."),
    (r"\.layers\.", ".blocks."),
    (r"self_attn", "attn"),
    (r"encoder_attn", "cross_attn"),
    (r"attn_layer_norm", "attn_ln"),
    (r"final_layer_norm", "mlp_ln"),
    (r"fc1", "mlp.0"),
    (r"fc2", "mlp.2"),
    (r"q_proj", "query"),
    (r"k_proj", "key"),
    (r"v_proj", "value"),
    (r"out_proj", "out"),
)


@dataclass(frozen=True)
class Storage:
    """The file's matrix type, and the layers to be rounded to it (name -> planned scheme)."""

    kind: str
    rounded: dict[str, str]


def write_ggml(final: Final, source: Path, folder: Path, requantize: bool) -> dict[str, str]:
    """Write `ggml-model-<type>.bin`; return the requantized layers with their original scheme.

    InputError for a plan that the file cannot hold (unless `requantize`), or for a network that
    whisper.cpp does not support.
    """
    config = final.model.config.to_dict()
    sizes = read_sizes(config)
    storage = choose_storage(final.plan, parameters(final), requantize)
    with open(folder / f"ggml-model-{storage.kind}.bin", "wb") as file:
        write_header(file, sizes, storage.kind, mel_filters(source), vocabulary(source))
        write_tensors(file, final, storage)
    return storage.rounded


def read_sizes(config: dict[str, Any]) -> Sizes:
    """The header for a transformers config; InputError for sizes unknown to whisper.cpp."""
    d_model, vocab = config["d_model"], config["vocab_size"]
    for side in ("encoder", "decoder"):
        if config[f"{side}_ffn_dim"] != 4 * d_model:
            raise InputError(
                f"--format ggml: {side}_ffn_dim is {config[f'{side}_ffn_dim']}; whisper.cpp takes "
                f"4 x d_model = {4 * d_model}"
            )
    if d_model % BLOCK:
        raise InputError(f"--format ggml: d_model {d_model} is not a multiple of {BLOCK}")
    if vocab not in VOCABULARIES:
        raise InputError(
            f"--format ggml: vocab_size {vocab}; whisper.cpp knows the special tokens of "
            f"{', '.join(map(str, VOCABULARIES))} only"
        )
    return Sizes(
        n_vocab=vocab,
        n_audio_ctx=config["max_source_positions"],
        n_audio_state=d_model,
        n_audio_head=config["encoder_attention_heads"],
        n_audio_layer=config["encoder_layers"],
        n_text_ctx=config["max_target_positions"],
        n_text_state=d_model,
        n_text_head=config["decoder_attention_heads"],
        n_text_layer=config["decoder_layers"],
        n_mels=config["num_mel_bins"],
    )


def choose_storage(plan: Plan | None, weights: dict[str, np.ndarray], requantize: bool) -> Storage:
    """The narrowest type that holds the plan exactly; InputError when none does.

    With `requantize`: the type of most weights, and the layers that this choice rounds.
    """
    if plan is None:
        found = wider_than_half(weights)
        check_kept(found, requantize, format=FORMAT, holds="float16 matrices and convolutions")
        return Storage("f16", found)
    kind = widest(plan)
    found = misfits(plan, lambda scheme: fits(scheme, kind)) | float_convolutions(plan)
    if requantize:
        kind = prevailing(plan, weights)
        found = misfits(plan, lambda scheme: fits(scheme, kind)) | float_convolutions(plan)
    check_kept(
        found, requantize, format=FORMAT,
        holds=f"blocks of {BLOCK} with float16 scales in every matrix, float16 convolutions",
    )  # fmt: skip
    return Storage(kind, found)


def wider_than_half(weights: dict[str, np.ndarray]) -> dict[str, str]:
    """The float matrices and convolutions whose values float16 cannot represent exactly."""
    return {
        name.removesuffix(".weight"): FLOAT
        for name, values in weights.items()
        if is_half(name, values) and not np.array_equal(values.astype(np.float16), values)
    }


def is_half(parameter: str, values: np.ndarray) -> bool:
    """True for tensors that whisper.cpp stores in float16 when they are not quantized."""
    return values.ndim > 1 and parameter.removesuffix(".weight") not in POSITIONS


def fits(scheme: Scheme, kind: str) -> bool:
    """True when blocks of type `kind` represent every value of `scheme` exactly."""
    return (
        scheme.block_size is not None
        and scheme.scale_dtype == "float16"
        and scheme.block_size % BLOCK == 0
        and scheme.bits <= (8 if kind == "q8_0" else 4)
    )


def widest(plan: Plan) -> str:
    """The file type for the largest bit width in the plan."""
    return _kind(max((scheme.bits for scheme in plan.quantized().values()), default=8))


def prevailing(plan: Plan, weights: dict[str, np.ndarray]) -> str:
    """The type of most quantized weights; the token table counts only when it is alone."""
    counts: Counter[str] = Counter()
    for name, scheme in plan.quantized().items():
        counts[_kind(scheme.bits)] += weights[f"{name}.weight"].size * (name != TOKEN_TABLE)
    return counts.most_common(1)[0][0]


def _kind(bits: int) -> str:
    return "q8_0" if bits > 4 else "q4_0"


def float_convolutions(plan: Plan) -> dict[str, str]:
    """The convolutions planned for float32, which a quantized file stores in float16."""
    return {e.name: e.scheme for e in plan.layers if e.name in CONVS and e.scheme != FLOAT16}


def write_tensors(file: BufferedWriter, final: Final, storage: Storage) -> None:
    """Write every parameter, one after the other."""
    weights = parameters(final)
    planned = {e.name for e in final.plan.layers if e.name not in STORED} if final.plan else set()
    bits = 8 if storage.kind == "q8_0" else 4
    matrices = Matrices(final, storage.rounded, BlockScheme(bits, BLOCK, "float16"))
    for parameter, values in weights.items():
        layer, name = parameter.removesuffix(".weight"), tensor_name(parameter)
        if layer in planned and parameter != layer:
            codes = matrices.codes(layer)
            data = blocks(codes.codes, factors(codes, layer), storage.kind)
            write_tensor(file, name, storage.kind, codes.codes.shape, data)
        else:
            write_float(file, name, values, "f16" if is_half(parameter, values) else "f32")


def factors(codes: SignedCodes, layer: str) -> np.ndarray:
    """The scales as float16 [N, K / 32]; those of longer blocks are repeated."""
    repeated = np.repeat(codes.scales, codes.block_length // BLOCK, axis=1)
    return exact_half(repeated[:, : codes.codes.shape[1] // BLOCK], f"{layer}.scales")


def write_float(file: BufferedWriter, name: str, values: np.ndarray, kind: str) -> None:
    """Write a tensor that stays float; the bias of a convolution is written as a column."""
    if re.fullmatch(r"encoder\.conv[12]\.bias", name):
        values = values[:, None]
    data = values.astype("<f2" if kind == "f16" else "<f4").tobytes()
    write_tensor(file, name, kind, values.shape, data)


def tensor_name(parameter: str) -> str:
    """whisper.cpp's name for a transformers parameter."""
    for pattern, replacement in NAMES:
        parameter = re.sub(pattern, replacement, parameter)
    return parameter


def mel_filters(source: Path) -> np.ndarray:
    """The checkpoint's filter bank, float32 [n_mels, bins]."""
    extractor = WhisperFeatureExtractor.from_pretrained(source)
    return np.asarray(extractor.mel_filters, dtype=np.float32).T


def vocabulary(source: Path) -> list[bytes]:
    """The bytes of the ordinary tokens, in id order; whisper.cpp adds the special ones itself."""
    to_byte = {char: byte for byte, char in byte_characters().items()}
    ids: dict[str, int] = read_json(source / "vocab.json")
    ordinary = {i: text for text, i in ids.items() if text != END}
    if sorted(ordinary) != list(range(len(ordinary))):
        raise InputError(f"{source / 'vocab.json'}: token ids are not 0 to {len(ordinary) - 1}")
    return [bytes(to_byte[char] for char in ordinary[i]) for i in range(len(ordinary))]


def byte_characters() -> dict[int, str]:
    """GPT-2's byte alphabet: printable bytes stand for themselves, the others from 256 on."""
    kept = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in kept]
    return {b: chr(b) for b in kept} | {b: chr(256 + i) for i, b in enumerate(others)}
