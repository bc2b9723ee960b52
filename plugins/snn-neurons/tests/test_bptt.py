"""Neurons against their equations in NumPy: forward, and back-propagation through time by hand.

Nothing here uses autograd. ``g`` is the surrogate's derivative, ``c`` the gradient of a state after
the step at hand, and every test sends gradients into every output, every V, and the last value of
the second state. Everything is float64.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import snncore
from snn_neurons.adaptive import Adaptive

T, N = 9, 7
V_TH = 0.8

CASES = [
    (0.0, False, "eager"),
    (0.1, True, "eager"),
    (None, False, "eager"),
    (None, True, "eager"),
    (0.1, False, "cpp"),
]
resets = pytest.mark.parametrize(("v_reset", "detach", "backend"), CASES)
rng = np.random.default_rng(5)
GY, GV, LAST = rng.normal(size=(T, N)), rng.normal(size=(T, N)), rng.normal(size=N)
NOISE = rng.normal(size=(T, N))


def atan(distance):
    return 1 / (1 + (np.pi * distance) ** 2)


def rect(distance):
    return (np.abs(distance) < 0.5).astype(float)


def fired(distance):
    return (distance >= 0).astype(float)


def after(h, s, v_reset, threshold=V_TH):
    return h - s * threshold if v_reset is None else (1 - s) * h + s * v_reset


def rho(h, s, g, v_reset, detach, threshold=V_TH):
    """dV/dH of the reset."""
    through = 0 if detach else g
    if v_reset is None:
        return 1 - threshold * through
    return 1 - s + (v_reset - h) * through


def check(name, x, spikes, potentials, by_x, *, backend, second=None, last=None, **params):
    """Builds, runs and compares; parameters given as ``(value, gradient)`` learn."""
    if backend != "eager" and snncore.get("backend", backend)().available() is not None:
        pytest.skip(f"backend {backend} is not available")
    wanted = {key: value for key, value in params.items() if isinstance(value, tuple)}
    given = {
        key: nn.Parameter(torch.tensor(value[0], dtype=torch.float64)) if key in wanted else value
        for key, value in params.items()
    }
    net = snncore.get("neuron", f"snn-neurons/{name}")(
        **given, step_mode="m", store_v_seq=True, backend=backend
    )
    entered = torch.from_numpy(x).requires_grad_()
    y = net(entered)
    ends, incoming = [y, net.v_seq], [torch.from_numpy(GY), torch.from_numpy(GV)]
    if second is not None:
        ends.append(getattr(net, second))
        incoming.append(torch.from_numpy(LAST))
    torch.autograd.backward(ends, incoming)
    close = {"rtol": 1e-10, "atol": 1e-12}
    np.testing.assert_allclose(y.detach().numpy(), spikes, **close)
    np.testing.assert_allclose(net.v_seq.detach().numpy(), potentials, **close)
    if second is not None:
        np.testing.assert_allclose(ends[-1].detach().numpy(), last, **close)
    np.testing.assert_allclose(entered.grad.numpy(), by_x, **close)
    for key, (_, gradient) in wanted.items():
        assert getattr(net, key).grad.item() == pytest.approx(gradient, rel=1e-10), key


def assert_active(spikes):
    """Enough of both, so that every term of the recurrences counts."""
    assert 0.1 < np.count_nonzero(spikes) / np.size(spikes) < 0.9


def one_state(x, charge, slopes, v_reset, detach):
    """Spikes, potentials, and the steps (gH, V before, H, gradient of the threshold), last first.

    ``slopes(v)`` is (dH/dX, dH/dV).
    """
    v = np.full(N, v_reset or 0.0)
    tape, spikes, potentials = [], [], []
    for now in x:
        h = charge(now, v)
        s = fired(h - V_TH)
        tape.append((v, h, s))
        v = after(h, s, v_reset)
        spikes.append(s), potentials.append(v)
    steps, c = [], np.zeros(N)
    for t in reversed(range(T)):
        v, h, s = tape[t]
        g, c = atan(h - V_TH), c + GV[t]
        factor = rho(h, s, g, v_reset, detach)
        g_h = GY[t] * g + c * factor
        # Whatever leaves through the spike, and what a soft reset subtracts.
        kept = 1 if v_reset is None else 1 - s
        by_threshold = -(GY[t] * g + c * (factor - kept)) - (c * s if v_reset is None else 0)
        d_x, d_v = slopes(v)
        steps.append((g_h, v, g_h * d_x, by_threshold))
        c = g_h * d_v
    assert_active(spikes)
    return np.stack(spikes), np.stack(potentials), steps


def by_input(steps):
    return np.stack([by_x for _, _, by_x, _ in reversed(steps)])


@resets
def test_qif(v_reset, detach, backend):
    tau, a0, v_rest, v_c = 1.75, 0.6, -0.2, 0.7
    x = NOISE + 1.0
    spikes, potentials, steps = one_state(
        x,
        lambda x, v: v + (x + a0 * (v - v_rest) * (v - v_c)) / tau,
        lambda v: (1 / tau, 1 + a0 * (2 * v - v_rest - v_c) / tau),
        v_reset,
        detach,
    )
    threshold = (V_TH, sum(step[3].sum() for step in steps))
    params = {"tau": tau, "a0": a0, "v_rest": v_rest, "v_c": v_c, "v_threshold": threshold}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    check("qif", x, spikes, potentials, by_input(steps), **params, **options)


@resets
def test_eif(v_reset, detach, backend):
    tau, d, theta, v_rest = 1.75, 0.5, 0.9, -0.2
    x = NOISE + 0.6
    spikes, potentials, steps = one_state(
        x,
        lambda x, v: v + (x + v_rest - v + d * np.exp((v - theta) / d)) / tau,
        lambda v: (1 / tau, 1 + (np.exp((v - theta) / d) - 1) / tau),
        v_reset,
        detach,
    )
    threshold = (V_TH, sum(step[3].sum() for step in steps))
    params = {"tau": tau, "delta_t": d, "theta_rh": theta, "v_rest": v_rest}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    check("eif", x, spikes, potentials, by_input(steps), **params, v_threshold=threshold, **options)


@resets
def test_general_linear(v_reset, detach, backend):
    alpha, beta = 0.7, 0.9
    x = NOISE + 0.4
    spikes, potentials, steps = one_state(
        x, lambda x, v: alpha * v + beta * x, lambda v: (beta, alpha), v_reset, detach
    )
    params = {
        "alpha": (alpha, sum((g_h * v).sum() for g_h, v, *_ in steps)),
        "beta": (
            beta,
            sum((g_h * now).sum() for (g_h, *_), now in zip(steps, x[::-1], strict=True)),
        ),
        "v_threshold": (V_TH, sum(step[3].sum() for step in steps)),
    }
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    check("general_linear", x, spikes, potentials, by_input(steps), **params, **options)


@pytest.mark.parametrize(("alpha", "used"), [(1.25, 1.0), (-0.5, 0.0)])
def test_general_linear_keeps_its_decay_within_bounds(alpha, used):
    free, bound = (snncore.build("neuron", "general_linear", step_mode="m") for _ in range(2))
    with torch.no_grad():
        free.alpha.fill_(alpha), bound.alpha.fill_(used)
    x = torch.from_numpy(NOISE).float()
    assert torch.equal(free(x), bound(x))
    assert torch.equal(free.v, bound.v)
    free.v.sum().backward()
    assert free.alpha.grad.item() == 0.0
    assert free.beta.grad.item() != 0.0


@resets
def test_adex(v_reset, detach, backend):
    tau, d, theta, v_rest, a, b, tau_w, w_rest = 1.75, 0.5, 0.9, -0.2, 0.4, 0.3, 2.5, 0.15
    x = NOISE + 1.0
    v, w = np.full(N, v_reset or 0.0), np.full(N, w_rest)
    tape, spikes, potentials = [], [], []
    for now in x:
        h = v + (now + v_rest - v + d * np.exp((v - theta) / d) - w) / tau
        s = fired(h - V_TH)
        tape.append((v, h, s))
        v, w = after(h, s, v_reset), w + (a * (h - v_rest) - w) / tau_w + b * s
        spikes.append(s), potentials.append(v)
    assert_active(spikes)
    c_v, c_w, by_x = np.zeros(N), LAST, np.zeros((T, N))
    for t in reversed(range(T)):
        v, h, s = tape[t]
        g, c_v = atan(h - V_TH), c_v + GV[t]
        g_h = (GY[t] + b * c_w) * g + c_v * rho(h, s, g, v_reset, detach) + a / tau_w * c_w
        by_x[t] = g_h / tau
        c_v = g_h * (1 + (np.exp((v - theta) / d) - 1) / tau)
        c_w = -g_h / tau + (1 - 1 / tau_w) * c_w
    params = {"tau": tau, "delta_t": d, "theta_rh": theta, "v_rest": v_rest, "a": a, "b": b}
    params |= {"tau_w": tau_w, "w_rest": (w_rest, c_w.sum()), "v_threshold": V_TH}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    ends = {"second": "w", "last": w}
    check("adex", x, np.stack(spikes), np.stack(potentials), by_x, **ends, **params, **options)


@pytest.mark.parametrize(
    ("v_reset", "detach", "backend", "scale_reset", "decay_input"),
    [
        (*case, scale_reset, decay_input)
        for case in CASES
        for scale_reset in (False, True)
        for decay_input in (False, True)
        if "cpp" not in case or scale_reset != decay_input
    ],
)
def test_klif(v_reset, detach, backend, scale_reset, decay_input):
    tau, k = 1.75, 1.3
    rest, x = v_reset or 0.0, NOISE + 0.6
    share = 1 / tau if decay_input else 1.0
    inverse = 1 / k if scale_reset else 1.0
    v = np.full(N, rest)
    tape, spikes, potentials = [], [], []
    for now in x:
        h0 = v + share * now - (v - rest) / tau
        u = np.maximum(k * h0, 0)
        s = fired(u - V_TH)
        tape.append((h0, u, s))
        v = after(u * inverse, s, v_reset, V_TH * inverse)
        spikes.append(s), potentials.append(v)
    assert_active(spikes)
    assert np.mean([h0 <= 0 for h0, *_ in tape]) > 0.05
    c, by_x, by_k = np.zeros(N), np.zeros((T, N)), 0.0
    for t in reversed(range(T)):
        h0, u, s = tape[t]
        g, c = atan(u - V_TH), c + GV[t]
        through = 0 if detach else g
        if v_reset is None:
            r, scaled = inverse * (1 - V_TH * through), u - s * V_TH
        else:
            r, scaled = (1 - s) * inverse + (v_reset - u * inverse) * through, (1 - s) * u
        if scale_reset:
            by_k -= (c * scaled).sum() / k**2
        g_u = GY[t] * g + c * r
        by_k += (g_u * h0 * (k * h0 > 0)).sum()
        g_h = k * g_u * (k * h0 > 0)
        by_x[t], c = g_h * share, g_h * (1 - 1 / tau)
    params = {"tau": tau, "k": (k, by_k), "v_threshold": V_TH, "scale_reset": scale_reset}
    params |= {"decay_input": decay_input}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    check("klif", x, np.stack(spikes), np.stack(potentials), by_x, **params, **options)


@pytest.mark.parametrize(("detach", "backend"), [(False, "eager"), (True, "eager"), (False, "cpp")])
def test_clif(detach, backend):
    tau, x = 1.75, NOISE + 0.4

    def sigma(value):
        return 1 / (1 + np.exp(-value))

    v, m = np.zeros(N), np.zeros(N)
    tape, spikes, potentials = [], [], []
    for now in x:
        h = v - v / tau + now
        s, before = fired(h - V_TH), m
        m = m * sigma(h / tau) + s
        tape.append((before, h, s, m))
        v = h - s * (V_TH + sigma(m))
        spikes.append(s), potentials.append(v)
    assert_active(spikes)
    c_v, c_m, by_x = np.zeros(N), LAST, np.zeros((T, N))
    for t in reversed(range(T)):
        before, h, s, now = tape[t]
        c_v = c_v + GV[t]
        q, p = sigma(h / tau), sigma(now)
        g_m = c_m - c_v * s * p * (1 - p)
        g_s = GY[t] + g_m - (0 if detach else c_v * (V_TH + p))
        g_h = g_s * rect(h - V_TH) + c_v + g_m * before * q * (1 - q) / tau
        by_x[t], c_v, c_m = g_h, g_h * (1 - 1 / tau), g_m * q
    params = {"tau": tau, "v_threshold": V_TH, "detach_reset": detach, "backend": backend}
    ends = {"second": "m", "last": m}
    check("clif", x, np.stack(spikes), np.stack(potentials), by_x, **ends, **params)


@resets
def test_cuba_lif(v_reset, detach, backend):
    c, d, x = 0.6, 0.7, NOISE * 0.7 + 0.2
    v, i = np.full(N, v_reset or 0.0), np.zeros(N)
    tape, spikes, potentials = [], [], []
    for now in x:
        i = c * i + now
        h = d * v + i
        s = fired(h - V_TH)
        tape.append((h, s))
        v = after(h, s, v_reset)
        spikes.append(s), potentials.append(v)
    assert_active(spikes)
    c_v, c_i, by_x = np.zeros(N), LAST, np.zeros((T, N))
    for t in reversed(range(T)):
        h, s = tape[t]
        g, c_v = rect(h - V_TH), c_v + GV[t]
        g_h = GY[t] * g + c_v * rho(h, s, g, v_reset, detach)
        by_x[t] = g_h + c_i
        c_v, c_i = d * g_h, c * by_x[t]
    params = {"c_decay": c, "v_decay": d, "v_threshold": V_TH}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    ends = {"second": "i", "last": i}
    check("cuba_lif", x, np.stack(spikes), np.stack(potentials), by_x, **ends, **params, **options)


ACTIVATIONS = {
    "relu": (lambda h: np.maximum(h, 0), lambda h: (h > 0).astype(float)),
    "leaky_relu": (lambda h: np.where(h > 0, h, 0.01 * h), lambda h: np.where(h > 0, 1, 0.01)),
    "elu": (
        lambda h: np.where(h > 0, h, np.expm1(h)),
        lambda h: np.where(h > 0, 1, np.exp(h)),
    ),
    "tanh": (np.tanh, lambda h: 1 - np.tanh(h) ** 2),
    "softplus": (lambda h: np.log1p(np.exp(h)), lambda h: 1 / (1 + np.exp(-h))),
    "identity": (lambda h: h, np.ones_like),
}


# Kernels of all activations are compared with eager by the core.
ACTIVE = [
    (act, *case, threshold_related)
    for act in ACTIVATIONS
    for case in CASES
    for threshold_related in (False, True)
    if "cpp" not in case or (act, threshold_related) in {("relu", False), ("elu", True)}
]


@pytest.mark.parametrize(("act", "v_reset", "detach", "backend", "threshold_related"), ACTIVE)
def test_liaf(act, v_reset, detach, backend, threshold_related):
    tau, x, rest = 1.75, NOISE + 0.8, v_reset or 0.0
    value, slope = ACTIVATIONS[act]
    shift = V_TH if threshold_related else 0.0
    v = np.full(N, rest)
    tape, outputs, potentials = [], [], []
    for now in x:
        h = v + (now - (v - rest)) / tau
        s = fired(h - V_TH)
        tape.append((h, s))
        v = after(h, s, v_reset)
        outputs.append(value(h - shift)), potentials.append(v)
    assert_active([s for _, s in tape])
    c, by_x = np.zeros(N), np.zeros((T, N))
    for t in reversed(range(T)):
        h, s = tape[t]
        g, c = atan(h - V_TH), c + GV[t]
        g_h = slope(h - shift) * GY[t] + c * rho(h, s, g, v_reset, detach)
        by_x[t], c = g_h / tau, g_h * (1 - 1 / tau)
    params = {"tau": tau, "v_threshold": V_TH, "act": act, "threshold_related": threshold_related}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    check("liaf", x, np.stack(outputs), np.stack(potentials), by_x, **params, **options)


@resets
@pytest.mark.parametrize("leaks", [False, True])
def test_ternary(v_reset, detach, backend, leaks):
    tau, rest, x = 1.75, v_reset or 0.0, NOISE * 1.2
    v = np.full(N, rest)
    tape, spikes, potentials = [], [], []
    for now in x:
        h = v + (now - (v - rest)) / tau if leaks else v + now
        p, m = fired(h - V_TH), fired(-h - V_TH)
        tape.append((h, p + m))
        v = after(h, p - m if v_reset is None else p + m, v_reset)
        spikes.append(p - m), potentials.append(v)
    assert_active(spikes)
    assert set(np.unique(spikes)) == {-1.0, 0.0, 1.0}
    c, by_x = np.zeros(N), np.zeros((T, N))
    for t in reversed(range(T)):
        h, e = tape[t]
        g_p, g_m, c = atan(h - V_TH), atan(-h - V_TH), c + GV[t]
        if v_reset is None:
            r = 1 - (0 if detach else V_TH * (g_p + g_m))
        else:
            r = 1 - e + (0 if detach else (v_reset - h) * (g_p - g_m))
        g_h = GY[t] * (g_p + g_m) + c * r
        by_x[t], c = (g_h / tau, g_h * (1 - 1 / tau)) if leaks else (g_h, g_h)
    params = {"tau": tau} if leaks else {}
    options = {"v_reset": v_reset, "detach_reset": detach, "backend": backend}
    name = "ternary_lif" if leaks else "ternary_if"
    check(
        name,
        x,
        np.stack(spikes),
        np.stack(potentials),
        by_x,
        v_threshold=V_TH,
        **params,
        **options,
    )


@pytest.mark.parametrize(("detach", "backend"), [(False, "eager"), (True, "eager"), (False, "cpp")])
def test_ilif(detach, backend):
    tau, most, x = 1.5, 3, NOISE * 1.5 + 1.0
    v = np.zeros(N)
    tape, spikes, potentials = [], [], []
    for now in x:
        h = v - v / tau + now
        s = np.rint(np.clip(h / V_TH, 0, most))
        tape.append((h, s))
        v = h - s * V_TH
        spikes.append(s), potentials.append(v)
    assert_active(spikes)
    assert set(np.unique(spikes)) == {0.0, 1.0, 2.0, 3.0}
    c, by_x, by_threshold = np.zeros(N), np.zeros((T, N)), 0.0
    for t in reversed(range(T)):
        h, s = tape[t]
        inside, c = (h >= 0) & (h <= most * V_TH), c + GV[t]
        on_s = GY[t] - (0 if detach else c * V_TH)
        g_h = on_s * inside / V_TH + c
        by_threshold += (-on_s * inside * h / V_TH**2 - c * s).sum()
        by_x[t], c = g_h, g_h * (1 - 1 / tau)
    params = {"tau": tau, "D": most, "v_threshold": (V_TH, by_threshold)}
    check(
        "ilif",
        x,
        np.stack(spikes),
        np.stack(potentials),
        by_x,
        detach_reset=detach,
        backend=backend,
        **params,
    )


def test_ilif_defaults_keep_a_quarter_and_round_half_to_even():
    net = snncore.build("neuron", "ilif", backend="eager")
    # H is 0.25 * 8 + X
    x, v = torch.tensor([0.5, 1.5, -3.0, 9.0]), torch.full((4,), 8.0)
    spikes, after_it = net.step(x, v)
    assert spikes.tolist() == [2.0, 4.0, 0.0, 4.0]
    assert after_it.tolist() == pytest.approx([0.5, -0.5, -1.0, 7.0])


@pytest.mark.parametrize(
    ("name", "parameter", "value", "fault"),
    [
        ("qif", "tau", 1.0, "> 1, got 1"),
        ("qif", "a0", 0.0, "> 0, got 0"),
        ("eif", "tau", 1.0, "> 1, got 1"),
        ("eif", "delta_t", 0.0, "> 0, got 0"),
        ("adex", "delta_t", -1.0, "> 0, got -1"),
        ("adex", "tau_w", 0.5, "> 1, got 0.5"),
        ("klif", "tau", 1.0, "> 1, got 1"),
        ("klif", "k", 0.0, "> 0, got 0"),
        ("clif", "tau", 1.0, "> 1, got 1"),
        ("cuba_lif", "c_decay", 1.5, "<= 1, got 1.5"),
        ("cuba_lif", "v_decay", -0.5, ">= 0, got -0.5"),
        ("liaf", "tau", 1.0, "> 1, got 1"),
        ("general_linear", "alpha", 1.5, "<= 1, got 1.5"),
        ("ternary_if", "v_threshold", 0.0, "> 0, got 0"),
        ("ternary_lif", "tau", 1.0, "> 1, got 1"),
        ("ternary_lif", "v_threshold", -1.0, "> 0, got -1"),
        ("ilif", "tau", 1.0, "> 1, got 1"),
        ("ilif", "v_threshold", 0.0, "> 0, got 0"),
    ],
)
def test_ranges_are_checked(name, parameter, value, fault):
    cls = snncore.get("neuron", name)
    with pytest.raises(ValueError, match=rf"^{cls.__name__}: {parameter} must be {fault}$"):
        cls(**{parameter: value})


def test_neurons_with_an_adaptation_current_share_its_definition():
    izhikevich, adex = (snncore.get("neuron", name) for name in ("izhikevich", "adex"))
    assert izhikevich.step is adex.step
    assert izhikevich.initial is adex.initial


def test_an_adaptive_neuron_without_a_charge_says_so():
    class Bare(Adaptive):
        """Defines no charge."""

    numbers = {"v_rest": 0.0, "a": 0.0, "b": 0.0, "tau_w": 2.0, "w_rest": 0.0}
    net = Bare(
        **numbers,
        v_threshold=1.0,
        v_reset=0.0,
        detach_reset=False,
        surrogate="atan",
        step_mode="s",
        store_v_seq=False,
        backend="eager",
    )
    with pytest.raises(TypeError, match=r"^Bare must define charge\(x, v, w\)$"):
        net(torch.zeros(1, 2))
