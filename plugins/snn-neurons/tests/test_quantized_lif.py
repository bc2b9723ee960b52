"""The fixed-point neuron against Python's integers, its gradient by hand, and LIF in floats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import snncore
from snn_neurons import LIF, QuantizedLIF
from snncore.kernels.cpp import CppBackend
from snncore.testing.neuron import NeuronConformance

T, N = 40, 30


class TestQuantizedLIF(NeuronConformance):
    component = "snn-neurons/quantized_lif"
    variants = [
        {},
        {"v_reset": None, "detach_reset": True},
        {"v_reset": -0.25, "tau": 5.0, "bits": 6, "fraction_bits": 3},
    ]


@pytest.fixture(params=["eager", "cpp"])
def backend(request):
    reason = snncore.get("backend", request.param)().available()
    if reason is not None:
        pytest.skip(f"backend {request.param} is not available: {reason}")
    return request.param


def drawn(seed=0, dtype=torch.float64, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(T, N, generator=generator, dtype=dtype)


def by_integers(x, *, tau, bits, fraction_bits, v_threshold, v_reset):
    """Spikes and V, one whole number at a time."""
    unit, keep = 2**fraction_bits, 4096 - round(4096 / tau)
    least, most = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    threshold = round(v_threshold * unit)
    start = 0 if v_reset is None else round(v_reset * unit)
    spikes, potentials = np.zeros(x.shape), np.zeros(x.shape)
    for i in range(x.shape[1]):
        n = start
        for t in range(x.shape[0]):
            decayed = abs(n) * keep >> 12
            h = (decayed if n > 0 else -decayed) + int(np.rint(x[t, i] * unit))
            h = min(max(h, least), most)
            fired = h >= threshold
            after = h - threshold if v_reset is None else start
            n = after if fired else h
            spikes[t, i], potentials[t, i] = fired, n / unit
    return spikes, potentials


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "params",
    [
        {"tau": 2.0, "bits": 16, "fraction_bits": 8, "v_threshold": 1.0, "v_reset": 0.0},
        {"tau": 3.7, "bits": 5, "fraction_bits": 3, "v_threshold": 0.8, "v_reset": None},
        {"tau": 11.3, "bits": 24, "fraction_bits": 18, "v_threshold": 0.37, "v_reset": -0.21},
        {"tau": 1.3, "bits": 4, "fraction_bits": 0, "v_threshold": 3.0, "v_reset": None},
        {"tau": 90.0, "bits": 12, "fraction_bits": 4, "v_threshold": 60.0, "v_reset": -60.0},
    ],
    ids=lambda p: f"{p['bits']}.{p['fraction_bits']}",
)
def test_it_is_integer_arithmetic(backend, params, dtype):
    x = drawn(dtype=dtype, scale=params["v_threshold"] + 0.3)
    net = QuantizedLIF(**params, step_mode="m", store_v_seq=True, backend=backend)
    spikes, potentials = by_integers(x.numpy().astype(np.float64), **params)
    assert 0.02 < spikes.mean() < 0.9
    assert np.array_equal(net(x).numpy(), spikes)
    assert np.array_equal(net.v_seq.numpy(), potentials)


def test_the_smallest_grid_saturates(backend):
    net = QuantizedLIF(bits=4, fraction_bits=2, v_reset=None, v_threshold=1.75, backend=backend)
    for sign, most in ((1.0, 7 / 4 - 1.75), (-1.0, -2.0)):
        snncore.reset(net)
        for _ in range(5):
            net(torch.tensor([[sign * 100.0]]))
        assert net.v.item() == most


@pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
@pytest.mark.parametrize("v_reset", [0.0, None])
def test_backends_agree_to_the_last_bit(v_reset):
    """Outputs and states with parameters of every shape; gradients up to their order of sums."""
    results = []
    for backend in ("eager", "cpp"):
        x = drawn(1, torch.float32).reshape(T, 5, 3, 2).requires_grad_()
        tau = nn.Parameter(torch.tensor([[1.5], [3.0], [20.0]]))
        threshold = nn.Parameter(torch.full((3, 2), 0.7))
        net = QuantizedLIF(
            tau, v_threshold=threshold, v_reset=v_reset, step_mode="m", backend=backend
        )
        y = net(x)
        (y.sum() + net.v.sum()).backward()
        results.append(((y, net.v), (x.grad, tau.grad, threshold.grad)))
    for a, b in zip(results[0][0], results[1][0], strict=True):
        assert torch.equal(a, b)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5 * a.abs().max().item())
        assert a.abs().max() > 0


def test_the_gradient_by_hand(backend):
    """That of V = k V + X with the exact decay, at the spikes and potentials of the integers."""
    params = {"tau": 3.0, "bits": 10, "fraction_bits": 6, "v_threshold": 0.75, "v_reset": None}
    x = drawn().requires_grad_()
    tau = nn.Parameter(torch.tensor(3.0, dtype=torch.float64))
    net = QuantizedLIF(
        **{**params, "tau": tau},
        detach_reset=True,
        step_mode="m",
        backend=backend,
    )
    incoming = drawn(2)
    net(x).backward(incoming)
    spikes, potentials = by_integers(x.detach().numpy(), **params)
    k = (4096 - round(4096 / 3.0)) / 4096
    before = np.concatenate([np.zeros((1, N)), potentials[:-1]])
    h = potentials + spikes * 0.75
    g_x, carry, by_tau = np.zeros((T, N)), np.zeros(N), 0.0
    for t in reversed(range(T)):
        slope = 1.0 / (1.0 + (np.pi * (h[t] - 0.75)) ** 2)
        g_h = incoming[t].numpy() * slope + carry
        g_x[t] = g_h
        # dk/dtau = 1 / tau^2, as if the decay were not rounded.
        by_tau += (g_h * before[t]).sum() / 9.0
        carry = g_h * k
    assert np.allclose(x.grad.numpy(), g_x, rtol=1e-9, atol=1e-12)
    assert tau.grad.item() == pytest.approx(by_tau, rel=1e-9)


def test_fine_grids_approach_the_neuron_in_floats():
    """24 bits follow LIF to what rounding the decay to 12 bits costs; fewer follow less."""
    x = drawn(3, scale=0.5) + 0.1
    plain = LIF(2.5, decay_input=False, v_reset=None, step_mode="m", store_v_seq=True)
    spikes = plain(x)
    errors = []
    for bits in (6, 10, 24):
        net = QuantizedLIF(
            2.5,
            bits=bits,
            fraction_bits=bits - 4,
            v_reset=None,
            step_mode="m",
            store_v_seq=True,
        )
        same = (net(x) == spikes).all(0)
        errors.append((net.v_seq - plain.v_seq)[:, same].abs().max().item())
        assert same.double().mean() > (0.2 if bits == 6 else 0.8)
    assert errors[2] < 1e-3 < errors[1] < errors[0]


def test_states_lie_on_the_grid_from_the_start():
    net = QuantizedLIF(fraction_bits=3, bits=8, v_reset=0.3)
    assert net.init_states(torch.zeros(1, 1))[0].item() == 0.25
    net(torch.full((1, 1), 0.4))
    assert (net.v * 8) % 1 == 0


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"tau": 1.0}, "tau must be > 1, got 1"),
        ({"bits": 3}, "bits must be from 4 to 24, got 3"),
        ({"bits": 8, "fraction_bits": 7}, "fraction_bits must be from 0 to 6, which is bits - 2"),
        (
            {"bits": 8, "fraction_bits": 6, "v_threshold": 2.0},
            r"v_threshold must lie within \+-1\.98438, the reach of 8 bits with 6 after the point; "
            "take more bits or fewer after it",
        ),
        ({"v_reset": [-300.0, 0.0]}, r"v_reset must lie within \+-127\.996"),
    ],
)
def test_what_is_out_of_range_is_named(params, text):
    with pytest.raises(ValueError, match=f"^QuantizedLIF: {text}"):
        QuantizedLIF(**params)
