"""The `final/` folder: a transformers checkpoint with the plan and scales it was trained with.

Files: the ordinary checkpoint (safetensors), `whisper_qat.json` (how it was trained or quantized),
and for a quantized one `plan.json` and `scales.safetensors` (planned layer -> float32 [N, blocks]).
The weights stay float; codes follow from weight and scale, and conversion writes those codes.
"""

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from whisper_qat.errors import InputError
from whisper_qat.model.checkpoint.info import INFO_NAME, Info, read_info
from whisper_qat.model.checkpoint.load import load_whisper
from whisper_qat.model.fake_quant.layers import FakeQuantWeight, fake_quantized
from whisper_qat.model.fake_quant.prepare import apply_plan
from whisper_qat.model.plan.plan import HEAD, PLAN_NAME, TOKEN_TABLE, Plan, read_plan
from whisper_qat.runs.folders import make_ordinary, read_json, write_json

SCALES_NAME = "scales.safetensors"
COMPANIONS = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "normalizer.json", "preprocessor_config.json",
    "generation_config.json",
)  # fmt: skip


@dataclass(frozen=True)
class Final:
    """A loaded `final/` folder: the model is fake-quantized unless `plan` is None."""

    model: WhisperForConditionalGeneration
    plan: Plan | None
    info: Info


def save_final(
    model: WhisperForConditionalGeneration, folder: Path, *, plan: Plan | None, info: Info,
    companions: Path,
) -> None:  # fmt: skip
    """Write `model` to `folder`; tokenizer and features are copied from `companions`.

    Parameter names do not change under fake quantization, so any tool can load the weights as an
    ordinary Whisper.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        n: p.detach().cpu().contiguous()
        for n, p in model.state_dict().items()
        if not n.startswith(f"{HEAD}.") and not n.endswith(".weight_scale")
    }
    _save_tensors(weights, folder / "model.safetensors", {"format": "pt"})
    config = read_json(companions / "config.json") | {"dtype": "float32", "torch_dtype": "float32"}
    write_json(folder / "config.json", config)
    copy_companions(companions, folder)
    if plan is not None:
        plan.write(folder)
        _save_tensors(scales(model), folder / SCALES_NAME)
    write_json(folder / INFO_NAME, asdict(info))


def scales(model: WhisperForConditionalGeneration) -> dict[str, Any]:
    """Map each planned layer to its float32 scale; the head's is that of the token table."""
    layers = {n: m for n, m in fake_quantized(model).items() if n != HEAD}
    return {name: layer.scale().detach().cpu().contiguous() for name, layer in layers.items()}


def fix_scales(model: WhisperForConditionalGeneration) -> None:
    """Freeze every layer's current scale, as saving and loading a checkpoint does."""
    for layer in fake_quantized(model).values():
        layer.fix_scale(layer.scale())


def load_final(folder: str | Path) -> Final:
    """Load the model of a `final/` folder as it was trained; InputError when a file is missing."""
    folder = Path(folder)
    info = read_info(folder)
    model = load_whisper(folder)
    if info.quantization_type == "none":
        return Final(model, None, info)
    plan = read_plan(folder)
    apply_plan(model, plan)
    _set_scales(model, folder / SCALES_NAME)
    return Final(model.eval(), plan, info)


def copy_companions(source: Path, target: Path) -> None:
    """Copy the tokenizer, feature and generation files that belong to a checkpoint."""
    for name in COMPANIONS:
        if (source / name).is_file() and source.resolve() != target.resolve():
            shutil.copyfile(source / name, target / name)


def _save_tensors(
    tensors: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    save_file(tensors, path, metadata=metadata)
    make_ordinary(path)


def _set_scales(model: WhisperForConditionalGeneration, path: Path) -> None:
    if not path.is_file():
        raise InputError(f"{path}: missing; a quantized checkpoint needs its scales")
    try:
        saved = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    layers: dict[str, FakeQuantWeight] = fake_quantized(model)
    for name, layer in layers.items():
        key = TOKEN_TABLE if name == HEAD else name
        if key not in saved:
            raise InputError(f"{path}: no scale for planned layer {key!r} of {PLAN_NAME}")
        expected = [len(layer.weight), layer.scheme.num_blocks(layer.weight.shape[1])]
        if list(saved[key].shape) != expected:
            raise InputError(
                f"{path}: scale of {key!r} has shape {list(saved[key].shape)}, {PLAN_NAME} asks "
                f"for {expected}; they are not from one run"
            )
        layer.fix_scale(saved[key])
