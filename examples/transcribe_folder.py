"""Transcribe every recording of a folder from Python: one text file and one SRT file for each.

Example:
    .venv/bin/python examples/transcribe_folder.py \
        outputs/models/whisper-qat-int8-quantized recordings transcripts

`scripts/transcribe.py` does the same with more settings, batches and resumption; this script shows
how to do it in a program of your own. Neither torch nor transformers is loaded.
"""

import sys
from pathlib import Path

from whisper_qat.data.audio.recordings import gather
from whisper_qat.data.audio.stream import blocks
from whisper_qat.errors import InputError
from whisper_qat.infer.decoding.fallback import Fallback
from whisper_qat.infer.long_form.subtitles import srt
from whisper_qat.infer.transcribe import Transcriber


def transcribe_folder(model: Path, recordings: Path, output: Path) -> int:
    """Write the transcripts of all audio files under `recordings`; returns how many there are."""
    # Loading opens the ONNX sessions once; the transcriber keeps nothing between recordings.
    # `Fallback` decodes a chunk again when its text repeats itself, `timestamps` lets the model
    # mark the segments that become subtitles.
    transcriber = Transcriber.from_folder(
        model, threads=2, language="fr", timestamps=True, fallback=Fallback()
    )
    # The tree below `recordings` is kept under `output`. Unreadable files are listed, not fatal.
    found, problems = gather([str(recordings)], output, ".txt")
    written = 0
    for recording in found:
        try:
            # `blocks` reads a long recording piece by piece, so its length costs no memory.
            result = transcriber.transcribe(blocks(recording.path))
        except InputError as error:
            problems.append(error)
            continue
        assert recording.output is not None  # `gather` was given an output folder
        recording.output.parent.mkdir(parents=True, exist_ok=True)
        recording.output.write_text(result.text + "\n", encoding="utf-8")
        recording.output.with_suffix(".srt").write_text(srt(result.segments), encoding="utf-8")
        rate = recording.duration_s / result.wall_s
        print(f"{recording.path}: {len(result.segments)} segments, {rate:.1f} x real time")
        written += 1
    for problem in problems:
        print(f"left out: {problem}", file=sys.stderr)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: transcribe_folder.py MODEL_FOLDER RECORDINGS OUTPUT_FOLDER")
    transcribe_folder(*(Path(word) for word in sys.argv[1:]))
