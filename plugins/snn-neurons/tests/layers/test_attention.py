from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from snn_neurons.layers import MultiDimensionalAttention, TemporalAttention


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def sigma(x):
    return 1 / (1 + np.exp(-x))


def scores(gate, mean, most):
    down, up = (p.detach().numpy() for p in gate.parameters())
    return sigma(sum(np.maximum(v @ down.T, 0) @ up.T for v in (mean, most)))


@pytest.mark.parametrize("shape", [(5,), (3, 4), (3, 4, 2)])
def test_temporal_attention_is_its_formula(shape):
    net = TemporalAttention(6, reduction=2).double()
    x = torch.randn(6, 3, *shape, dtype=torch.float64)
    flat = x.numpy().reshape(6, 3, -1)
    score = scores(net.gate, flat.mean(2).T, flat.max(2).T).T
    expected = x.numpy() * score.reshape(6, 3, *(1,) * len(shape))
    assert np.allclose(net(x).detach().numpy(), expected)
    assert net.gate.down.weight.shape == (3, 6)


def test_gates_follow_time_channel_place():
    net = MultiDimensionalAttention(6, 4, reduction_t=3, reduction_c=2, kernel_size=5).double()
    x = torch.randn(6, 2, 4, 3, 5, dtype=torch.float64)
    now = x.numpy()
    time = scores(net.temporal.gate, now.mean((2, 3, 4)).T, now.max((2, 3, 4)).T).T
    now = now * time[..., None, None, None]
    channel = scores(net.channel, now.mean((0, 3, 4)), now.max((0, 3, 4)))
    now = now * channel[None, :, :, None, None]
    places = torch.from_numpy(np.stack([now.mean((0, 2)), now.max((0, 2))], 1))
    place = sigma(F.conv2d(places, net.spatial.weight, padding=2).detach().numpy())
    now = np.maximum(now * place[None], 0)
    assert np.allclose(net(x).detach().numpy(), now)


def test_the_order_of_the_gates_matters():
    net = MultiDimensionalAttention(6, 4, reduction_t=1, reduction_c=1).double()
    x = torch.randn(6, 2, 4, 3, 5, dtype=torch.float64)
    channel = net.channel(x.mean((0, 3, 4)), x.amax((0, 3, 4)))[..., None, None]
    swapped = net.temporal(x * channel)
    right = net.temporal(x)
    right = right * net.channel(right.mean((0, 3, 4)), right.amax((0, 3, 4)))[..., None, None]
    assert not torch.allclose(swapped, right)


def test_what_cannot_be_is_said():
    with pytest.raises(
        ValueError,
        match="attention over T = 4 with a reduction of 16 leaves no hidden unit; give a reduction "
        "from 1 to 4",
    ):
        TemporalAttention(4)
    with pytest.raises(ValueError, match="attention over C = 3 with a reduction of 16"):
        MultiDimensionalAttention(16, 3)
    with pytest.raises(ValueError, match="kernel_size must be odd, got 4"):
        MultiDimensionalAttention(16, 16, kernel_size=4)
    net = TemporalAttention(4, reduction=1)
    for shape in ((3, 2, 5), (4, 2)):
        with pytest.raises(
            ValueError,
            match=r"snn-neurons/temporal_attention weighs T = 4 time steps and takes \[4, N, \*\]",
        ):
            net(torch.zeros(shape))
    net = MultiDimensionalAttention(4, 2, reduction_t=1, reduction_c=1)
    with pytest.raises(ValueError, match=r"takes \[4, N, 2, H, W\], got \[4, 1, 3, 5, 5\]"):
        net(torch.zeros(4, 1, 3, 5, 5))
