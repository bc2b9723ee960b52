"""Parallel spiking neurons against sums written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons import PSN, MaskedPSN, SlidingPSN
from snncore.errors import NotSupported, StateError, StepModeError

T, N = 6, 5


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def slope(h):
    return 1 / (1 + (np.pi * h) ** 2)


def trained(net, x, on_s):
    given = torch.from_numpy(x).requires_grad_()
    s = net(given)
    s.backward(torch.from_numpy(on_s))
    return s.detach().numpy(), given.grad.numpy()


def close(got, expected):
    return np.allclose(got, expected, rtol=1e-10, atol=1e-12)


def test_psn_is_a_matrix_product_over_time():
    torch.manual_seed(0)
    net = PSN(T).double()
    x, on_s = 4 * normal(1, T, N) + 1, normal(2, T, N)
    spikes, by_x = trained(net, x, on_s)
    weight, bias = net.weight.numpy(force=True), net.bias.numpy(force=True)
    assert (bias == -1).all()
    # kaiming_uniform with a = sqrt(5) over T inputs
    assert 0 < abs(weight).max() <= 1 / np.sqrt(T)
    h = weight @ x + bias
    g_h = on_s * slope(h)
    assert 0.05 < spikes.mean() < 0.95
    assert np.array_equal(spikes, (h >= 0) * 1.0)
    assert close(by_x, weight.T @ g_h)
    assert close(net.weight.grad.numpy(), g_h @ x.T)
    assert close(net.bias.grad.numpy(), g_h.sum(1, keepdims=True))


@pytest.mark.parametrize(("k", "lambda_"), [(1, 1.0), (3, 1.0), (9, 1.0), (2, 0.0), (3, 0.3)])
def test_masked_psn_closes_its_mask(k, lambda_):
    torch.manual_seed(0)
    net = MaskedPSN(T, k, lambda_=lambda_, step_mode="m").double()
    x, on_s = 4 * normal(1, T, N) + 2, normal(2, T, N)
    spikes, by_x = trained(net, x, on_s)
    mask = np.array([[i - k + 1 <= j <= i for j in range(T)] for i in range(T)]) * 1.0
    factor = lambda_ * mask + (1 - lambda_)
    weight = factor * net.weight.numpy(force=True)
    h = weight @ x - 1
    g_h = on_s * slope(h)
    assert 0 < spikes.mean() < 1
    assert np.array_equal(spikes, (h >= 0) * 1.0)
    assert close(by_x, weight.T @ g_h)
    assert close(net.weight.grad.numpy(), factor * (g_h @ x.T))


@pytest.mark.parametrize("k", [1, 3, 9])
@pytest.mark.parametrize("steps", [1, 7, 150])
def test_sliding_psn_weighs_the_last_inputs(k, steps):
    net = SlidingPSN(k, step_mode="m").double()
    with torch.no_grad():
        net.weight.add_(torch.from_numpy(0.3 * normal(4, k)))
    x, on_s = normal(1, steps, N) + 0.8, normal(2, steps, N)
    spikes, by_x = trained(net, x, on_s)
    w = net.weight.numpy(force=True)
    h, by_w, expected = np.full((steps, N), -1.0), np.zeros(k), np.zeros((steps, N))
    for t in range(steps):
        for j in range(min(k, t + 1)):
            h[t] += w[k - 1 - j] * x[t - j]
    g_h = on_s * slope(h)
    for t in range(steps):
        for j in range(min(k, t + 1)):
            by_w[k - 1 - j] += (g_h[t] * x[t - j]).sum()
            expected[t - j] += g_h[t] * w[k - 1 - j]
    assert np.array_equal(spikes, (h >= 0) * 1.0)
    assert close(by_x, expected)
    assert close(net.weight.grad.numpy(), by_w)
    assert net.bias.grad.item() == pytest.approx(g_h.sum())


def test_the_window_starts_with_halves():
    assert SlidingPSN(4).weight.tolist() == [0.125, 0.25, 0.5, 1.0]
    assert SlidingPSN(4).bias.item() == -1.0


@pytest.mark.parametrize("make", [lambda: SlidingPSN(4), lambda: MaskedPSN(9, 4, lambda_=1.0)])
def test_single_steps_chunks_and_the_whole_are_one(make):
    def built(mode):
        torch.manual_seed(0)
        net = make().double()
        snncore.set_step_mode(net, mode)
        return net

    x = torch.from_numpy(4 * normal(1, 9, 2, N) + 1)
    whole, cut, stepped = built("m"), built("m"), built("s")
    expected = whole(x)
    assert 0 < expected.mean() < 1
    assert torch.equal(torch.cat([cut(part) for part in x.split([2, 1, 6])]), expected)
    assert torch.equal(torch.stack([stepped(now) for now in x]), expected)
    for net in (whole, cut, stepped):
        assert torch.equal(net.queue, x[-3:].transpose(0, 1))


def test_a_parallel_neuron_takes_whole_sequences_only():
    net = torch.nn.Sequential(PSN(T))
    with pytest.raises(
        ValueError,
        match=r"net\.0 \(snn-neurons/psn\) takes sequences of T = 6 steps, \[T, N, \*\], got "
        r"\[5, 2\]; for any length take sliding_psn",
    ):
        net(torch.rand(5, 2))
    with pytest.raises(StepModeError, match="runs only in step_mode 'm'"):
        net[0].step_mode = "s"
    with pytest.warns(UserWarning, match="kept in their only step mode"):
        snncore.set_step_mode(net, "s")


def test_torch_runs_them_and_explain_says_so():
    net = torch.nn.Sequential(SlidingPSN(), MaskedPSN(4, 2), PSN(4))
    rows = [(row.layer, row.step_mode, row.backend) for row in snncore.explain(net).rows]
    assert rows == [
        ("snn-neurons/sliding_psn", "s", "torch"),
        ("snn-neurons/masked_psn", "s", "torch"),
        ("snn-neurons/psn", "m", "torch"),
    ]


def test_an_open_mask_needs_the_whole_sequence():
    text = r"has lambda_ = 0\.5, where a step sees later ones: it runs whole sequences of T = 6"
    single, net = (MaskedPSN(T, 2, lambda_=0.5, step_mode=mode) for mode in ("s", "m"))
    x = torch.rand(T, 2, 3)
    with pytest.raises(NotSupported, match=text):
        single(x[0])
    with pytest.raises(NotSupported, match=text):
        net(x[:4])
    net(x)
    with pytest.raises(NotSupported, match=r"after a reset\. Set lambda_ = 1 for single steps"):
        net(x)
    single.lambda_ = 1.0
    assert single(x[0]).shape == (2, 3)


def test_a_closed_mask_runs_t_steps():
    net = MaskedPSN(T, 2, lambda_=1.0)
    for now in torch.rand(T, 2, 3):
        net(now)
    with pytest.raises(
        StateError,
        match=r"masked_psn has parameters for 6 steps; 6 have been run since the last reset, and "
        r"this call has 1\. Call snncore\.reset\(net\)",
    ):
        net(torch.rand(2, 3))


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: PSN(0), "PSN: T must be >= 1, got 0"),
        (lambda: MaskedPSN(0, 1), "MaskedPSN: T must be >= 1, got 0"),
        (lambda: MaskedPSN(2, 0), "MaskedPSN: k must be >= 1, got 0"),
        (lambda: SlidingPSN(0), "SlidingPSN: k must be >= 1, got 0"),
        (lambda: MaskedPSN(2, 1, lambda_=1.5), r"lambda_ must lie in \[0, 1\], got 1\.5"),
    ],
)
def test_ranges_are_checked(make, fault):
    with pytest.raises(ValueError, match=fault):
        make()
