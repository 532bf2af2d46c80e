"""Loads a Whisper checkpoint in float32, with a clear one-line error for each possible defect.

Only safetensors are read: a pickled checkpoint can run code when it is opened. `ctranslate2:FOLDER`
imports a faster-whisper folder first.
"""

import tempfile
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import WhisperForConditionalGeneration
from transformers.utils.logging import disable_progress_bar

from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2.importer import import_folder
from whisper_qat.runs.folders import hash_file, read_json

CTRANSLATE2_PREFIX = "ctranslate2:"
NEEDED = ("config.json", "tokenizer.json", "preprocessor_config.json", "generation_config.json")
HUB_PATTERNS = ["*.json", "*.txt", "*.safetensors"]
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "model.pt", "tf_model.h5")


def resolve_checkpoint(spec: str, cache: Path) -> Path:
    """Return the folder of `spec`: a path, Hub id or `ctranslate2:FOLDER` (imported to `cache`)."""
    if spec.startswith(CTRANSLATE2_PREFIX):
        return _import(Path(spec.removeprefix(CTRANSLATE2_PREFIX)), cache)
    if Path(spec).is_dir():
        return Path(spec)
    if spec.count("/") != 1 or spec.startswith((".", "/", "~")):
        raise InputError(f"base_model={spec!r}: no such folder, and not a Hub id (owner/name)")
    try:
        return Path(snapshot_download(spec, allow_patterns=HUB_PATTERNS))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"base_model={spec!r}: no such folder, and the Hub gave no checkpoint ({reason})"
        ) from None


def load_whisper(folder: str | Path) -> WhisperForConditionalGeneration:
    """Load the model of `folder` in float32, evaluation mode; InputError when it is unusable."""
    folder = Path(folder)
    check_checkpoint(folder)
    disable_progress_bar()  # it lasts half a second and hides the lines that matter
    try:
        model, report = WhisperForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, local_files_only=True,
            output_loading_info=True,
        )  # fmt: skip
    except (SafetensorError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{folder}: weights cannot be read ({reason})") from None
    if report["missing_keys"]:  # transformers would continue with random values there
        name = sorted(report["missing_keys"])[0]
        raise InputError(f"{folder}: weights are incomplete (no tensor {name!r})")
    return model.eval()


def check_checkpoint(folder: Path) -> None:
    """InputError unless `folder` is a Whisper checkpoint whose files belong together."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder}: no config.json; expected a transformers Whisper checkpoint")
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind != "whisper":
        raise InputError(f"{folder}: model_type {kind!r}, expected 'whisper'")
    _check_weights(folder)
    for name in NEEDED:
        if not (folder / name).is_file():
            raise InputError(f"{folder}: no {name}; copy it from the checkpoint this one came from")
    _check_mels(folder, config)
    _check_vocabulary(folder, config)


def fingerprint(folder: Path) -> str:
    """Identify the weights by the SHA-256 of their file, or of each file joined by "+"."""
    files = sorted(folder.glob("*.safetensors"))
    return hash_file(files[0]) if len(files) == 1 else "+".join(map(hash_file, files))


def _import(source: Path, cache: Path) -> Path:
    if not source.is_dir():
        raise InputError(f"{CTRANSLATE2_PREFIX}{source}: no such folder")
    target = cache / f"{source.resolve().name}-transformers"
    if not (target / "config.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            import_folder(source, Path(scratch) / "model")
            (Path(scratch) / "model").rename(target)
    return target


def _check_weights(folder: Path) -> None:
    if list(folder.glob("*.safetensors")):
        return
    pickles = [name for name in PICKLES if (folder / name).exists()]
    if pickles:
        raise InputError(
            f"{folder}: only pickled weights ({pickles[0]}); convert them to safetensors first "
            "(transformers: model.save_pretrained(folder, safe_serialization=True))"
        )
    raise InputError(f"{folder}: no *.safetensors weights")


def _check_mels(folder: Path, config: dict) -> None:
    features = read_json(folder / "preprocessor_config.json").get("feature_size")
    if features != config.get("num_mel_bins"):
        raise InputError(
            f"{folder}: features have {features} mel bins (preprocessor_config.json), "
            f"the model {config.get('num_mel_bins')} (config.json); they must be equal"
        )


def _check_vocabulary(folder: Path, config: dict) -> None:
    tokenizer = read_json(folder / "tokenizer.json")
    try:
        ids = list(tokenizer["model"]["vocab"].values())
        ids += [token["id"] for token in tokenizer.get("added_tokens", [])]
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{folder}: tokenizer.json is not a Whisper tokenizer") from None
    if "vocab_size" not in config:
        raise InputError(f"{folder}: config.json has no 'vocab_size'")
    if max(ids) >= config["vocab_size"]:
        raise InputError(
            f"{folder}: tokenizer.json has token id {max(ids)}, the model's vocabulary ends at "
            f"{config['vocab_size'] - 1}; tokenizer and model are not from one checkpoint"
        )
