"""The neurons with two states against the equations written out, forward and backward in time.

Carries: ``c_v``, ``c_b`` and ``c_w`` are the gradients of the states after the step at hand; ``g``
is the surrogate's derivative, ``g_h`` the gradient of H. Everything is float64.
"""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn

import snncore
from snn_neurons import ALIF, LIF, Izhikevich

T, N = 9, 6
V_TH, ALPHA = 0.8, 2.0
V_RESETS = [0.0, 0.1, None]
# Every mixture on eager; of the kernels, which the contract suite compares with it, a few.
MIXTURES = [(*mixture, "eager") for mixture in itertools.product(V_RESETS, (False, True))]
MIXTURES += [(0.1, True, "cpp"), (None, False, "cpp")]
resets = pytest.mark.parametrize(("v_reset", "detach_reset", "backend"), MIXTURES)


@pytest.fixture
def on(backend):
    """The backend, where it can run."""
    reason = snncore.get("backend", backend)().available()
    if reason is not None:
        pytest.skip(f"backend {backend} is not available: {reason}")
    return backend


@pytest.fixture
def drawn():
    """Inputs, and gradients that come in on every spike, every V and the last second state."""
    generator = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    return normal(T, N) + 0.8, normal(T, N), normal(T, N), normal(N)


def surrogate(distance):
    return (ALPHA / 2) / (1 + (math.pi / 2 * ALPHA * distance) ** 2)


def learned(values):
    return {
        name: None if value is None else nn.Parameter(torch.tensor(value, dtype=torch.float64))
        for name, value in values.items()
    }


def run(net, second, drawn):
    """Spikes, every V and the last second state; leaves gradients on input and parameters."""
    x, g_s, g_v, g_last = drawn
    x = x.clone().requires_grad_()
    s = net(x)
    last = getattr(net, second)
    torch.autograd.backward((s, net.v_seq, last), (g_s, g_v, g_last))
    return x, s.detach(), net.v_seq.detach(), last.detach()


def assert_gradients(net, expected):
    for name, value in expected.items():
        got = getattr(net, name).grad.item()
        assert got == pytest.approx(float(value), rel=1e-10, abs=1e-12), name


