"""Each quantiser against its equation in NumPy, torch's own fake quantisation, and brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import snncore
from snncore.errors import NotSupported, StateError
from snncore.quantize import (
    LSQ,
    Affine,
    Clamp,
    ClampByLinear,
    KBit,
    MultiLevelSpikeCount,
    Observed,
    PowerOfTwo,
    Quantizer,
    Step,
    Uniform,
    as_quantizer,
    spike_count,
)

drawn = settings(derandomize=True, deadline=None, max_examples=40, database=None)


def values(*shape, low=-3.0, high=3.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand(*shape, generator=generator, dtype=torch.float64)


EQUATIONS = {
    "k_bit": ({"bits": 3}, lambda x: np.rint(x * 7) / 7),
    "affine": ({"bits": 2, "w": 1.5, "b": -0.25}, lambda x: 1.5 * (np.rint(x * 3) / 3) - 0.25),
    "step": ({"scale": 0.3}, lambda x: np.rint(x / 0.3) * 0.3),
    "clamp": ({"low": -0.5, "high": 1.25}, lambda x: np.clip(x, -0.5, 1.25)),
    "clamp_by_linear": ({}, lambda x: (x - x.min()) / (x.max() + 1e-5 - x.min())),
    "round": ({}, np.rint),
    "ceil": ({}, np.ceil),
    "floor": ({}, np.floor),
    "multi_level_spike_count": ({"levels": 2}, lambda x: np.rint(np.clip(x, 0, 2))),
    "uniform": (
        {"bits": 3, "scale": 0.4, "zero_point": 1.0},
        lambda x: (np.clip(np.rint(x / 0.4) + 1, -4, 3) - 1) * 0.4,
    ),
}


@pytest.mark.parametrize("name", EQUATIONS)
def test_the_equation_in_numpy(name):
    params, equation = EQUATIONS[name]
    x = values(200)
    found = snncore.build("quantizer", name, **params)(x)
    assert np.array_equal(found.numpy(), equation(x.numpy()))


def test_every_quantizer_of_the_core_has_its_equation_or_a_test_of_its_own():
    own = {"observed", "lsq", "power_of_two"}
    names = {c.name for c in snncore.components("quantizer") if c.provider == "snncore"}
    assert names == own | EQUATIONS.keys()


@pytest.mark.parametrize(
    ("quantizer", "window", "slope"),
    [
        (KBit(4), (-math.inf, math.inf), 1.0),
        (Affine(4, w=2.5), (-math.inf, math.inf), 2.5),
        (Step(0.25), (-math.inf, math.inf), 1.0),
        (snncore.build("quantizer", "ceil"), (-math.inf, math.inf), 1.0),
        (snncore.build("quantizer", "floor"), (-math.inf, math.inf), 1.0),
        (Clamp(-1.0, 1.5), (-1.0, 1.5), 1.0),
        (MultiLevelSpikeCount(2), (0.0, 2.0), 1.0),
        (Uniform(3, scale=0.5), (-2.0, 1.5), 1.0),
        (PowerOfTwo(4, alpha=2.0), (-2.0, 2.0), 1.0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Quantizer) else "",
)
def test_the_gradient_passes_in_the_closed_window(quantizer, window, slope):
    edges = [edge for edge in window if math.isfinite(edge)]
    x = torch.cat([values(100), torch.tensor(edges, dtype=torch.float64)]).requires_grad_()
    incoming = values(len(x), seed=1)
    quantizer(x).backward(incoming)
    within = (x >= window[0]) & (x <= window[1])
    assert torch.allclose(x.grad, incoming * within * slope, rtol=1e-14, atol=0)


def test_the_worked_levels_of_k_bit():
    """The table that SpikingJelly's documentation works out for k = 2."""
    x = torch.tensor([0.6965, 0.5697, 0.9883, 0.0438, 0.1332, 0.7613, 0.9704, 0.2384])
    expected = torch.tensor([2 / 3, 2 / 3, 1, 0, 0, 2 / 3, 1, 1 / 3])
    assert torch.equal(KBit(2)(x), expected)


