"""Surrogates against their closed forms in plain Python; the kit tests their behaviour."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import snncore as snn
from snn_neurons import IF
from snncore.errors import BackendError
from snncore.testing.surrogate import SurrogateConformance

POINTS = (-2.5, -1.0, -0.6, -0.125, -0.0, 0.0, 0.125, 0.6, 1.0, 1.5, 3.0)


def normal(x, mean, sigma):
    return math.exp(-((x - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))


def below(x, mean, sigma):
    return 0.5 * (1 + math.erf((x - mean) / (sigma * math.sqrt(2))))


def cut(x, low, high):
    return min(max(x, low), high)


def piecewise_exp(x, alpha=1.0):
    tail = math.exp(-alpha * abs(x)) / 2
    return alpha * tail, tail if x < 0 else 1 - tail


def super_spike(x, alpha=1.0):
    return alpha / (1 + abs(x)) ** 2, alpha * x / (1 + abs(x)) + 0.5


def nonzero_sign_log_abs(x, alpha=1.0):
    return 1 / (1 / alpha + abs(x)), (1 if x >= 0 else -1) * math.log(alpha * abs(x) + 1)


def piecewise_leaky_relu(x, w=1.0, c=0.01):
    slope = 1 / (2 * w) if abs(x) < w else c
    if x < -w:
        return slope, c * x + c * w
    return slope, c * x - c * w + 1 if x > w else x / (2 * w) + 0.5


def squarewave_fourier_series(x, n=2, period=8.0):
    slope = value = 0.0
    for i in range(1, n):
        slope += math.cos((2 * i - 1) * 2 * math.pi * x / period)
        value += math.sin((2 * i - 1) * 2 * math.pi * x / period) / (2 * i - 1)
    return 4 / period * slope, 0.5 + 2 / math.pi * value


def s2nn(x, alpha=4.0, beta=1.0):
    s = 1 / (1 + math.exp(-alpha * x))
    if x < 0:
        return alpha * s * (1 - s), s
    return beta / (x + 1), beta * math.log(x + 1) + 0.5


def q_pseudo_spike(x, alpha=2.0):
    base = 1 + 2 * abs(x) / (alpha - 1)
    tail = base ** (1 - alpha) / 2
    return base**-alpha, 1 - tail if x >= 0 else tail


def leaky_k_relu(x, leak=0.0, k=1.0):
    slope = k if x >= 0 else leak
    return slope, slope * x


def fake_numerical_gradient(x, alpha=0.3):
    if abs(x) * alpha <= 1:
        return alpha, alpha * x + 0.5
    return 1 / abs(x), math.copysign(1 + math.log(alpha * abs(x)), x) + 0.5


def log_tailed_relu(x, alpha=0.0):
    if x <= 0:
        return alpha, alpha * x
    return (1.0, x) if x <= 1 else (1 / x, math.log(x) + 1)


def ste(x, w=1.0):
    return float(abs(x) <= w), cut(x, -w, w)


def passed(x):
    return 1.0, x


def multi_level_spike_count(x, D=4, low=0.0, high=None):
    high = D if high is None else high
    return float(low <= x <= high), cut(x, low, high)


def gaussian(x, sigma=0.5):
    return normal(x, 0, sigma), below(x, 0, sigma)


def multi_gaussian(x, sigma=0.5, h=0.15, k=6.0):
    def of(f):
        lobes = f(x, sigma, k * sigma) + f(x, -sigma, k * sigma)
        return (1 + h) * f(x, 0, sigma) - h * lobes

    return of(normal), of(below)


# Equality points of the masks lie among the points: 0, 0.6, 1, -1.
FORMS = {
    "piecewise_exp": (piecewise_exp, {"alpha": 2.5}),
    "super_spike": (super_spike, {"alpha": 3.0}),
    "nonzero_sign_log_abs": (nonzero_sign_log_abs, {"alpha": 2.0}),
    "piecewise_leaky_relu": (piecewise_leaky_relu, {"w": 0.6, "c": 0.2}),
    "squarewave_fourier_series": (squarewave_fourier_series, {"n": 4, "period": 5.0}),
    "s2nn": (s2nn, {"alpha": 2.0, "beta": 0.5}),
    "q_pseudo_spike": (q_pseudo_spike, {"alpha": 3.5}),
    "leaky_k_relu": (leaky_k_relu, {"leak": 0.2, "k": 0.7}),
    "fake_numerical_gradient": (fake_numerical_gradient, {"alpha": 1.0}),
    "log_tailed_relu": (log_tailed_relu, {"alpha": 0.1}),
    "ste": (ste, {"w": 0.6}),
    "deterministic_pass": (passed, {}),
    "poisson_pass": (passed, {}),
    "multi_level_spike_count": (multi_level_spike_count, {"D": 2, "low": -0.6, "high": 1.5}),
    "gaussian": (gaussian, {"sigma": 0.8}),
    "multi_gaussian": (multi_gaussian, {"sigma": 0.7, "h": 0.3, "k": 2.0}),
}


@pytest.mark.parametrize("defaults", [True, False], ids=["defaults", "others"])
@pytest.mark.parametrize("name", FORMS)
def test_derivative_and_primitive_are_the_closed_forms(name, defaults):
    form, others = FORMS[name]
    params = {} if defaults else others
    surrogate = snn.build("surrogate", name, **params)
    x = torch.tensor(POINTS, dtype=torch.float64)
    for got, place in ((surrogate.derivative(x), 0), (surrogate.primitive(x), 1)):
        expected = [form(value, **params)[place] for value in POINTS]
        assert got.tolist() == pytest.approx(expected, rel=1e-13, abs=1e-14)


def adopt(name: str) -> None:
    """The kit over the defaults and over other parameters."""
    form, others = FORMS[name]
    body = {"component": f"snn-neurons/{name}", "variants": [{}, others] if others else [{}]}
    # Where a variant of ours has its jumps.
    if name in ("piecewise_leaky_relu", "ste"):
        body["kinks"] = (-1.0, -0.6, 0.6, 1.0)
    if name == "multi_level_spike_count":
        body["kinks"] = (-0.6, 0.0, 1.5)
    title = f"Test{form.__name__.title().replace('_', '')}{name}"
    globals()[title] = type(title, (SurrogateConformance,), {**body, "__module__": __name__})


for _name in FORMS:
    adopt(_name)


def test_the_gaussian_is_erf_by_another_parameter():
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    one = snn.build("surrogate", "gaussian", sigma=0.4)
    other = snn.build("surrogate", "erf", alpha=1 / (math.sqrt(2) * 0.4))
    assert torch.allclose(one.derivative(x), other.derivative(x), rtol=1e-13)
    assert torch.allclose(one.primitive(x), other.primitive(x), rtol=1e-13)


def test_multi_gaussian_without_lobes_is_the_gaussian():
    x = torch.linspace(-3, 3, 101, dtype=torch.float64)
    one = snn.build("surrogate", "multi_gaussian", sigma=0.4, h=0.0)
    assert torch.equal(
        one.derivative(x), snn.build("surrogate", "gaussian", sigma=0.4).derivative(x)
    )


def test_levels_are_counted_half_to_even_and_the_window_cuts_the_gradient():
    levels = snn.build("surrogate", "multi_level_spike_count", D=3, high=2.0)
    x = torch.tensor([-1.0, 0.4, 0.5, 1.5, 2.5, 2.6, 7.0], requires_grad=True)
    y = levels(x)
    assert y.tolist() == [0.0, 0.0, 0.0, 2.0, 2.0, 3.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_poisson_spikes_follow_the_seed_and_the_value():
    surrogate = snn.build("surrogate", "poisson_pass")
    x = torch.tensor([-1.0, 0.0, 0.3, 1.0, 4.0]).expand(20000, 5)
    torch.manual_seed(0)
    first = surrogate(x)
    assert not torch.equal(surrogate(x), first)
    torch.manual_seed(0)
    assert torch.equal(surrogate(x), first)
    rate = first.mean(0).tolist()
    # four standard deviations of a binomial mean
    assert rate == pytest.approx([0, 0, 0.3, 1, 1], abs=4 * math.sqrt(0.3 * 0.7 / 20000))
    assert rate[0] == rate[1] == 0.0
    assert rate[3] == rate[4] == 1.0


def test_no_kernel_draws_for_poisson_pass():
    neuron = IF(surrogate="poisson_pass", backend="cpp", step_mode="m")
    with pytest.raises(BackendError, match=r"draws random numbers.*pass the noise in as a further"):
        neuron(torch.rand(3, 2, 4))


@pytest.mark.parametrize(
    ("name", "params", "text"),
    [
        ("q_pseudo_spike", {"alpha": 1.0}, "alpha must be > 1, got 1"),
        ("leaky_k_relu", {"leak": -0.1}, "leak must be >= 0, got -0.1"),
        ("gaussian", {"sigma": [0.5, 0.0]}, "sigma must be > 0, got 0"),
        ("multi_gaussian", {"h": -1.0}, "h must be >= 0, got -1"),
    ],
)
def test_ranges_are_named(name, params, text):
    with pytest.raises(ValueError, match=text):
        snn.get("surrogate", name)(**params)


def test_whole_numbers_are_checked():
    with pytest.raises(ValueError, match="SquarewaveFourierSeries: n must be >= 2, got 1"):
        snn.get("surrogate", "squarewave_fourier_series")(1)
    levels = snn.get("surrogate", "multi_level_spike_count")
    with pytest.raises(ValueError, match="MultiLevelSpikeCount: D must be >= 1, got 0"):
        levels(0)
    with pytest.raises(ValueError, match="low must be < high, got 3 and 2"):
        levels(2, low=3.0)


# Several levels in a neuron, against the recurrence by hand: soft reset by the count.
def test_a_neuron_counts_spikes():
    x = 2.5 * torch.rand(6, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    surrogate = {"name": "multi_level_spike_count", "D": 2, "low": -9.0, "high": 9.0}
    neuron = IF(v_threshold=1.0, v_reset=None, surrogate=surrogate, step_mode="m")
    x.requires_grad_()
    y = neuron(x)
    v, counts = np.zeros(5), []
    for now in x.detach().numpy():
        h = v + now
        counts.append(np.rint(np.clip(h - 1.0, 0, 2)))
        v = h - counts[-1]
    assert np.array_equal(y.detach().numpy(), np.stack(counts))
    assert set(np.unique(counts)) == {0.0, 1.0, 2.0}
    # dS/dH = 1 and dV/dH = 0: each count follows the input of its own step alone.
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
