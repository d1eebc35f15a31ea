"""Every set has its share, and a step's samples do not depend on processes or on what was run before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smplerx_ros.errors import ConfigError
from smplerx_ros.research.training.sampling import BatchSampler, balanced


@given(st.lists(st.integers(1, 50), min_size=1, max_size=6), st.integers(1, 200), st.integers(0, 3))
def test_each_set_has_its_share_and_rows_exist(sizes: list[int], total: int, epoch: int) -> None:
    samples = balanced(sizes, total, seed=1, epoch=epoch)
    assert samples.shape == (total, 2)
    counts = np.bincount(samples[:, 0], minlength=len(sizes))
    share, left = divmod(total, len(sizes))
    assert counts.min() >= share
    assert counts.sum() - share * len(sizes) == left
    assert all(0 <= row < sizes[number] for number, row in samples)


def test_a_large_set_gives_always_the_same_part_and_a_small_one_all_of_it() -> None:
    first, second = (balanced([100, 4], 20, seed=1, epoch=epoch) for epoch in (0, 1))
    rows = [set(samples[samples[:, 0] == 0][:, 1]) for samples in (first, second)]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 10
    small = first[first[:, 0] == 1][:, 1]
    assert np.bincount(small).min() >= 2  # 10 of 4: twice each, two at random
    assert {*balanced([100, 4], 20, seed=2, epoch=0)[:10, 1]} != rows[0]


def test_two_processes_take_what_one_takes_with_the_double_batch() -> None:
    one = BatchSampler((7, 9), batch=4, seed=5)
    two = [BatchSampler((7, 9), batch=2, seed=5, rank=rank, world_size=2) for rank in (0, 1)]
    both = zip(*(sampler.batches(0, 9) for sampler in two), strict=True)
    assert [a + b for a, b in both] == list(one.batches(0, 9))


def test_a_later_start_is_a_part_of_the_whole() -> None:
    sampler = BatchSampler((7, 9), batch=3, seed=5)
    assert sampler.steps_per_epoch == 5
    assert list(sampler.batches(7, 12)) == list(sampler.batches(0, 12))[7:]


def test_epochs_differ_in_order() -> None:
    sampler = BatchSampler((8,), batch=8, seed=5, strategy="concat")
    first, second = ([key[3] for key in batch] for batch in sampler.batches(0, 2))
    assert sorted(first) == sorted(second) == list(range(8))
    assert first != second


def test_an_epoch_that_fills_no_batch_is_refused() -> None:
    with pytest.raises(ConfigError, match="fill a batch"):
        BatchSampler((7, 9), batch=4, seed=0, world_size=100)