def test_spike_count_is_the_definition_that_others_share():
    x = torch.tensor([-1.0, 0.5, 1.5, 2.6, 9.0])
    assert spike_count(x, 3).tolist() == [0.0, 0.0, 2.0, 3.0, 3.0]
    assert torch.equal(MultiLevelSpikeCount(3)(x), spike_count(x, 3))


def test_affine_learns_its_line():
    quantizer = snncore.build("quantizer", "affine", bits=2, w=1.5, b=0.5, learnable=["w", "b"])
    x, incoming = values(50, low=0.0, high=1.0), values(50, seed=1)
    quantizer.double()(x).backward(incoming)
    levels = np.rint(x.numpy() * 3) / 3
    assert quantizer.w.grad.item() == pytest.approx((incoming.numpy() * levels).sum())
    assert quantizer.b.grad.item() == pytest.approx(incoming.sum().item())


def test_clamp_learns_its_bounds():
    quantizer = Clamp(nn.Parameter(torch.tensor(-1.0)), nn.Parameter(torch.tensor(1.0)))
    x, incoming = values(50), values(50, seed=1)
    quantizer.double()(x).backward(incoming)
    assert quantizer.low.grad.item() == pytest.approx(incoming[x < -1].sum().item())
    assert quantizer.high.grad.item() == pytest.approx(incoming[x > 1].sum().item())
    with pytest.raises(ValueError, match=r"^Clamp: low must be <= high, got 2\.0 and 1\.0$"):
        Clamp(2.0, 1.0)


def test_clamp_by_linear_is_differentiated_through_its_ends():
    assert torch.autograd.gradcheck(ClampByLinear(), (values(6).requires_grad_(),))


