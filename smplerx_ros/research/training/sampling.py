"""Selection and order of the samples in an epoch: SMPLer-X's strategy `balance`, and `concat`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import ConfigError

IntArray = NDArray[np.int64]
Key = tuple[int, int, int, int]  # epoch, position in the epoch, data set, row

BALANCE, CONCAT = "balance", "concat"
STRATEGIES = (BALANCE, CONCAT)


def balanced(sizes: Sequence[int], total: int, seed: int, epoch: int) -> IntArray:
    """Select the same number of samples from each set (SMPLer-X's `balance`).

    A set that is larger than its share contributes the same random subset in every epoch; a smaller one is repeated,
    and filled up with samples drawn per epoch. The remainder of `total / len(sizes)` is drawn from random sets.

    Args:
        sizes: Numbers of samples in the sets.
        total: Number of samples to select.
        seed: Of the training.
        epoch: Number of the epoch.

    Returns:
        `(total, 2)` set and row of each sample, not shuffled.
    """
    share, remainder = divmod(total, len(sizes))
    fixed, per_epoch = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1, epoch])
    chosen = []
    for number, size in enumerate(sizes):
        shuffled = fixed.permutation(size)
        rest = per_epoch.choice(size, max(share - size, 0) % size, replace=False)
        rows = np.concatenate([*[shuffled] * max(share // size, 1), rest])[:share]
        chosen.append(np.column_stack([np.full(len(rows), number), rows]))
    sets = per_epoch.integers(0, len(sizes), remainder)
    chosen.append(np.column_stack([sets, [per_epoch.integers(sizes[number]) for number in sets]]).reshape(-1, 2))
    return np.asarray(np.concatenate(chosen), np.int64)


def concatenated(sizes: Sequence[int]) -> IntArray:
    """Return set and row of every sample `(sum of sizes, 2)`, each once, not shuffled."""
    return np.concatenate([np.column_stack([np.full(size, k), np.arange(size)]) for k, size in enumerate(sizes)])


@dataclass(frozen=True)
class BatchSampler:
    """Batches of sample keys for one process of a distributed training.

    The samples of a step are a function of seed, epoch and step only: `world_size` processes with batches of b take
    together the same samples as one process with a batch of `world_size * b`, and a resumed run continues the sequence.
    """

    sizes: tuple[int, ...]  # samples per data set
    batch: int  # of one process
    seed: int
    strategy: str = BALANCE
    samples_per_epoch: int = 0  # 0: all
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.steps_per_epoch == 0:
            needed = self.batch * self.world_size
            raise ConfigError(f"data: {self._total} samples in an epoch do not fill a batch of {needed}")

    @property
    def _total(self) -> int:
        return self.samples_per_epoch or sum(self.sizes)

    @property
    def steps_per_epoch(self) -> int:
        """Number of full batches in an epoch."""
        return self._total // (self.batch * self.world_size)

    def batches(self, first_step: int, steps: int) -> Iterator[list[Key]]:
        """Iterate over this process's batches of the steps `first_step` to `steps - 1`."""
        for step in range(first_step, steps):
            epoch, index = divmod(step, self.steps_per_epoch)
            if step == first_step or index == 0:
                samples = self._epoch(epoch)
            first = (index * self.world_size + self.rank) * self.batch
            rows = samples[first : first + self.batch].tolist()
            yield [(epoch, first + k, number, row) for k, (number, row) in enumerate(rows)]

    def _epoch(self, epoch: int) -> IntArray:
        if self.strategy == BALANCE:
            samples = balanced(self.sizes, self._total, self.seed, epoch)
        else:
            samples = concatenated(self.sizes)
        return np.random.default_rng([self.seed, 2, epoch]).permutation(samples)
