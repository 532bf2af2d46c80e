"""Out of memory: the batch is named and a pair of the same product offered."""

import pytest
import torch

from whisper_qat.data.loader import Batch
from whisper_qat.errors import InputError
from whisper_qat.train.out_of_memory import out_of_memory

BATCH = Batch(torch.zeros(2, 80, 400), torch.zeros(2, 3), torch.zeros(2, 3), ("a", "b"))


@pytest.mark.parametrize(
    ("size", "accumulation", "advice"),
    [(8, 4, "--per_device_batch_size 4 --gradient_accumulation_steps 8"),
     (9, 1, "--per_device_batch_size 3 --gradient_accumulation_steps 3"),
     (7, 2, "--per_device_batch_size 1 --gradient_accumulation_steps 14"),
     (1, 4, "--gradient_checkpointing true")],
)  # fmt: skip
def test_out_of_memory_offers_a_batch_of_the_same_product(size, accumulation, advice):
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
    found = out_of_memory(error, BATCH, size, accumulation)
    assert isinstance(found, InputError)
    assert "out of memory on batch a, b (400 mel frames)" in str(found) and advice in str(found)


def test_the_cpu_allocator_is_understood_and_other_errors_are_not():
    cpu = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    assert out_of_memory(cpu, BATCH, 2, 1) is not None
    assert out_of_memory(RuntimeError("shape mismatch"), BATCH, 2, 1) is None
