"""Decoders against sums written out, and against the encoders that they undo."""

from __future__ import annotations

import pytest
import torch

import snncore as snn
from snn_neurons import Latency
from snn_neurons.decoders.latency import LatencyDecoder
from snn_neurons.decoders.moving_window import MovingWindowDecoder
from snn_neurons.decoders.population import PopulationDecoder
from snn_neurons.decoders.rate import RateDecoder
from snn_neurons.decoders.voting import Voting
from snn_neurons.population import Population
from snncore.testing.layer import LayerConformance

pytestmark = pytest.mark.filterwarnings("ignore:kernel at_its_time:UserWarning")


def trains(*size: int, rate: float = 0.3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(size, generator=generator) < rate).double()


class TestRateDecoder(LayerConformance):
    component = "snn-neurons/rate_decoder"


class TestLatencyDecoder(LayerConformance):
    component = "snn-neurons/latency_decoder"


class TestPopulationDecoder(LayerConformance):
    component = "snn-neurons/population_decoder"
    variants = [{"pop_dim": 4}, {"pop_dim": 4, "features": 2, "low": 0.0, "high": 1.0}]


class TestMovingWindowDecoder(LayerConformance):
    component = "snn-neurons/moving_window_decoder"
    variants = [{}, {"window": 1}, {"window": 3}]


class TestVoting(LayerConformance):
    component = "snn-neurons/voting"
    variants = [{"n": 2}, {"n": 1}]


def test_the_rate_so_far():
    x = trains(7, 3, 4)
    y = RateDecoder(step_mode="m")(x)
    for t in range(7):
        assert torch.allclose(y[t], x[: t + 1].mean(0), rtol=1e-15)


def test_the_time_of_the_first_spike():
    x = trains(9, 20, 3, rate=0.15)
    y = LatencyDecoder(step_mode="m")(x)
    for index in torch.cartesian_prod(torch.arange(20), torch.arange(3)).tolist():
        train = x[(slice(None), *index)].tolist()
        for t in range(9):
            seen = train[: t + 1]
            expected = seen.index(1.0) if 1.0 in seen else t + 1
            assert y[(t, *index)] == expected
    assert (y[-1] == 9).any()
    assert (y[-1] == 0).any()


def test_latency_is_decoded():
    x = torch.rand(5, 8, generator=torch.Generator().manual_seed(1))
    time = LatencyDecoder(step_mode="m")(Latency(16)(x))[-1]
    assert torch.equal(time, (15 * (1 - x)).round())


def test_the_latency_has_the_gradient_of_one_spike_more():
    """By the product rule: how many silent steps a spike at k would cut off."""
    x = trains(6, 10, rate=0.2).requires_grad_()
    LatencyDecoder(step_mode="m")(x)[-1].sum().backward()
    for n in range(10):
        train = x[:, n].tolist()
        first = train.index(1.0) if 1.0 in train else 6
        for k in range(6):
            others = [s for i, s in enumerate(train) if i != k]
            without = others.index(1.0) if 1.0 in others else 5
            # Silent steps from k on, if nothing happened at k.
            expected = -(without + 1 - k) if k <= first else 0.0
            assert x.grad[k, n] == max(expected, -6.0)


def test_a_population_votes_for_the_mean_of_its_values():
    decoder = PopulationDecoder(3, low=-1.0, high=1.0, step_mode="m").double()
    x = trains(8, 4, 3)
    x[0, 0] = 0.0
    y = decoder(x)
    rates = x.cumsum(0)
    for t in range(8):
        for n in range(4):
            r = rates[t, n].tolist()
            expected = (r[2] - r[0]) / sum(r) if sum(r) else 0.0
            assert y[t, n].item() == pytest.approx(expected, abs=1e-12)
    assert y[0, 0] == 0.0


def test_a_population_is_decoded():
    params = {"pop_dim": 21, "low": -3.0, "high": 3.0}
    values = torch.linspace(-1.5, 1.5, 7)
    spikes = Population(100, std=0.6, **params)(values)
    found = PopulationDecoder(**params, step_mode="m")(spikes)[-1]
    assert (found - values).abs().max() < 0.02


def test_a_population_learns_its_values():
    decoder = PopulationDecoder(3, features=2, low=-1.0, high=1.0, step_mode="m").double()
    x = trains(5, 4, 2, 3, rate=0.7)
    decoder(x)[-1].sum().backward()
    rates = x.mean(0)
    expected = (rates / rates.sum(-1, keepdim=True)).sum(0)
    assert torch.allclose(decoder.mu.grad, expected, rtol=1e-12)
    with pytest.raises(ValueError, match=r"takes \[N, \*, 2, 3\], got \[5, 4, 3\]"):
        decoder(torch.zeros(5, 4, 3))
    for params, text in (({"pop_dim": 1}, "pop_dim must be >= 2"), ({"low": 4.0}, "low must be <")):
        with pytest.raises(ValueError, match=text):
            PopulationDecoder(**params)


def test_a_window_moves():
    x = trains(9, 2, 3)
    y = MovingWindowDecoder(4, step_mode="m")(x)
    for t in range(9):
        assert torch.allclose(y[t], x[max(t - 3, 0) : t + 1].sum(0) / 4, rtol=1e-15)
    with pytest.raises(ValueError, match="window must be >= 1, got 0"):
        MovingWindowDecoder(0)


def test_votes_of_neighbours_are_averaged():
    x = trains(5, 2, 6)
    y = Voting(3, step_mode="m")(x)
    assert y.shape == (5, 2, 2)
    assert torch.allclose(y[..., 0], x[..., :3].sum(-1) / 3)
    assert torch.allclose(y[..., 1], x[..., 3:].sum(-1) / 3)
    assert torch.equal(torch.stack([Voting(3)(now) for now in x]), y)
    with pytest.raises(ValueError, match=r"multiple of n = 4, got \[5, 2, 6\]"):
        Voting(4)(x)
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        Voting(0)


@pytest.mark.parametrize(
    "name", ["rate_decoder", "latency_decoder", "population_decoder", "moving_window_decoder"]
)
def test_decoders_start_anew_after_reset(name):
    decoder = snn.build("layer", name, step_mode="m")
    x = trains(5, 2, 10).float()
    first = decoder(x)
    assert not torch.equal(decoder(x), first)
    snn.reset(decoder)
    assert torch.equal(decoder(x), first)