def close(got, expected):
    return torch.allclose(got, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("decay_input", [True, False])
@resets
def test_alif_equals_its_written_recurrences(on, drawn, decay_input, v_reset, detach_reset):
    tau, beta, rho = 1.75, 0.6, 0.7
    net = ALIF(
        **learned({"tau": tau, "beta": beta, "rho": rho, "v_threshold": V_TH, "v_reset": v_reset}),
        decay_input=decay_input,
        detach_reset=detach_reset,
        step_mode="m",
        store_v_seq=True,
        backend=on,
    )
    given, spikes, potentials, last = run(net, "b", drawn)

    x, g_s, g_v, c_b = drawn
    rest = v_reset or 0.0
    v, b = torch.full((N,), rest, dtype=torch.float64), torch.zeros(N, dtype=torch.float64)
    tape = []
    for now in x:
        h = v + (now - (v - rest)) / tau if decay_input else v - (v - rest) / tau + now
        threshold = V_TH + beta * b
        s = (h >= threshold).double()
        tape.append((now, v, b, h, threshold, s))
        v = h - s * threshold if v_reset is None else (1 - s) * h + s * v_reset
        b = rho * b + (1 - rho) * s
    assert 0.2 < spikes.mean() < 0.8
    assert torch.equal(spikes, torch.stack([s for *_, s in tape]))
    assert close(potentials, torch.stack([*(v for _, v, *_ in tape[1:]), v]))
    assert close(last, b)

    names = ["tau", "beta", "rho", "v_threshold"]
    found = dict.fromkeys(names if v_reset is None else [*names, "v_reset"], 0.0)
    c_v, g_x = torch.zeros(N, dtype=torch.float64), []
    for t in reversed(range(T)):
        now, v, b, h, threshold, s = tape[t]
        g, c_v = surrogate(h - threshold), c_v + g_v[t]
        by_reset = -c_v * threshold if v_reset is None else c_v * (v_reset - h)
        by_s = g_s[t] + (1 - rho) * c_b + (0 if detach_reset else by_reset)
        by_threshold = -by_s * g - (c_v * s if v_reset is None else 0)
        g_h = by_s * g + (c_v if v_reset is None else c_v * (1 - s))
        drive = now - (v - rest) if decay_input else -(v - rest)
        found["tau"] -= (g_h * drive).sum() / tau**2
        found["beta"] += (by_threshold * b).sum()
        found["rho"] += (c_b * (b - s)).sum()
        found["v_threshold"] += by_threshold.sum()
        if v_reset is not None:
            found["v_reset"] += (g_h / tau + c_v * s).sum()
        g_x.append(g_h / tau if decay_input else g_h)
        c_v, c_b = g_h * (1 - 1 / tau), rho * c_b + beta * by_threshold
    if v_reset is not None:
        found["v_reset"] += c_v.sum()
    assert close(given.grad, torch.stack(g_x[::-1]))
    assert_gradients(net, found)


@resets
def test_izhikevich_equals_its_written_recurrences(on, drawn, v_reset, detach_reset):
    values = {"tau": 1.75, "a0": 0.6, "v_c": 0.7, "v_rest": -0.2, "a": 0.4, "b": 0.3}
    values |= {"tau_w": 2.5, "w_rest": 0.15, "v_threshold": V_TH, "v_reset": v_reset}
    net = Izhikevich(
        **learned(values),
        detach_reset=detach_reset,
        step_mode="m",
        store_v_seq=True,
        backend=on,
    )
    given, spikes, potentials, last = run(net, "w", drawn)

    x, g_s, g_v, c_w = drawn
    tau, a0, v_c, v_rest, a, b, tau_w, w_rest, *_ = values.values()
    v = torch.full((N,), v_reset or 0.0, dtype=torch.float64)
    w = torch.full((N,), w_rest, dtype=torch.float64)
    tape = []
    for now in x:
        bracket = now + a0 * (v - v_rest) * (v - v_c) - w
        h = v + bracket / tau
        s = (h >= V_TH).double()
        tape.append((v, w, bracket, h, s))
        v = h - s * V_TH if v_reset is None else (1 - s) * h + s * v_reset
        w = w + (a * (h - v_rest) - w) / tau_w + b * s
    assert 0.2 < spikes.mean() < 0.8
    assert torch.equal(spikes, torch.stack([s for *_, s in tape]))
    assert close(potentials, torch.stack([*(v for v, *_ in tape[1:]), v]))
    assert close(last, w)

    found = {name: 0.0 for name, value in values.items() if value is not None}
    c_v, g_x = torch.zeros(N, dtype=torch.float64), []
    for t in reversed(range(T)):
        v, w, bracket, h, s = tape[t]
        g, c_v = surrogate(h - V_TH), c_v + g_v[t]
        through = 0 if detach_reset else g
        rho = 1 - V_TH * through if v_reset is None else 1 - s + (v_reset - h) * through
        g_h = (g_s[t] + b * c_w) * g + c_v * rho + a / tau_w * c_w
        found["tau"] -= (g_h * bracket).sum() / tau**2
        found["a0"] += (g_h * (v - v_rest) * (v - v_c)).sum() / tau
        found["v_c"] -= (g_h * a0 * (v - v_rest)).sum() / tau
        found["v_rest"] -= (g_h * a0 * (v - v_c) / tau + c_w * a / tau_w).sum()
        found["a"] += (c_w * (h - v_rest)).sum() / tau_w
        found["b"] += (c_w * s).sum()
        found["tau_w"] -= (c_w * (a * (h - v_rest) - w)).sum() / tau_w**2
        # All of the spike's gradient, as it leaves through H - V_th.
        by_fire = (g_s[t] + b * c_w) * g + c_v * (rho - (1 if v_reset is None else 1 - s))
        found["v_threshold"] -= (by_fire + (c_v * s if v_reset is None else 0)).sum()
        if v_reset is not None:
            found["v_reset"] += (c_v * s).sum()
        g_x.append(g_h / tau)
        c_v = g_h * (1 + a0 * (2 * v - v_rest - v_c) / tau)
        c_w = -g_h / tau + (1 - 1 / tau_w) * c_w
    found["w_rest"] += c_w.sum()
    if v_reset is not None:
        found["v_reset"] += c_v.sum()
    assert close(given.grad, torch.stack(g_x[::-1]))
    assert_gradients(net, found)


def test_the_threshold_of_a_step_uses_b_from_before_it():
    net = ALIF(2.0, beta=2.0, rho=0.5, v_reset=None)
    x, v, b = torch.tensor([3.0]), torch.tensor([0.0]), torch.tensor([0.25])
    # H = 1.5 and the threshold is 1 + 2 * 0.25: it fires, and all of that is subtracted.
    assert [float(value) for value in net.step(x, v, b)] == [1.0, 0.0, 0.625]


def test_alif_without_adaptation_is_lif(drawn):
    x, *_ = drawn
    for v_reset in V_RESETS:
        plain = LIF(v_reset=v_reset, backend="eager")
        adaptive = ALIF(v_reset=v_reset, beta=0.0, backend="eager")
        for net in (plain, adaptive):
            snncore.set_step_mode(net, "m")
        assert torch.equal(adaptive(x), plain(x))
        assert torch.equal(adaptive.v, plain.v)


def test_states_start_at_reset_value_and_rest():
    x = torch.zeros(1, 2)
    assert [value.tolist() for value in ALIF(v_reset=0.25).init_states(x)] == [
        [[0.25, 0.25]],
        [[0.0, 0.0]],
    ]
    net = Izhikevich(v_reset=None, w_rest=[0.5, -0.5])
    assert [value.tolist() for value in net.init_states(x)] == [[[0.0, 0.0]], [[0.5, -0.5]]]


@pytest.mark.parametrize(
    ("kind", "params", "fault"),
    [
        (ALIF, {"tau": 1}, "ALIF: tau must be > 1, got 1"),
        (ALIF, {"rho": 1.5}, "ALIF: rho must be <= 1, got 1.5"),
        (ALIF, {"rho": [0.5, -0.5]}, "ALIF: rho must be >= 0, got -0.5"),
        (Izhikevich, {"tau": 0.5}, "Izhikevich: tau must be > 1, got 0.5"),
        (Izhikevich, {"a0": 0.0}, "Izhikevich: a0 must be > 0, got 0"),
        (Izhikevich, {"tau_w": 1.0}, "Izhikevich: tau_w must be > 1, got 1"),
    ],
)
def test_ranges_are_checked(kind, params, fault):
    with pytest.raises(ValueError, match=f"^{fault}$"):
        kind(**params)
