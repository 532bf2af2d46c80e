"""Convert a faster-whisper folder, or an embedded Whisper, to a transformers checkpoint.

python scripts/import_ctranslate2.py --source embedded --output_dir data/whisper-base
python scripts/import_ctranslate2.py --source embedded-tiny-en --output_dir data/whisper-tiny-en
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.import_ctranslate2 import ImportConfig, run

if __name__ == "__main__":
    main(ImportConfig, run)
