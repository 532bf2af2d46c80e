"""Transcribe files and folders with a converted model: text, SRT, VTT or JSON.

Example:
    python scripts/transcribe.py --model_path outputs/models/whisper-qat-int8-quantized \
      --audio call.wav recordings/ --output_dir outputs/transcripts --output_format srt
"""

from whisper_qat.cli.command import main
from whisper_qat.tasks.transcribe import TranscribeConfig, run

if __name__ == "__main__":
    main(TranscribeConfig, run)
