"""Several processes as one: torch's own process group, and BatchNorm over all of them."""

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
    """One of `world` processes. `local` is its number on this machine."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @property
    def is_main(self) -> bool:
        """Whether it is the one that writes files."""
        return self.rank == 0


@contextmanager
def process_group(device: str) -> Iterator[Process]:
    """This process's place among those that `torchrun` started; alone without it. gloo for CPUs, NCCL for GPUs."""
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
    """BatchNorm over the batches of all processes, of equal size; the same tensors under the same names.

    On any device: torch's own SyncBatchNorm refuses CPUs.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`(B, C, H, W)` of `x (B, C, H, W)`."""
        if not self.training:
            return super().forward(x)
        x = x.float()
        moments = torch.stack([x.mean(dim=(0, 2, 3)), (x * x).mean(dim=(0, 2, 3))])
        world = distributed.get_world_size()
        mean, square = all_reduce(moments) / world
        variance = square - mean * mean
        self._keep(mean.detach(), variance.detach(), x.numel() // x.shape[1] * world)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return x * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]

    def _keep(self, mean: Tensor, variance: Tensor, count: int) -> None:
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)


def sync_batch_norms(module: nn.Module) -> None:
    """Replaces every BatchNorm2d below `module`, keeping its tensors."""
    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            shared = SyncBatchNorm2d(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            shared.weight, shared.bias = child.weight, child.bias
            shared.train(child.training)
            setattr(module, name, shared)
        else:
            sync_batch_norms(child)
