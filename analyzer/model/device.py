"""Where the analyzer computes: one CPU or one CUDA device."""

from __future__ import annotations

import gc

import torch

from shared.errors import MidwatchError, UsageError

GPU_SHARE = 0.1
"""Of a GPU's free memory that one step of a computation may work in."""


class TooLittleMemory(MidwatchError, MemoryError):
    """The smallest batch on the last device was still too large; the message says what to do."""


def resolve_device(name: str, rank: int = 0) -> str:
    """ "auto", "cpu", "cuda" or "cuda:N" as a device that is there: "cpu" or "cuda:N".

    "auto" takes the last GPU (the first ones usually train), else the CPU; of several workers each its own GPU, by
    its rank. Raises UsageError when the GPU asked for is not there, or there are fewer of them than workers.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto" and count and rank >= count:
        raise UsageError(f"There are more workers than GPUs: say --workers {count}, or --device cpu.")
    if name == "auto":
        return f"cuda:{count - 1 - rank}" if count else "cpu"
    if name == "cpu":
        return name
    kind, _, index = name.partition(":")
    if kind != "cuda" or not (index or "0").isdecimal():
        raise UsageError(f"--device {name!r}: choose auto, cpu, cuda or cuda:N.")
    if int(index or 0) >= count:
        there = f"only {count} GPUs are visible" if count else "no GPU is visible"
        raise UsageError(f"--device {name}: {there} to PyTorch; choose auto or cpu, or install a CUDA build of it.")
    return f"cuda:{int(index or 0)}"


def working_bytes(device: str, on_cpu: int) -> int:
    """Bytes that one step of a computation may work in.

    On the CPU as much as stays near its caches, `on_cpu`; on a GPU, where a small step costs more than it computes,
    a share of what is free.
    """
    if device == "cpu":
        return on_cpu
    free, _ = torch.cuda.mem_get_info(device)
    return max(on_cpu, int(free * GPU_SHARE))


def free_memory() -> None:
    """Give back what nobody holds any more; no traceback may hold on to it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_device_fault(error: BaseException) -> bool:
    """Whether the GPU or its driver failed, which says nothing of the model."""
    faults = getattr(torch, "AcceleratorError", ())
    return isinstance(error, faults) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in ("CUDA error", "CUBLAS", "cuDNN"))
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device or the process ran out of memory, so that a smaller batch can help."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    message = str(error).lower()  # the CPU allocator raises a plain RuntimeError, worded by the system
    return isinstance(error, RuntimeError) and (
        "not enough memory" in message or "can't allocate memory" in message
    )
