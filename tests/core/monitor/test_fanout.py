"""Fan-out per input against the layers of torch themselves, one spike at a time."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional

from snncore.monitor import OperationCounter


def one_by_one(layer: nn.Module, x: torch.Tensor) -> int:
    """Synapses that the ones of ``x`` reach: outputs that a weight of 1 changes, tap by tap."""
    probe = copy.deepcopy(layer).double()
    nn.init.ones_(probe.weight)
    nn.init.zeros_(probe.bias)
    total = 0
    for place in x.nonzero():
        one = torch.zeros_like(x, dtype=torch.float64)
        one[tuple(place)] = 1
        total += int(probe(one).sum())
    return total


SETTINGS = [
    {},
    {"padding": 1},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": 2},
    {"groups": 2, "stride": 2},
]
LAYERS = [
    *itertools.product([nn.Conv1d, nn.Conv2d, nn.Conv3d], SETTINGS),
    *itertools.product([nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d], SETTINGS),
    (nn.ConvTranspose2d, {"stride": 2, "padding": 1, "output_padding": 1}),
    (nn.Conv2d, {"padding": "same", "padding_mode": "circular"}),
    (nn.Conv2d, {"padding": (0, 2), "stride": (1, 3), "kernel_size": (1, 4)}),
    (nn.Conv1d, {"padding": 2, "padding_mode": "reflect"}),
]


@pytest.mark.parametrize(("cls", "setting"), LAYERS, ids=str)
def test_synapses_are_counted_one_by_one(cls, setting):
    torch.manual_seed(0)
    layer = cls(2, 4, **{"kernel_size": 3, **setting})
    dims = int(cls.__name__[-2])
    x = (torch.rand(2, 2, *(5, 4, 6)[:dims]) < 0.3).float()
    net = nn.Sequential(layer)
    with OperationCounter().watch(net) as spikes:
        net(x)
    with OperationCounter().watch(net) as dense:
        net(torch.rand(x.shape))
    assert spikes["0"].sops == spikes["0"].ac == one_by_one(layer, x)
    assert dense["0"].mac == spikes["0"].dense == one_by_one(layer, torch.ones_like(x))
    assert (spikes["0"].mac, dense["0"].ac) == (0, 0)
    assert not spikes.uncounted


@pytest.mark.parametrize(
    ("pool", "shape"),
    [
        (nn.AvgPool1d(3, 2), (2, 3, 8)),
        (nn.AvgPool2d(3, 2, padding=1), (2, 3, 7, 6)),
        (nn.AvgPool2d(2, ceil_mode=True), (1, 1, 5, 5)),
        (nn.AvgPool3d(2), (1, 2, 4, 4, 4)),
        (nn.AdaptiveAvgPool2d((2, 3)), (2, 3, 7, 5)),
        (nn.AdaptiveAvgPool2d(1), (2, 3, 7, 5)),
        (nn.AdaptiveAvgPool1d(3), (2, 3, 8)),
    ],
    ids=str,
)
def test_average_pooling(pool, shape):
    """How often each input is added: the gradient of the sum of windows."""
    net = nn.Sequential(pool)
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.4).float()
    leaf = x.double().requires_grad_()
    y = pool(leaf)
    with OperationCounter().watch(net) as report:
        net(x)
    with OperationCounter().watch(net) as dense:
        net(torch.rand(shape))
    windows = _windows_of(pool, leaf)
    assert report["0"].ac == int((windows * x).sum())
    assert dense["0"].ac == int(windows.sum())
    assert report["0"].mac == dense["0"].mac == y.numel()
    assert report["0"].sops == 0


def _windows_of(pool: nn.Module, leaf: torch.Tensor) -> torch.Tensor:
    """In how many windows each input lies: inputs that move the outputs, one at a time."""
    base = pool(torch.zeros_like(leaf))
    result = torch.zeros(leaf.shape)
    for place in itertools.product(*map(range, leaf.shape)):
        one = torch.zeros_like(leaf)
        with torch.no_grad():
            one[place] = 1
            result[place] = (pool(one) != base).sum()
    return result


@pytest.mark.parametrize("pool", [nn.MaxPool2d(2), nn.MaxPool2d(3, 2, padding=1), nn.MaxPool1d(2)])
def test_maximum_pooling_compares(pool):
    x = torch.rand(2, 3, 6, 6) if "2d" in type(pool).__name__ else torch.rand(2, 3, 6)
    net = nn.Sequential(pool)
    with OperationCounter().watch(net) as report:
        y = net(x)
    kernel = pool.kernel_size
    taps = functional.unfold(
        torch.ones(1, 1, 6, 6), kernel, padding=pool.padding, stride=pool.stride
    )
    expected = int(taps.sum()) * 6 if x.dim() == 4 else y.numel() * kernel
    assert report["0"].comparisons == expected
    assert (report["0"].ac, report["0"].mac) == (0, 0)
