"""Import an embedded Whisper, or a faster-whisper folder, as a transformers checkpoint.

Importing the same source twice does nothing; downloads are kept next to the output.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

from whisper_qat.errors import InputError
from whisper_qat.model.ctranslate2.embedded import EMBEDDED, WHISPER_BASE, fetch
from whisper_qat.model.ctranslate2.importer import import_folder
from whisper_qat.runs.folders import hash_file, new_folder, write_manifest
from whisper_qat.runs.settings import finished_manifest, refuse_other_inputs

logger = logging.getLogger(__name__)
FILES = ("config.json", "tokenizer.json", "model.bin")
KIND = "model"


@dataclass(frozen=True, kw_only=True)
class ImportConfig:
    """Turn a CTranslate2 Whisper into an exact transformers checkpoint.

    Args:
        source: embedded (Whisper base) or embedded-tiny-en (Whisper tiny.en), which come from
            Python packages, or a faster-whisper folder
        output_dir: folder to write: weights, tokenizer, generation and feature settings
    """

    source: str = WHISPER_BASE.name
    output_dir: Path

    def __post_init__(self) -> None:
        if self.source not in EMBEDDED and not Path(self.source).is_dir():
            names = " or ".join(f"'{name}'" for name in EMBEDDED)
            raise InputError(
                f"--source {self.source}: no such folder; give a faster-whisper folder "
                f"(model.bin, config.json, tokenizer.json) or {names}"
            )


def run(config: ImportConfig) -> None:
    """Write ``output_dir``; InputError for a source that is not a complete Whisper."""
    output = config.output_dir
    inputs = source_hashes(config.source)
    if is_up_to_date(output, inputs):
        logger.info(f"{output}: up to date")
        return
    source, origin = source_folder(config)
    with new_folder(output) as folder:
        import_folder(source, folder)
        settings = {"source": config.source}
        write_manifest(folder, kind=KIND, inputs=inputs, config=settings, extra={"origin": origin})
    logger.info(f"{output}: transformers checkpoint of {origin}")


def source_hashes(source: str) -> dict[str, str]:
    """Hashes of the source files; those of the embedded weights are known without a download."""
    if source in EMBEDDED:
        return EMBEDDED[source].sha256
    files = [Path(source) / name for name in FILES]
    return {file.name: hash_file(file) for file in files if file.is_file()}


def source_folder(config: ImportConfig) -> tuple[Path, str]:
    """The faster-whisper folder to import, and a description of its origin."""
    if config.source not in EMBEDDED:
        return Path(config.source), config.source
    model = EMBEDDED[config.source]
    cache = config.output_dir.absolute().parent / "downloads" / model.cache
    return fetch(model, cache), model.origin


def is_up_to_date(output: Path, inputs: dict[str, str]) -> bool:
    """True when ``output`` was imported from these files; InputError when from others."""
    where, advice = f"--output_dir {output}", "give another --output_dir or remove it"
    manifest = finished_manifest(output, where, kind=KIND, advice=advice)
    if manifest is not None:
        refuse_other_inputs(where, manifest["inputs"], inputs, advice=advice)
    return manifest is not None
