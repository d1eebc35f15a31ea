"""Distributed training: torch's process group, and BatchNorm synchronized over all processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


@dataclass(frozen=True)
class Process:
    """Rank of this process in a distributed training."""

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0  # on this machine

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0


@contextmanager
def process_group(device: str) -> Iterator[Process]:
    """Join the process group that `torchrun` started (a single process without it). Uses NCCL for CUDA, else gloo."""
    if "WORLD_SIZE" not in os.environ:
        yield Process()
        return
    process = Process(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", 0)))
    distributed.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield process
    finally:
        distributed.destroy_process_group()


class SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d with statistics over the batches of all processes, which must be of equal size.

    Runs on any device, unlike torch's SyncBatchNorm, and has the same state dict as BatchNorm2d.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize `x (B, C, H, W)`."""
        if not self.training:
            return super().forward(x)
        x = x.float()
        moments = torch.stack([x.mean(dim=(0, 2, 3)), (x * x).mean(dim=(0, 2, 3))])
        world_size = distributed.get_world_size()
        mean, square = all_reduce(moments) / world_size
        variance = square - mean * mean
        self._update(mean.detach(), variance.detach(), x.numel() // x.shape[1] * world_size)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]

    def _update(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


def sync_batch_norms(module: nn.Module) -> None:
    """Replace every BatchNorm2d below `module` by SyncBatchNorm2d, keeping its parameters and buffers."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SyncBatchNorm2d(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            shared.weight, shared.bias = child.weight, child.bias
            shared.train(child.training)
            setattr(module, name, shared)
        else:
            sync_batch_norms(child)