@drawn
@given(
    bits=st.integers(2, 8),
    exponent=st.integers(-6, 2),
    zero=st.integers(-200, 200),
    signed=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_uniform_is_torchs_fake_quantisation(bits, exponent, zero, signed, seed):
    """Bit for bit where the scale is a power of two: torch multiplies by its reciprocal."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    zero = min(max(zero, low), high)
    scale = 2.0**exponent
    x = values(64, low=-300 * scale, high=300 * scale, seed=seed).float()
    # Halves as well, where the rule of rounding shows.
    x = torch.cat([x, (torch.arange(-9, 9) + 0.5) * scale])
    mine, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    found = Uniform(bits, scale=scale, zero_point=float(zero), signed=signed)(mine)
    expected = torch.fake_quantize_per_tensor_affine(theirs, scale, zero, low, high)
    assert torch.equal(found, expected)
    found.sum().backward()
    expected.sum().backward()
    # Theirs passes half a step beyond the ends, where the rounded code still lies within.
    beyond = ((x / scale + zero - low) < 0) | ((x / scale + zero) > high)
    assert torch.equal(mine.grad[~beyond], theirs.grad[~beyond])
    assert mine.grad[beyond].abs().sum() == 0


def test_uniform_per_channel_is_torchs():
    scale, zero = torch.tensor([0.5, 0.25, 2.0]), torch.tensor([3, 0, -5], dtype=torch.int32)
    x = values(4, 3, 10, low=-60.0, high=60.0).float()
    expected = torch.fake_quantize_per_channel_affine(x, scale, zero, 1, -32, 31)
    given_scale, given_zero = scale.reshape(3, 1), zero.float().reshape(3, 1)
    assert torch.equal(Uniform(6, scale=given_scale, zero_point=given_zero)(x), expected)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("axis", [1, -2])
def test_observed_per_channel_is_torchs_with_its_own_numbers(symmetric, axis):
    x = values(4, 3, 10).float() * torch.tensor([0.1, 1.0, 10.0]).reshape(3, 1) + 0.5
    observed = Observed(
        8, symmetric=symmetric, power_of_two=True, channels=3, channel_axis=axis, observer="min_max"
    )
    found = observed(x)
    zero = observed.zero_point.to(torch.int32)
    expected = torch.fake_quantize_per_channel_affine(x, observed.scale, zero, 1, -128, 127)
    assert torch.equal(found, expected)
    assert (zero == 0).all() == symmetric
    # A step of the grid at most, as nothing lies outside the range.
    assert ((found - x).abs() <= observed.scale.reshape(3, 1) / 2).all()


def test_lsq_has_the_gradients_of_the_paper():
    bits, scale, signed = 3, 0.4, True
    x, incoming = values(60), values(60, seed=1)
    lsq = LSQ(bits, signed=signed, init_scale=scale).double()
    with torch.no_grad():
        lsq.scale.fill_(scale)
    given_x = x.clone().requires_grad_()
    lsq(given_x).backward(incoming)
    q_n, q_p = 4, 3
    v = x.numpy() / scale
    inside = (v > -q_n) & (v < q_p)
    by_scale = np.where(inside, np.rint(v) - v, np.where(v <= -q_n, -q_n, q_p))
    factor = 1 / math.sqrt(60 * q_p)
    assert inside.any()
    assert not inside.all()
    expected = (incoming.numpy() * by_scale).sum() * factor
    assert lsq.scale.grad.item() == pytest.approx(expected, rel=1e-12)
    assert np.allclose(given_x.grad.numpy(), incoming.numpy() * inside, rtol=1e-14)


@pytest.mark.parametrize(("signed", "q_p"), [(True, 7), (False, 15)])
def test_lsq_starts_at_the_papers_step_size(signed, q_p):
    x = values(3, 20).float()
    lsq = LSQ(4, signed=signed, channels=3)
    assert lsq.init_scale is None
    lsq(x)
    expected = 2 * x.abs().mean(1) / math.sqrt(q_p)
    assert torch.allclose(lsq.init_scale, expected)
    assert lsq.values == 20
    lsq(10 * x)
    assert torch.allclose(lsq.init_scale, expected)


def test_lsq_learns_a_better_step_size():
    torch.manual_seed(0)
    x = torch.randn(2000)
    lsq = LSQ(3, init_scale=0.1)
    optimizer = torch.optim.Adam(lsq.parameters(), lr=0.02)
    errors = []
    for _ in range(150):
        optimizer.zero_grad()
        loss = ((lsq(x) - x) ** 2).mean()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < errors[0] / 5
    # The best uniform quantiser of 8 levels for a Gaussian has steps of 0.586 (Max, 1960).
    assert lsq.scale.item() == pytest.approx(0.586, abs=0.08)


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("alpha", [1.0, 0.7])
def test_power_of_two_takes_the_nearest_level(bits, alpha):
    count = 2 ** (bits - 1) - 1
    sizes = [alpha * 2.0**-e for e in range(count)]
    levels = np.array(sorted({0.0, *sizes, *(-size for size in sizes)}))
    assert len(levels) == 2**bits - 1
    x = values(500, low=-1.5, high=1.5)
    found = PowerOfTwo(bits, alpha=alpha)(x).numpy()
    nearest = levels[np.abs(x.numpy()[:, None] - levels).argmin(1)]
    assert np.allclose(found, nearest, rtol=1e-15, atol=0)
    assert set(PowerOfTwo(bits, alpha=alpha)(torch.tensor(levels)).tolist()) == set(levels)


def test_power_of_two_ties_go_away_from_zero():
    assert PowerOfTwo(3)(torch.tensor([0.125, 0.375, 0.75, -0.75])).tolist() == [0.25, 0.5, 1, -1]


def test_power_of_two_learns_its_greatest_level():
    quantizer = snncore.build("quantizer", "power_of_two", alpha=0.8, learnable=["alpha"]).double()
    x, incoming = values(80), values(80, seed=1)
    y = quantizer(x)
    y.backward(incoming)
    alpha, q = quantizer.alpha.item(), y.detach().numpy()
    clipped = np.abs(x.numpy()) > alpha
    by_alpha = np.where(clipped, q, q - x.numpy()) / alpha
    assert quantizer.alpha.grad.item() == pytest.approx((incoming.numpy() * by_alpha).sum())


def test_observed_needs_a_value_before_evaluation():
    net = nn.Sequential(nn.Identity(), Observed().eval())
    with pytest.raises(
        StateError,
        match=r"^net\.1 \(snncore/observed\) has no scale yet\. Run it once in training mode, or "
        r"on sample data within snncore\.quantize\.calibrating\(net\)\.$",
    ):
        net(torch.ones(3))
    assert net(torch.ones(0)).shape == (0,)


def test_scales_stay_as_they_are_in_evaluation():
    for quantizer in (Observed(observer="min_max"), LSQ()):
        quantizer(values(30).float())
        before = quantizer.scale.clone()
        quantizer.eval()
        quantizer(100 * values(30).float())
        assert torch.equal(quantizer.scale, before)


def test_other_channels_than_declared_are_named():
    text = r"^expected 4 channels along axis 0, got shape \[3, 5\]; give 'channels' and"
    for quantizer in (LSQ(channels=4), Observed(channels=4)):
        with pytest.raises(ValueError, match=text):
            quantizer(torch.ones(3, 5))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: KBit(0), r"KBit: bits must be from 1 to 24, got 0"),
        (lambda: Uniform(1), r"Uniform: bits must be from 2 to 24, got 1"),
        (lambda: Uniform(zero_point=0.5), r"Uniform: zero_point must be whole, got 0\.5"),
        (lambda: Uniform(scale=0.0), r"Uniform: scale must be > 0, got 0"),
        (lambda: Step(-1.0), r"Step: scale must be > 0, got -1"),
        (lambda: LSQ(25), r"LSQ: bits must be from 2 to 24, got 25"),
        (lambda: LSQ(channels=0), r"LSQ: channels must be >= 1, got 0"),
        (lambda: LSQ(values=0), r"LSQ: values must be >= 1, got 0"),
        (lambda: LSQ(init_scale=-1.0), r"LSQ: init_scale must be > 0, one number or one per cha"),
        (lambda: PowerOfTwo(7), r"PowerOfTwo: bits must be from 2 to 6, got 7"),
        (lambda: PowerOfTwo(alpha=0), r"PowerOfTwo: alpha must be > 0, got 0"),
        (lambda: MultiLevelSpikeCount(0), r"MultiLevelSpikeCount: levels must be >= 1, got 0"),
        (lambda: Observed(observer="max"), r"Observed: observer must be 'min_max', 'moving_ave"),
        (lambda: Observed(momentum=0.0), r"MovingAverageMinMax: momentum must be > 0 and <= 1"),
        (
            lambda: Observed(observer="percentile", percentile=50.0),
            r"Percentile: percentile must be > 50 and <= 100, got 50",
        ),
    ],
)
def test_what_is_out_of_range_is_named(make, text):
    with pytest.raises(ValueError, match=f"^{text}"):
        make()


def test_what_has_no_codes_says_so():
    x = torch.ones(2)
    for quantizer in (Clamp(), ClampByLinear()):
        with pytest.raises(NotSupported, match=r"rounds nothing, so its values have no codes"):
            quantizer.encode(x)
        with pytest.raises(NotSupported, match=r"rounds nothing, so its values have no grid"):
            quantizer.grid(x)
    with pytest.raises(NotSupported, match=r"Affine has no whole zero point; use uniform"):
        Affine().grid(x)


def test_a_spec_becomes_a_quantizer():
    given_one = KBit(3)
    assert as_quantizer(given_one) is given_one
    assert as_quantizer("round")(torch.tensor([0.6])).item() == 1.0
    with pytest.raises(TypeError, match="must be a name, a table or a Quantizer, got int"):
        as_quantizer(3)
