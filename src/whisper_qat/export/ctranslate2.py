"""Export a checkpoint as a CTranslate2 folder: int8 with one scale per row, or all in float32.

The inverse of `model.ctranslate2_weights`, whose name map it uses. The trained codes are kept.
CTranslate2 computes code / weight_scale, so each scale is stored as its reciprocal, the only
rounding (in float32) done here. CTranslate2 quantizes activations itself, int8 per row. It would
also round any float tensor named `weight` to int8 at load, convolutions excepted, so every matrix
has to be int8.
"""

import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from whisper_qat.errors import InputError
from whisper_qat.export.requantize import Matrices, check_kept, check_quantized, misfits
from whisper_qat.export.source import parameters
from whisper_qat.model.checkpoint.final import Final
from whisper_qat.model.checkpoint.whisper_tokens import read_tokenizer
from whisper_qat.model.ctranslate2.model_file import SCALE, Ct2File, write_file
from whisper_qat.model.ctranslate2.weights import GELU, LEAVES, SPEC, Dimensions, Module, modules
from whisper_qat.quant.channel_scheme import DynamicScheme
from whisper_qat.quant.scheme import Scheme
from whisper_qat.runs.folders import read_json, write_json

FORMAT = "ctranslate2"
REVISION = 3
TABLE, HEAD = "decoder/embeddings/weight", "decoder/projection/weight"
INTEGER_KINDS = ("linear", "table")
OPTIONS = {
    "activation": GELU, "alibi": 0, "pre_norm": 1, "scale_embeddings": 0,
    "start_from_zero_embedding": 0,
}  # fmt: skip
COPIED = ("tokenizer.json", "preprocessor_config.json")


def write_ctranslate2(final: Final, source: Path, folder: Path, requantize: bool) -> dict[str, str]:
    """Write the folder; return the layers that were requantized, with their original scheme.

    InputError for a plan that the format cannot hold, unless `requantize` is set.
    """
    check_quantized(final, requantize)
    scheme = DynamicScheme()
    rounded = misfits(final.plan, has_one_scale_per_row) if final.plan else {}
    check_kept(rounded, requantize, format=FORMAT, holds="int8 with one scale per row")
    config = final.model.config.to_dict()
    matrices = Matrices(final, rounded, scheme) if final.plan else None
    file = Ct2File(spec=SPEC, revision=REVISION, variables=variables(final, config, matrices))
    write_file(file, folder / "model.bin", aliases={HEAD: TABLE})
    write_json(folder / "config.json", settings(source, config))
    write_json(folder / "vocabulary.json", vocabulary(source, config["vocab_size"]))
    for name in COPIED:
        copy(source / name, folder)
    return rounded


def has_one_scale_per_row(scheme: Scheme) -> bool:
    """Whether the format stores the codes of `scheme` as they are."""
    return scheme.block_size is None


def copy(path: Path, folder: Path) -> None:
    """Copy `path` into `folder`; InputError when the checkpoint lacks it."""
    if not path.is_file():
        raise InputError(f"{path}: missing; faster-whisper reads it, copy it from the base model")
    shutil.copyfile(path, folder / path.name)


def variables(final: Final, config: dict[str, Any], matrices: Matrices | None) -> dict[str, Tensor]:
    """All variables except the head, an alias of the token table; float ones are float32."""
    weights = parameters(final)
    found = options(config)
    for module in modules(Dimensions(**{f.name: config[f.name] for f in fields(Dimensions)})):
        names = LEAVES[module.kind]
        if matrices is not None and module.kind in INTEGER_KINDS:
            found |= integers(module, matrices)
            names = {leaf: parameter for leaf, parameter in names.items() if leaf != "weight"}
        for leaf, parameter in names.items():
            rows = [*parts(module, parameter, weights)]
            found[f"{module.name}/{leaf}"] = torch.from_numpy(np.concatenate(rows))
    return found


def integers(module: Module, matrices: Matrices) -> dict[str, Tensor]:
    """Codes and reciprocal scales of a module's matrices, concatenated."""
    joined = [matrices.codes(target) for target in module.targets]
    scales = np.concatenate([part.scales[:, 0] for part in joined])
    empty = scales == 0  # a row of zeros: any scale will do, and CTranslate2 uses 1
    reciprocal = 1 / np.where(empty, np.float32(1), scales)
    return {
        f"{module.name}/weight": torch.from_numpy(np.concatenate([p.codes for p in joined])),
        f"{module.name}/weight{SCALE}": torch.from_numpy(reciprocal),
    }


def parts(module: Module, parameter: str, weights: dict[str, np.ndarray]) -> Iterator[np.ndarray]:
    """One parameter of each target; the key bias, absent in Whisper, is zero in the file."""
    for target in module.targets:
        name = f"{target}.{parameter}"
        if target.endswith("k_proj") and parameter == "bias":
            yield np.zeros(len(weights[f"{target}.weight"]), dtype=np.float32)
        else:
            yield weights[name]


def options(config: dict[str, Any]) -> dict[str, Tensor]:
    """The scalar variables that configure CTranslate2's Transformer as a Whisper."""
    flags = {f"decoder/{n}": torch.tensor(v, dtype=torch.int8) for n, v in OPTIONS.items()}
    heads = {
        f"{side}/num_heads": torch.tensor(config[f"{side}_attention_heads"], dtype=torch.int16)
        for side in ("encoder", "decoder")
    }
    return flags | heads


def settings(source: Path, config: dict[str, Any]) -> dict[str, Any]:
    """CTranslate2's config.json: suppressed tokens, languages, alignment heads."""
    generation = read_json(source / "generation_config.json")
    layers, heads = config["decoder_layers"], config["decoder_attention_heads"]
    # Where none are known, all heads of the upper half, as in CTranslate2's own converter.
    upper = [[i, j] for i in range(layers // 2, layers) for j in range(heads)]
    return {
        "suppress_ids": generation.get("suppress_tokens") or [],
        "suppress_ids_begin": generation.get("begin_suppress_tokens") or [],
        "lang_ids": sorted((generation.get("lang_to_id") or {}).values()),
        "alignment_heads": generation.get("alignment_heads") or upper,
    }


def vocabulary(source: Path, vocab_size: int) -> list[str]:
    """The token of every id; ids without a token get a placeholder that occurs in no text."""
    tokenizer = read_tokenizer(source / "tokenizer.json", vocab_size)
    names = {i: token for token, i in tokenizer["model"]["vocab"].items()}
    names |= {token["id"]: token["content"] for token in tokenizer["added_tokens"]}
    return [names.get(i, f"<|unused-{i}|>") for i in range(vocab_size)]
