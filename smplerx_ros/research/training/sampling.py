"""Which samples an epoch takes, and in which order: SMPLer-X's `balance`, and everything once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.errors import ConfigError

IntArray = NDArray[np.int64]
Key = tuple[int, int, int, int]  # epoch, place in it, data set, row

BALANCE, CONCAT = "balance", "concat"
STRATEGIES = (BALANCE, CONCAT)


def balanced(sizes: Sequence[int], total: int, seed: int, epoch: int) -> IntArray:
    """`(total, 2)` rows of set and sample, each set as often as any other (SMPLer-X).

    Of a larger set the first of a list that is shuffled once; a smaller one is repeated, the rest at random. What
    does not divide by the number of sets comes from sets at random.
    """
    share, left = divmod(total, len(sizes))
    once, anew = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1, epoch])
    chosen = []
    for number, size in enumerate(sizes):
        shuffled = once.permutation(size)
        rest = anew.choice(size, max(share - size, 0) % size, replace=False)
        rows = np.concatenate([*[shuffled] * max(share // size, 1), rest])[:share]
        chosen.append(np.column_stack([np.full(len(rows), number), rows]))
    sets = anew.integers(0, len(sizes), left)
    chosen.append(np.column_stack([sets, [anew.integers(sizes[number]) for number in sets]]).reshape(-1, 2))
    return np.asarray(np.concatenate(chosen), np.int64)


def concatenated(sizes: Sequence[int]) -> IntArray:
    """`(sum of sizes, 2)`: every sample once."""
    return np.concatenate([np.column_stack([np.full(size, k), np.arange(size)]) for k, size in enumerate(sizes)])


@dataclass(frozen=True)
class BatchSampler:
    """Batches of keys for one process of several, from any step on; the same whatever the number of workers.

    A step's samples follow from seed, epoch and step: `world` processes with batches of b take together what one
    takes with a batch of `world * b`.
    """

    sizes: tuple[int, ...]
    batch: int  # of one process
    seed: int
    strategy: str = BALANCE
    samples_per_epoch: int = 0  # 0: as many as there are
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if self.steps_per_epoch == 0:
            wanted = self.batch * self.world
            raise ConfigError(f"data: {self._total} samples in an epoch do not fill a batch of {wanted}")

    @property
    def _total(self) -> int:
        return self.samples_per_epoch or sum(self.sizes)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches only."""
        return self._total // (self.batch * self.world)

    def batches(self, first_step: int, steps: int) -> Iterator[list[Key]]:
        """Keys of the samples of this process's batches of steps `first_step` up to `steps`."""
        for step in range(first_step, steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            if step == first_step or place == 0:
                samples = self._epoch(epoch)
            first = (place * self.world + self.rank) * self.batch
            rows = samples[first : first + self.batch].tolist()
            yield [(epoch, first + k, number, row) for k, (number, row) in enumerate(rows)]

    def _epoch(self, epoch: int) -> IntArray:
        if self.strategy == BALANCE:
            samples = balanced(self.sizes, self._total, self.seed, epoch)
        else:
            samples = concatenated(self.sizes)
        return np.random.default_rng([self.seed, 2, epoch]).permutation(samples)
