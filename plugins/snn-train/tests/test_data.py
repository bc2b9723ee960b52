from __future__ import annotations

import os
import signal
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import snncore
from snn_train.data import Items, Plan, hold_out, load


@given(
    count=st.integers(1, 60),
    size=st.integers(1, 9),
    world=st.integers(1, 4),
    epoch=st.integers(0, 3),
)
def test_processes_share_one_order(count: int, size: int, world: int, epoch: int):
    indices = np.arange(100, 100 + count)
    whole = Plan(indices, size * world, seed=7)
    plans = [Plan(indices, size, seed=7, rank=rank, world=world) for rank in range(world)]
    shares = [plan.shares(epoch) for plan in plans]
    assert {len(share) for share in shares} == {len(plans[0])}
    steps = [list(chain.from_iterable(step)) for step in zip(*shares, strict=True)]
    # One process with the larger batch sees the same items at each step.
    assert steps == whole.shares(epoch)[: len(steps)]
    assert [len(step) for step in steps] == [plans[0].total(k) for k in range(len(steps))]
    assert all(batch for share in shares for batch in share)
    left = sorted({*indices.tolist()} - {*chain.from_iterable(steps)})
    assert len(left) < world


def test_order_depends_on_seed_and_epoch_alone():
    indices = np.arange(30)
    plan = Plan(indices, 7, seed=1)
    assert plan.shares(2) == Plan(indices, 7, seed=1).shares(2)
    assert plan.shares(2) != plan.shares(3)
    assert plan.shares(2) != Plan(indices, 7, seed=2).shares(2)
    assert plan.shares(2, start=3) == plan.shares(2)[3:]


def test_without_a_seed_the_order_is_kept():
    assert Plan(np.arange(5), 2).shares(9) == [[0, 1], [2, 3], [4]]


def test_preloaded_items_are_the_same():
    source = snncore.build("dataset", "toy")
    indices = np.array([3, 8, 40])
    lazy, kept = Items(source, indices, preload=False), Items(source, indices, preload=True)
    reads = source.reads
    for got, expected in zip(kept.__getitems__([40, 3]), lazy.__getitems__([40, 3]), strict=True):
        torch.testing.assert_close(got, expected, rtol=0, atol=0)
    assert source.reads == reads + 2, "only the lazy items are read again"


@pytest.mark.parametrize("workers", [0, 2])
def test_loading_gives_the_items_and_draws_no_random_number(workers: int):
    source = snncore.build("dataset", "toy")
    state = torch.get_rng_state()
    items = Items(source, np.arange(50), preload=False)
    batches = list(load(items, [[4, 2], [9]], workers=workers))
    assert torch.equal(torch.get_rng_state(), state)
    assert [indices.tolist() for _, _, indices in batches] == [[4, 2], [9]]
    for x, y, indices in batches:
        torch.testing.assert_close(x, source.images[indices], rtol=0, atol=0)
        assert y.tolist() == source.targets[indices.numpy()].tolist()


def test_workers_leave_ctrl_c_to_the_run():
    class Interrupted:
        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            # A terminal sends it to every process, and workers may start with Python's handler.
            os.kill(os.getpid(), signal.SIGINT)
            return torch.zeros(2), index

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        items = Items(Interrupted(), np.arange(9), preload=False)
        batches = list(load(items, [[4, 2], [7]], workers=1))
    finally:
        signal.signal(signal.SIGINT, before)
    assert [y.tolist() for _, y, _ in batches] == [[4, 2], [7]]


def test_batches_are_fetched_at_once_where_the_dataset_can():
    class Batched:
        def __getitems__(self, indices: list[int]) -> list[tuple[torch.Tensor, int]]:
            return [(torch.full((2,), float(i)), i % 3) for i in indices]

    x, y, _ = Items(Batched(), np.arange(9), preload=False).__getitems__([4, 5])
    assert x.tolist() == [[4.0, 4.0], [5.0, 5.0]]
    assert y.tolist() == [1, 2]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.99])
def test_held_out_items_are_apart(share: float):
    chosen, held = hold_out(40, share, seed=3)
    assert sorted([*chosen, *held]) == list(range(40))
    assert len(held) == np.ceil(40 * share)
    again, _ = hold_out(40, share, seed=3)
    assert np.array_equal(chosen, again)
