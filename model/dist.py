"""Several processes, started by ``torchrun``, or one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def group(device: str) -> Iterator[tuple[int, int]]:
    """Join the processes that torchrun started.

    Args:
        device: ``cpu`` or ``cuda``.

    Yields:
        The rank of this process, and how many there are.
    """
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield 0, 1
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield dist.get_rank(), dist.get_world_size()
    finally:
        dist.destroy_process_group()


def total(values: list[float], device: str) -> list[float]:
    """Sums over all processes.

    Args:
        values: of this process.
        device: where the sum is made.

    Returns:
        As many sums.
    """
    if not dist.is_initialized():
        return values
    tensor = torch.tensor(values, dtype=torch.float64, device=device)
    dist.all_reduce(tensor)
    return [float(value) for value in tensor]


def gathered(value: dict[str, Any]) -> dict[str, Any]:
    """The entries of all processes together.

    Args:
        value: of this process.

    Returns:
        All entries.
    """
    if not dist.is_initialized():
        return value
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, value)
    return {key: entry for part in found for key, entry in part.items()}


def wrap(module: nn.Module, device: str, *, shard: bool) -> nn.Module:
    """Train a module with all processes.

    Args:
        module: has the blocks as ``gpt.model.layers``.
        device: ``cpu`` or ``cuda``.
        shard: share parameters out (FSDP2) in place of copying them (DDP).

    Returns:
        What is called in its place.
    """
    if not dist.is_initialized():
        return module
    if shard:
        from torch.distributed.fsdp import fully_shard

        for block in module.gpt.model.layers:  # type: ignore[union-attr]
            fully_shard(block)
        fully_shard(module)
        return module
    return nn.parallel.DistributedDataParallel(
        module, device_ids=[torch.cuda.current_device()] if device == "cuda" else None
    )
