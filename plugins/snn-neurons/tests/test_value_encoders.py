"""Encoders of values against loops in plain Python and numbers written by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import snncore as snn
from snn_neurons.gaussian_tuning import GaussianTuning
from snn_neurons.periodic import Periodic
from snn_neurons.population import Population
from snn_neurons.rank_order import RankOrder
from snn_neurons.weighted_phase import WeightedPhase
from snncore.testing.encoder import EncoderConformance

# Without a compiler the same tests run on its torch reference.
pytestmark = pytest.mark.filterwarnings("ignore:kernel at_its_time:UserWarning")


class TestPoisson(EncoderConformance):
    component = "snn-neurons/poisson"


class TestLatency(EncoderConformance):
    component = "snn-neurons/latency"
    variants = [{}, {"function": "log"}]


class TestConstantCurrent(EncoderConformance):
    component = "snn-neurons/constant_current"


class TestPeriodic(EncoderConformance):
    component = "snn-neurons/periodic"


class TestWeightedPhase(EncoderConformance):
    component = "snn-neurons/weighted_phase"
    variants = [{"K": 4}, {"K": 7}]


class TestPopulation(EncoderConformance):
    component = "snn-neurons/population"
    variants = [{}, {"features": 3, "pop_dim": 4, "low": -1.0, "high": 2.0, "std": 0.5}]
    spike_values = (0.0, 1.0)


class TestRandomPopulation(EncoderConformance):
    component = "snn-neurons/population"
    variants = [{"spikes": "random"}]
    spike_values = (0.0, 1.0)
    deterministic = False
    reason = "spikes are drawn"


class TestGaussianTuning(EncoderConformance):
    component = "snn-neurons/gaussian_tuning"
    variants = [{}, {"m": 3, "x_min": [-1.0, 0.0, -2.0], "x_max": 1.0}]


class TestRankOrder(EncoderConformance):
    component = "snn-neurons/rank_order"
    variants = [{}, {"per_step": 3}]


def draw(*size: int) -> torch.Tensor:
    return torch.rand(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# The table of the paper, phases of 8.
@pytest.mark.parametrize(
    ("value", "digits"),
    [(192, "11000000"), (1, "00000001"), (128, "10000000"), (255, "11111111"), (0, "00000000")],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_weighted_phases_are_binary_digits(value, digits, dtype):
    y = WeightedPhase(8)(torch.tensor([value / 256], dtype=dtype))
    assert y.flatten().tolist() == [float(digit) for digit in digits]


def test_weighted_phases_subtract_what_they_have_said():
    x = draw(40, 3) * (1 - 2.0**-5)
    y = WeightedPhase(12, K=5)(x)
    left, expected = x.numpy().copy(), []
    for k in range(1, 6):
        expected.append((left >= 2.0**-k).astype(float))
        left -= 2.0**-k * expected[-1]
    assert np.array_equal(y[:5].numpy(), np.stack(expected))
    assert torch.equal(y[5:10], y[:5])
    assert torch.equal(y[10:], y[:2])
    weights = 2.0 ** -torch.arange(1, 6, dtype=torch.float64)
    assert ((x - torch.einsum("t,tnf->nf", weights, y[:5])) < 2.0**-5).all()


def test_weighted_phases_end_before_one():
    with pytest.raises(
        ValueError,
        match=r"WeightedPhase takes values in \[0, 0\.9375\], got 0 to 1; scale it, for example by "
        r"0\.9375: K = 4 digits end there",
    ):
        WeightedPhase(4)(torch.tensor([0.0, 1.0]))
    assert WeightedPhase(4)(torch.tensor([0.9375])).sum() == 4
    with pytest.raises(ValueError, match="WeightedPhase: K must be >= 1, got 0"):
        WeightedPhase(4, K=0)


def test_periodic_wraps():
    x = draw(3, 2, 4)
    y = Periodic(7)(x)
    for t in range(7):
        assert torch.equal(y[t], x[t % 3])
    assert torch.equal(Periodic(2)(x), x[:2])
    y.zero_()
    assert x.any()
    with pytest.raises(ValueError, match=r"P >= 1, got shape \[0, 2\]"):
        Periodic(2)(torch.zeros(0, 2))


def gaussian(x, mu, sigma):
    return math.exp(-(((x - mu) / sigma) ** 2) / 2)


def test_population_is_integrate_and_fire_over_gaussian_fields():
    x = 4 * draw(3, 2) - 2
    net = Population(9, pop_dim=5, low=-2.0, high=2.0, std=0.6).double()
    y = net(x)
    assert y.shape == (9, 3, 2, 5)
    for index in np.ndindex(3, 2, 5):
        v, spikes = 0.0, []
        a = gaussian(x[index[:2]].item(), -2.0 + index[2], 0.6000000238418579)
        for _ in range(9):
            v += a
            spikes.append(float(v >= 0.999))
            v -= 0.999 * spikes[-1]
        assert y[(slice(None), *index)].tolist() == spikes
    assert 0 < y.sum() < y.numel()
    assert torch.equal(net(x), y)


def test_population_can_stay_analogue_or_be_drawn():
    x = torch.tensor([[0.3, -1.0]])
    params = {"pop_dim": 3, "low": -1.0, "high": 1.0, "std": 0.5}
    analogue = Population(2, spikes="analogue", **params)(x)
    expected = [[gaussian(v, mu, 0.5) for mu in (-1, 0, 1)] for v in (0.3, -1.0)]
    assert torch.allclose(analogue, torch.tensor(expected).expand(2, 1, 2, 3), rtol=1e-6)
    torch.manual_seed(0)
    rate = Population(20000, spikes="random", **params)(x).mean(0)
    assert torch.allclose(rate[0], torch.tensor(expected), atol=4 * 0.5 / math.sqrt(20000))


@pytest.mark.parametrize("spikes", ["deterministic", "random", "analogue"])
def test_population_learns_its_fields(spikes):
    """Spikes pass the gradient: of the sum over T random or analogue steps it is T dA."""
    x = draw(4, 3).requires_grad_()
    net = Population(5, pop_dim=4, features=3, low=-0.5, high=1.5, spikes=spikes).double()
    net(x).sum().backward()
    found = [x.grad, net.mu.grad, net.sigma.grad]
    mu, sigma = net.mu.detach().requires_grad_(), net.sigma.detach().requires_grad_()
    other = x.detach().requires_grad_()
    active = torch.exp(-0.5 * ((other.unsqueeze(-1) - mu) / sigma) ** 2)
    # The reset does not pass the gradient, so the t-th deterministic spike sees t + 1 drives.
    weight = 5 * 6 / 2 if spikes == "deterministic" else 5
    (weight * active.sum()).backward()
    for got, expected in zip(found, (other.grad, mu.grad, sigma.grad), strict=True):
        assert torch.allclose(got, expected, rtol=1e-10)


def test_population_says_what_does_not_fit():
    with pytest.raises(ValueError, match=r"for 3 features and takes \[N, \*, 3\], got \[2, 4\]"):
        Population(2, features=3)(torch.zeros(2, 4))
    for params, text in (
        ({"pop_dim": 1}, "pop_dim must be >= 2, got 1"),
        ({"std": 0.0}, "std must be > 0, got 0"),
        ({"low": 1.0, "high": 1.0}, "low must be < high, got 1 and 1"),
    ):
        with pytest.raises(ValueError, match=f"Population: {text}"):
            Population(2, **params)


def test_gaussian_tuning_times_are_those_of_the_formula():
    T, m, low, high = 11, 6, -1.0, 3.0
    x = low + (high - low) * draw(20, 2)
    y = GaussianTuning(T, m=m, x_min=low, x_max=high)(x)
    assert y.shape == (T, 20, 2, m)
    silent = 0
    for index in np.ndindex(20, 2, m):
        mu = low + (2 * (index[2] + 1) - 3) * (high - low) / (2 * (m - 2))
        sigma = (high - low) / (1.5 * (m - 2))
        time = round(T * (1 - gaussian(x[index[:2]].item(), mu, sigma)))
        train = y[(slice(None), *index)].tolist()
        assert train == [float(t == time) for t in range(T)]
        silent += time == T
    assert 0 < silent < 20 * 2 * m


def test_gaussian_tuning_takes_ranges_of_features():
    net = GaussianTuning(8, m=5, x_min=[0.0, -10.0], x_max=[1.0, 10.0])
    y = net(torch.tensor([[0.25, -5.0], [0.5, 0.0]]))
    # Equal places within their ranges.
    assert torch.equal(y[:, :, 0], y[:, :, 1])
    with pytest.raises(
        ValueError, match=r"GaussianTuning takes values in \[\[0.0, -10.0\], \[1.0, 10.0\]\], got"
    ):
        net(torch.tensor([[1.5, 0.0]]))
    with pytest.raises(ValueError, match="m must be >= 3, got 2"):
        GaussianTuning(8, m=2)
    with pytest.raises(ValueError, match=r"x_min must be < x_max, got 1\.0 and 1\.0"):
        GaussianTuning(8, x_min=1.0)


def test_ranks_follow_the_values():
    x = draw(6, 2, 4)
    y = RankOrder(4, per_step=2)(x)
    for sample, train in zip(x.flatten(1), y.flatten(2).unbind(1), strict=True):
        order = sorted(range(8), key=lambda i: -sample[i])
        for rank, element in enumerate(order):
            assert train[:, element].tolist() == [float(t == rank // 2) for t in range(4)]
    assert torch.equal(RankOrder(4, per_step=2)(x**3 + 5), y)


def test_ranks_beyond_the_window_stay_silent_and_equal_values_fire_in_order():
    y = RankOrder(2)(torch.tensor([[1.0, 3.0, 3.0, 2.0]]))
    assert y[:, 0].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    with pytest.raises(ValueError, match=r"RankOrder orders values, got NaN.*x\.nan_to_num\(\)"):
        RankOrder(2)(torch.tensor([[1.0, float("nan")]]))
    with pytest.raises(ValueError, match="per_step must be >= 1, got 0"):
        RankOrder(2, per_step=0)


def test_encoders_take_whole_numbers():
    assert RankOrder(2)(torch.tensor([[1, 7, 3]])).tolist() == [[[0, 1, 0]], [[0, 0, 1]]]
    assert WeightedPhase(2)(torch.tensor([0])).tolist() == [[0], [0]]
    assert snn.build("encoder", "gaussian_tuning", T=3)(torch.tensor([0, 1])).dtype == torch.int64
