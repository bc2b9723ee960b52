"""Neurons with mechanisms of their own against their equations written out, forward and backward.

Carries: ``c_v`` and its like are the gradients of the states after the step at hand, ``g_h`` the
gradient of H, ``g`` the slope of the spike, ``by_s`` the gradient of S. Everything is float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import snncore
from snn_neurons import (
    ConductanceLIF,
    EscapeRate,
    NoisyLIF,
    RefractoryLIF,
    SynapticLIF,
)

T, N = 9, 6
TAU, V_TH = 1.75, 0.8
RESETS = [(0.1, False), (None, False), (0.1, True), (None, True)]


@pytest.fixture(params=["eager", "cpp"])
def backend(request):
    reason = snncore.get("backend", request.param)().available()
    if reason is not None:
        pytest.skip(f"backend {request.param} is not available: {reason}")
    return request.param


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def atan(distance):
    return 1 / (1 + (np.pi * distance) ** 2)


def learnt(values):
    kept = {name: value for name, value in values.items() if value is not None}
    given = {k: nn.Parameter(torch.tensor(v, dtype=torch.float64)) for k, v in kept.items()}
    return {name: given.get(name) for name in values}


def trained(net, *inputs, on_s, on_v, on_states):
    """Spikes, every V, and gradients of inputs and parameters."""
    given = [torch.from_numpy(x).requires_grad_() for x in inputs]
    s = net(*given)
    last = [getattr(net, name) for name in net.states if name not in ("v", "r")]
    ends = [torch.from_numpy(g) for g in (on_s, on_v, *on_states)]
    torch.autograd.backward((s, net.v_seq, *last), ends)
    return s.detach().numpy(), net.v_seq.detach().numpy(), [x.grad.numpy() for x in given]


def reset(h, s, v_reset, v_th):
    return h - s * v_th if v_reset is None else (1 - s) * h + s * v_reset


def back(c_v, on_s, h, s, slope, v_reset, detach):
    """Gradients of H, of S and of what is subtracted as threshold."""
    by_reset = -c_v * V_TH if v_reset is None else c_v * (v_reset - h)
    by_s = on_s + (0 if detach else by_reset)
    kept = c_v if v_reset is None else c_v * (1 - s)
    subtracted = c_v * s if v_reset is None else 0 * s
    return by_s * slope + kept, by_s, -by_s * slope - subtracted


def assert_gradients(net, found):
    for name, value in found.items():
        assert getattr(net, name).grad.item() == pytest.approx(value.sum(), rel=1e-9), name


def close(got, expected):
    return np.allclose(got, np.stack(expected), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("v_reset", "detach"), RESETS)
def test_refractory_lif(backend, v_reset, detach):
    net = RefractoryLIF(
        **learnt({"tau": TAU, "v_threshold": V_TH, "v_reset": v_reset}),
        refractory=2,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=backend,
    )
    x, on_s, on_v = normal(1, T, N) + 1.5, normal(2, T, N), normal(3, T, N)
    spikes, potentials, (by_x,) = trained(net, x, on_s=on_s, on_v=on_v, on_states=[])

    rest, v, r, tape = v_reset or 0.0, np.full(N, v_reset or 0.0), np.zeros(N), []
    for now in x:
        h = np.where(r > 0, v, v + (now - (v - rest)) / TAU)
        s = (h >= V_TH) * (r == 0) * 1.0
        tape.append((now, v, r, h, s))
        v, r = reset(h, s, v_reset, V_TH), np.where(s > 0, 2, np.maximum(r - 1, 0))
    assert 3 <= spikes.sum() <= T * N / 3
    assert close(spikes, [s for *_, s in tape])
    assert close(potentials, [*(v for _, v, *_ in tape[1:]), v])
    assert net.r.numpy(force=True).tolist() == r.tolist()

    found, c_v, g_x = {"tau": 0.0, "v_threshold": 0.0}, np.zeros(N), []
    for t in reversed(range(T)):
        now, v, r, h, s = tape[t]
        c_v, awake = c_v + on_v[t], r == 0
        slope = atan(h - V_TH) * awake
        g_h, _, by_threshold = back(c_v, on_s[t], h, s, slope, v_reset, detach)
        found["tau"] = found["tau"] - awake * g_h * (now - (v - rest)) / TAU**2
        found["v_threshold"] = found["v_threshold"] + by_threshold
        g_x.append(awake * g_h / TAU)
        c_v = np.where(awake, g_h * (1 - 1 / TAU), g_h)
    assert close(by_x, g_x[::-1])
    assert_gradients(net, found)


@pytest.mark.parametrize("times", [(2.5, 4.0), (3.0, 3.0)])
@pytest.mark.parametrize(("v_reset", "detach"), RESETS[:2])
def test_synaptic_lif(backend, v_reset, detach, times):
    rise, decay = times
    net = SynapticLIF(
        **learnt({"tau": TAU, "tau_rise": rise, "tau_decay": decay, "v_threshold": V_TH}),
        v_reset=v_reset,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=backend,
    )
    x, on_s, on_v = 3 * normal(1, T, N) + 2.0, normal(2, T, N), normal(3, T, N)
    ends = [normal(4, N), normal(5, N)]
    spikes, potentials, (by_x,) = trained(net, x, on_s=on_s, on_v=on_v, on_states=ends)

    rest, v, tape = v_reset or 0.0, np.full(N, v_reset or 0.0), []
    a, i = np.zeros(N), np.zeros(N)
    for now in x:
        before = v, a, i
        a = a + (now - a) / rise
        i = i + (a - i) / decay
        h = v + (i - (v - rest)) / TAU
        s = (h >= V_TH) * 1.0
        tape.append((now, *before, a, i, h, s))
        v = reset(h, s, v_reset, V_TH)
    assert 0.1 < spikes.mean() < 0.9
    assert close(spikes, [s for *_, s in tape])
    assert close(potentials, [*(v for _, v, *_ in tape[1:]), v])
    assert close(net.i.numpy(force=True), i)

    found = dict.fromkeys(("tau", "tau_rise", "tau_decay", "v_threshold"), 0.0)
    c_v, (c_a, c_i), g_x = np.zeros(N), ends, []
    for t in reversed(range(T)):
        now, v, a, i, later_a, later_i, h, s = tape[t]
        c_v = c_v + on_v[t]
        g_h, _, by_threshold = back(c_v, on_s[t], h, s, atan(h - V_TH), v_reset, detach)
        g_i = c_i + g_h / TAU
        g_a = c_a + g_i / decay
        found["tau"] = found["tau"] - g_h * (later_i - (v - rest)) / TAU**2
        found["tau_decay"] = found["tau_decay"] - g_i * (later_a - i) / decay**2
        found["tau_rise"] = found["tau_rise"] - g_a * (now - a) / rise**2
        found["v_threshold"] = found["v_threshold"] + by_threshold
        g_x.append(g_a / rise)
        c_v, c_i, c_a = g_h * (1 - 1 / TAU), g_i * (1 - 1 / decay), g_a * (1 - 1 / rise)
    assert close(by_x, g_x[::-1])
    assert_gradients(net, found)


def response(rise, decay, steps=40):
    """The current of one input, step by step."""
    net = SynapticLIF(tau_rise=rise, tau_decay=decay, v_threshold=1e9)
    x = torch.zeros(steps, 1, dtype=torch.float64)
    x[0] = 1.0
    return np.array([(net(now), net.i.item())[1] for now in x])


def test_the_current_of_one_input_is_a_difference_of_exponentials():
    n, (p, q) = np.arange(40), (1 - 1 / 5, 1 - 1 / 2)
    expected = (1 - p) * (1 - q) * (p ** (n + 1) - q ** (n + 1)) / (p - q)
    assert np.allclose(response(2.0, 5.0), expected, rtol=1e-12)
    assert np.allclose(response(5.0, 2.0), expected, rtol=1e-12)
    assert np.allclose(response(1.0, 5.0), (1 - p) * p**n, rtol=1e-12)


def test_equal_time_constants_give_the_alpha_function_and_so_does_the_limit():
    n, p = np.arange(40), 1 - 1 / 3
    alpha = (1 - p) ** 2 * (n + 1) * p**n
    assert np.allclose(response(3.0, 3.0), alpha, rtol=1e-12)
    assert np.allclose(response(3.0, 3.0 + 1e-9), alpha, rtol=1e-8)
    assert response(3.0, 3.0, 300).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("v_reset", "detach"), RESETS[:2])
def test_conductance_lif(backend, v_reset, detach):
    values = {"tau": 6.0, "tau_e": 2.5, "tau_i": 4.0, "e_e": 5.0, "e_i": -1.5, "v_rest": 0.15}
    net = ConductanceLIF(
        **learnt(values | {"v_threshold": V_TH}),
        v_reset=v_reset,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=backend,
    )
    x_e, x_i = normal(1, T, N), normal(6, T, N)
    on_s, on_v, ends = normal(2, T, N), normal(3, T, N), [normal(4, N), normal(5, N)]
    spikes, potentials, by_x = trained(net, x_e, x_i, on_s=on_s, on_v=on_v, on_states=ends)

    tau, tau_e, tau_i, e_e, e_i, v_rest = values.values()
    d_e, d_i = np.exp(-1 / tau_e), np.exp(-1 / tau_i)
    v, tape = np.full(N, v_reset or 0.0), []
    g_e, g_i = np.zeros(N), np.zeros(N)
    for now_e, now_i in zip(x_e, x_i, strict=True):
        before = v, g_e, g_i
        g_e, g_i = g_e * d_e + np.maximum(now_e, 0), g_i * d_i + np.maximum(now_i, 0)
        total = 1 + g_e + g_i
        target = (v_rest + g_e * e_e + g_i * e_i) / total
        h = target + (v - target) * np.exp(-total / tau)
        s = (h >= V_TH) * 1.0
        tape.append((now_e, now_i, *before, g_e, g_i, total, target, h, s))
        v = reset(h, s, v_reset, V_TH)
    assert 0.1 < spikes.mean() < 0.9
    assert close(spikes, [s for *_, s in tape])
    assert close(potentials, [*(row[2] for row in tape[1:]), v])
    assert close(net.g_e.numpy(force=True), g_e)

    found = dict.fromkeys((*values, "v_threshold"), 0.0)
    c_v, (c_e, c_i), g_x = np.zeros(N), ends, []
    for t in reversed(range(T)):
        now_e, now_i, v, g_e, g_i, later_e, later_i, total, target, h, s = tape[t]
        c_v = c_v + on_v[t]
        g_h, _, by_threshold = back(c_v, on_s[t], h, s, atan(h - V_TH), v_reset, detach)
        left = np.exp(-total / tau)
        g_target = g_h * (1 - left)
        g_total = -g_h * (v - target) * left / tau - g_target * target / total
        by_e = c_e + g_total + g_target * e_e / total
        by_i = c_i + g_total + g_target * e_i / total
        for name, value in {
            "tau": g_h * (v - target) * left * total / tau**2,
            "tau_e": by_e * g_e * d_e / tau_e**2,
            "tau_i": by_i * g_i * d_i / tau_i**2,
            "e_e": g_target * later_e / total,
            "e_i": g_target * later_i / total,
            "v_rest": g_target / total,
            "v_threshold": by_threshold,
        }.items():
            found[name] = found[name] + value
        g_x.append((by_e * (now_e > 0), by_i * (now_i > 0)))
        c_v, c_e, c_i = g_h * left, by_e * d_e, by_i * d_i
    for place in range(2):
        assert close(by_x[place], [pair[place] for pair in g_x[::-1]])
    assert_gradients(net, found)


def test_a_signed_current_excites_and_inhibits():
    x = torch.from_numpy(normal(1, T, N))
    signed, apart = (ConductanceLIF(step_mode="m", store_v_seq=True) for _ in range(2))
    assert torch.equal(signed(x), apart(x.clamp_min(0), (-x).clamp_min(0)))
    assert torch.equal(signed.v_seq, apart.v_seq)


def test_a_potential_stays_between_the_reversal_potentials():
    net = ConductanceLIF(tau=1.0, v_threshold=1e9, step_mode="m", store_v_seq=True)
    net(torch.from_numpy(1e4 * normal(1, 50, N)))
    assert -2.0 <= net.v_seq.min() < -1.9
    assert 5.9 < net.v_seq.max() <= 6.0


@pytest.mark.parametrize(("v_reset", "detach"), RESETS[:2])
def test_noisy_lif(backend, v_reset, detach):
    sigma = 0.4
    net = NoisyLIF(
        **learnt({"tau": TAU, "sigma": sigma, "v_threshold": V_TH}),
        v_reset=v_reset,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=backend,
    )
    x, xi = normal(1, T, N) + 0.8, normal(6, T, N)
    on_s, on_v = normal(2, T, N), normal(3, T, N)
    spikes, potentials, by = trained(net, x, xi, on_s=on_s, on_v=on_v, on_states=[])

    rest, v, tape = v_reset or 0.0, np.full(N, v_reset or 0.0), []
    for now, noise in zip(x, xi, strict=True):
        h = v + (now - (v - rest)) / TAU + sigma * noise
        s = (h >= V_TH) * 1.0
        tape.append((now, noise, v, h, s))
        v = reset(h, s, v_reset, V_TH)
    assert 0.1 < spikes.mean() < 0.9
    assert close(spikes, [s for *_, s in tape])
    assert close(potentials, [*(row[2] for row in tape[1:]), v])

    found, c_v, g_x = dict.fromkeys(("tau", "sigma", "v_threshold"), 0.0), np.zeros(N), []
    for t in reversed(range(T)):
        now, noise, v, h, s = tape[t]
        c_v = c_v + on_v[t]
        g_h, _, by_threshold = back(c_v, on_s[t], h, s, atan(h - V_TH), v_reset, detach)
        found["tau"] = found["tau"] - g_h * (now - (v - rest)) / TAU**2
        found["sigma"] = found["sigma"] + g_h * noise
        found["v_threshold"] = found["v_threshold"] + by_threshold
        g_x.append((g_h / TAU, g_h * sigma))
        c_v = g_h * (1 - 1 / TAU)
    for place in range(2):
        assert close(by[place], [pair[place] for pair in g_x[::-1]])
    assert_gradients(net, found)


@pytest.mark.parametrize("surrogate", ["deterministic_pass", "atan"])
@pytest.mark.parametrize(("v_reset", "detach"), RESETS[:2])
def test_escape_rate(backend, v_reset, detach, surrogate):
    delta, rate = 0.5, 0.6
    net = EscapeRate(
        **learnt({"tau": TAU, "delta": delta, "rate": rate, "v_threshold": V_TH}),
        v_reset=v_reset,
        detach_reset=detach,
        surrogate=surrogate,
        step_mode="m",
        store_v_seq=True,
        backend=backend,
    )
    x, u = normal(1, T, N) + 0.8, np.random.default_rng(6).uniform(size=(T, N))
    on_s, on_v = normal(2, T, N), normal(3, T, N)
    spikes, potentials, by = trained(net, x, u, on_s=on_s, on_v=on_v, on_states=[])

    rest, v, tape = v_reset or 0.0, np.full(N, v_reset or 0.0), []
    for now, chance in zip(x, u, strict=True):
        h = v + (now - (v - rest)) / TAU
        p = 1 - np.exp(-rate * np.exp((h - V_TH) / delta))
        s = (chance <= p) * 1.0
        tape.append((now, chance, v, h, p, s))
        v = reset(h, s, v_reset, V_TH)
    assert 0.1 < spikes.mean() < 0.9
    assert close(spikes, [s for *_, s in tape])
    assert close(potentials, [*(row[2] for row in tape[1:]), v])

    found = dict.fromkeys(("tau", "delta", "rate", "v_threshold"), 0.0)
    c_v, g_x = np.zeros(N), []
    for t in reversed(range(T)):
        now, chance, v, h, p, s = tape[t]
        c_v, force = c_v + on_v[t], np.exp((h - V_TH) / delta)
        by_p = 1.0 if surrogate == "deterministic_pass" else atan(p - chance)
        slope = by_p * (1 - p) * rate * force / delta
        g_h, by_s, by_threshold = back(c_v, on_s[t], h, s, slope, v_reset, detach)
        found["tau"] = found["tau"] - g_h * (now - (v - rest)) / TAU**2
        found["delta"] = found["delta"] - by_s * slope * (h - V_TH) / delta
        found["rate"] = found["rate"] + by_s * by_p * (1 - p) * force
        found["v_threshold"] = found["v_threshold"] + by_threshold
        g_x.append((g_h / TAU, -by_s * by_p))
        c_v = g_h * (1 - 1 / TAU)
    for place in range(2):
        assert close(by[place], [pair[place] for pair in g_x[::-1]])
    assert_gradients(net, found)


def test_a_spike_is_as_likely_as_its_probability():
    net = EscapeRate(tau=2.0, v_reset=0.0, delta=0.3, rate=0.7, seed=1)
    x = torch.linspace(0.5, 3.0, 6).expand(20000, 6)
    p = net.probability(x[0] / 2)
    # four standard deviations of a binomial mean
    assert ((net(x).mean(0) - p).abs() <= 4 * (p * (1 - p) / 20000).sqrt()).all()
    assert net.probability(torch.tensor([-1e6, 1e6])).tolist() == [0.0, 1.0]


def test_certain_spikes_have_a_finite_gradient():
    x = torch.tensor([[1e4, -1e4]], requires_grad=True)
    EscapeRate()(x).sum().backward()
    assert x.grad.tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("make", "fault"),
    [
        (lambda: RefractoryLIF(refractory=-1), "RefractoryLIF: refractory must be >= 0, got -1"),
        (lambda: SynapticLIF(tau_rise=0.5), "SynapticLIF: tau_rise must be >= 1, got 0.5"),
        (lambda: SynapticLIF(tau_decay=0), "SynapticLIF: tau_decay must be >= 1, got 0"),
        (lambda: ConductanceLIF(tau_i=0.0), "ConductanceLIF: tau_i must be > 0, got 0"),
        (lambda: NoisyLIF(sigma=-0.1), "NoisyLIF: sigma must be >= 0, got -0.1"),
        (lambda: EscapeRate(delta=0.0), "EscapeRate: delta must be > 0, got 0"),
        (lambda: EscapeRate(rate=[1.0, -2.0]), "EscapeRate: rate must be > 0, got -2"),
    ],
)
def test_ranges_are_checked(make, fault):
    with pytest.raises(ValueError, match=f"^{fault}$"):
        make()
