"""Out-of-memory errors: name the batch that failed, and suggest settings that may fit."""

from whisper_qat.data.loader import Batch
from whisper_qat.errors import InputError

SIGNS = ("out of memory", "can't allocate memory", "not enough memory")


def out_of_memory(
    error: RuntimeError, batch: Batch, batch_size: int, accumulation: int
) -> InputError | None:
    """An InputError with a batch/accumulation pair of the same product; None for another error."""
    if not any(sign in str(error).lower() for sign in SIGNS):
        return None
    where = f"out of memory on batch {', '.join(batch.ids)} ({batch.mel.shape[-1]} mel frames)"
    if batch_size == 1:
        return InputError(f"{where}; try --gradient_checkpointing true")
    divisor = next(d for d in range(2, batch_size + 1) if batch_size % d == 0)
    return InputError(
        f"{where}; try --per_device_batch_size {batch_size // divisor} "
        f"--gradient_accumulation_steps {accumulation * divisor} (the same product), "
        "or --gradient_checkpointing true"
    )
