"""Measure a row of an evaluation on torch; a separate module, so that other rows do not load it."""

import torch

from whisper_qat.infer.runtimes import open_transcriber
from whisper_qat.infer.transcribe import Transcriber
from whisper_qat.measure.row import RowJob, RowMeasure, measure_row


def measure_torch_row(job: RowJob) -> RowMeasure:
    """`measure_row` for a checkpoint on torch."""
    torch.set_num_threads(job.threads)
    return measure_row(job, open_on_torch)


def open_on_torch(job: RowJob) -> Transcriber:
    """Open the checkpoint of the row on torch."""
    return open_transcriber(
        job.folder, "torch", job.threads,
        language=job.language, max_new_tokens=job.max_new_tokens, fallback=job.fallback,
    )  # fmt: skip
