"""Streaming aggregates against NumPy over the full record, and what they hold in memory."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import ConfigError
from snncore.layers import Linear
from snncore.monitor import Count, GradOutput, Histogram, Input, Max, Mean, Output, Rate
from snncore.monitor.aggregate import Aggregate

AXES = {"time": (0,), "batch": (0, 1), "all": (0, 1, 2)}


class Leaky(snn.Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


@pytest.fixture
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(Linear(4, 6), Leaky())


def feed(net: nn.Module, mode: str, batches: int = 3) -> None:
    generator = torch.Generator().manual_seed(1)
    snn.set_step_mode(net, mode)
    for _ in range(batches):
        x = 4 * torch.rand(5, 2, 4, generator=generator) - 1
        snn.reset(net)
        y = net(x) if mode == "m" else torch.stack([net(now) for now in x])
        (y * torch.arange(6)).sum().backward()


FOLDS = {
    Mean: lambda x, axes: x.astype(np.float64).mean(axes),
    Max: lambda x, axes: x.max(axes),
    Count: lambda x, axes: (x != 0).sum(axes),
    Rate: lambda x, axes: (x != 0).mean(axes),
}
PROBES = {"input": Input, "output": Output, "grad_output": GradOutput}


@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("over", AXES)
@pytest.mark.parametrize("of", PROBES)
@pytest.mark.parametrize("kind", FOLDS, ids=lambda kind: kind.__name__)
def test_the_same_as_over_the_full_record(net, kind, of, over, mode):
    with kind(of=of, over=over).watch(net) as folded, PROBES[of]().watch(net) as whole:
        feed(net, mode)
    assert whole["1"].shape == (15, 2, 6)
    expected = FOLDS[kind](whole["1"].numpy(), AXES[over])
    np.testing.assert_allclose(folded["1"].numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("mode", ["s", "m"])
def test_histograms_lose_nothing(net, mode):
    with (
        Histogram(of="input", low=-0.5, high=1.0, bins=6).watch(net) as folded,
        Input().watch(net) as whole,
    ):
        feed(net, mode)
    values = whole["1"].double().numpy().ravel()
    inside, _ = np.histogram(values, bins=6, range=(-0.5, 1.0))
    expected = [(values < -0.5).sum(), *inside, (values > 1.0).sum()]
    assert min(expected) > 0
    assert folded["1"].tolist() == expected


def test_histograms_at_the_edges():
    net = nn.Identity()
    values = torch.tensor([[-0.0, 0.0, 0.5, 1.0, 1.5, float("inf"), float("-inf"), float("nan")]])
    with Histogram(paths="", low=0.0, high=1.0, bins=2).watch(net) as folded:
        net(values)
    assert folded[""].tolist() == [1, 2, 2, 3]


def test_long_sums_stay_exact():
    net = nn.Identity()
    with Mean(paths="").watch(net) as folded:
        for _ in range(3):
            net(torch.full((2**12, 1), 0.1, dtype=torch.bfloat16))
        net(torch.full((2**24, 1), 1.0))
    small = float(torch.tensor(0.1, dtype=torch.bfloat16))
    count = 3 * 2**12 + 2**24
    assert folded[""].item() == pytest.approx((2**24 + 3 * 2**12 * small) / count, rel=1e-12)


@pytest.fixture
def few_objects():
    """What is alive already is left out of every search, which would take seconds."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.parametrize(
    ("monitor", "bound"),
    [(Mean(), 6), (Max(), 6), (Rate(over="all"), 1), (Rate(over="time"), 12), (Histogram(), 22)],
    ids=lambda value: type(value).__name__,
)
def test_memory_does_not_grow(net, few_objects, monitor: Aggregate, bound):
    """All tensors that come into being during a watch and live on are those of the aggregate."""

    def alive() -> dict[int, int]:
        gc.collect()
        return {id(x): x.numel() for x in gc.get_objects() if type(x) is torch.Tensor}

    def held(batches: int) -> int:
        snn.reset(net)
        before = alive()
        with torch.no_grad(), monitor.watch(net) as records:
            snn.set_step_mode(net, "m")
            for _ in range(batches):
                snn.reset(net)
                net(torch.rand(50, 2, 4))
            snn.reset(net)
            new = {i: n for i, n in alive().items() if i not in before}
        assert len(records) == 1
        return sum(new.values())

    # Modules keep something for themselves from their first call on.
    held(1)
    few, many = held(1), held(20)
    assert few == many
    # Counts, and the edges of a histogram.
    assert few <= 2 * bound


def test_another_batch_size(net):
    for over, fits in (("time", False), ("batch", True), ("all", True)):
        with Mean(over=over).watch(net) as records:
            snn.reset(net)
            net(torch.rand(2, 4))
            snn.reset(net)
            if fits:
                net(torch.rand(3, 4))
            else:
                text = r"over 'time' holds \[2, 6\] and got \[3, 6\]; watch anew, or aggregate over"
                with pytest.raises(ConfigError, match=text):
                    net(torch.rand(3, 4))
        assert "1" in records


def test_empty_sequences_count_nothing(net):
    snn.set_step_mode(net, "m")
    with Rate().watch(net) as records:
        net(torch.rand(0, 2, 4))
        assert len(records) == 0
        snn.reset(net)
        net(torch.rand(3, 2, 4))
    assert records["1"].shape == (6,)


def test_no_graph_on_demand():
    with pytest.raises(ConfigError, match="Mean keeps no sequence and so no graph; leave detach"):
        Mean(detach=False)


def test_bins_need_a_range():
    with pytest.raises(ValueError, match="low must be below high, got low=1 and high=1"):
        Histogram(low=1.0)
