"""The resonators against complex NumPy, by hand, and against the differential equation itself."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons import RAF, ResonateAndFire

T, N = 12, 7
V_TH = 0.8
B, OMEGA, DT = -0.15, 1.3, 0.7
rng = np.random.default_rng(5)
NOISE, GY, GV = (rng.normal(size=(T, N)) for _ in range(3))
LAST = rng.normal(size=N)
BACKENDS = ["eager", "cpp"]


def atan(distance):
    return 1 / (1 + (np.pi * distance) ** 2)


def rotation():
    turn = np.exp((B + 1j * OMEGA) * DT)
    return turn, turn.real, turn.imag


def run(net, x):
    """Outputs, every V, the last U and the gradient of x."""
    entered = torch.from_numpy(x).requires_grad_()
    y = net(entered)
    torch.autograd.backward(
        (y, net.v_seq, net.u), (torch.from_numpy(GY), torch.from_numpy(GV), torch.from_numpy(LAST))
    )
    return [t.detach().numpy() for t in (y, net.v_seq, net.u, entered.grad)]


def available(backend):
    if snncore.get("backend", backend)().available() is not None:
        pytest.skip(f"backend {backend} is not available")
    return backend


def close(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("v_reset", [0.1, None])
@pytest.mark.parametrize("detach", [False, True])
def test_raf_equals_its_written_recurrences(backend, v_reset, detach):
    net = RAF(
        B,
        omega=OMEGA,
        dt=DT,
        v_threshold=V_TH,
        v_reset=v_reset,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=available(backend),
    )
    x = NOISE
    turn, cos, sin = rotation()
    z = np.full(N, 1j * (v_reset or 0.0))
    tape, spikes, potentials = [], [], []
    for now in x:
        turned = turn * z
        h = turned.imag
        s = (h >= V_TH).astype(float)
        tape.append((h, s))
        v = h - s * V_TH if v_reset is None else (1 - s) * h + s * v_reset
        z = turned.real + now + 1j * v
        spikes.append(s), potentials.append(v)
    assert 0.1 < np.mean(spikes) < 0.9
    c_v, c_u, by_x = np.zeros(N), LAST, np.zeros((T, N))
    for t in reversed(range(T)):
        h, s = tape[t]
        g, c_v = atan(h - V_TH), c_v + GV[t]
        through = 0 if detach else g
        rho = 1 - V_TH * through if v_reset is None else 1 - s + (v_reset - h) * through
        g_h = GY[t] * g + c_v * rho
        by_x[t] = c_u
        c_u, c_v = cos * c_u + sin * g_h, cos * g_h - sin * c_u
    close(run(net, x), (np.stack(spikes), np.stack(potentials), z.real, by_x))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("detach", [False, True])
def test_resonate_and_fire_equals_its_written_recurrences(backend, detach):
    v_reset, u_reset = 0.9, -0.2
    net = ResonateAndFire(
        B,
        omega=OMEGA,
        dt=DT,
        v_threshold=V_TH,
        v_reset=v_reset,
        u_reset=u_reset,
        detach_reset=detach,
        step_mode="m",
        store_v_seq=True,
        backend=available(backend),
    )
    x = 2.0 * NOISE
    turn, cos, sin = rotation()
    gain = (turn - 1) / (B + 1j * OMEGA)
    z = np.zeros(N, dtype=complex)
    tape, spikes, potentials = [], [], []
    for now in x:
        moved = turn * z + gain * now
        s = (moved.imag >= V_TH).astype(float)
        tape.append((moved, s))
        z = (1 - s) * moved + s * (u_reset + 1j * v_reset)
        spikes.append(s), potentials.append(z.imag)
    assert 0.1 < np.mean(spikes) < 0.9
    c_v, c_u, by_x = np.zeros(N), LAST, np.zeros((T, N))
    for t in reversed(range(T)):
        moved, s = tape[t]
        g, c_v = atan(moved.imag - V_TH), c_v + GV[t]
        on_s = c_v * (v_reset - moved.imag) + c_u * (u_reset - moved.real)
        g_h = (GY[t] + (0 if detach else on_s)) * g + c_v * (1 - s)
        g_u = c_u * (1 - s)
        by_x[t] = gain.imag * g_h + gain.real * g_u
        c_u, c_v = cos * g_u + sin * g_h, cos * g_h - sin * g_u
    close(run(net, x), (np.stack(spikes), np.stack(potentials), z.real, by_x))


def test_a_step_is_the_exact_solution_for_a_held_input():
    x, v, u = 0.4, 0.3, -0.2
    net = ResonateAndFire(B, omega=OMEGA, dt=DT, backend="eager")
    given = (torch.tensor([value], dtype=torch.float64) for value in (x, v, u))
    _, stepped_v, stepped_u = net.step(*given)

    def slope(z):
        return (B + 1j * OMEGA) * z + x

    z, fine = u + 1j * v, DT / 1000
    for _ in range(1000):
        k1 = slope(z)
        k2 = slope(z + fine / 2 * k1)
        k3 = slope(z + fine / 2 * k2)
        z += fine / 6 * (k1 + 2 * k2 + 2 * k3 + slope(z + fine * k3))
    assert stepped_u.item() == pytest.approx(z.real, rel=1e-10)
    assert stepped_v.item() == pytest.approx(z.imag, rel=1e-10)


@pytest.mark.parametrize(("interval", "expected"), [(10, 1.0), (5, 0.0), (7, 0.0)])
def test_two_pulses_a_period_apart_make_it_fire(interval, expected):
    """Ten steps are a period; half a period later the second pulse cancels the first."""
    net = ResonateAndFire(
        -0.01, omega=2 * np.pi / 10, dt=1.0, v_threshold=1.2, step_mode="m", backend="eager"
    )
    x = torch.zeros(20, 1)
    x[0] = x[interval] = 0.75
    assert net(x).amax().item() == expected


def test_both_states_jump_and_both_start_at_rest():
    net = ResonateAndFire(v_reset=0.7, u_reset=0.4, backend="eager")
    assert [value.tolist() for value in net.init_states(torch.zeros(1))] == [[0.0], [0.0]]
    s, v, u = net.step(torch.tensor([9.0]), torch.tensor([0.0]), torch.tensor([0.0]))
    assert (s.item(), v.item(), u.item()) == (1.0, pytest.approx(0.7), pytest.approx(0.4))


def test_it_does_not_fire_again_from_its_reset_point():
    net = ResonateAndFire(step_mode="m", backend="eager")
    x = torch.zeros(8, 1)
    x[0] = 9.0
    assert net(x).flatten().tolist() == [1.0, *[0.0] * 7]


def test_an_input_of_raf_acts_one_step_later():
    net = RAF(step_mode="m", backend="eager")
    x = torch.zeros(3, 1)
    x[0] = 4.0
    assert net(x).flatten().tolist()[:2] == [0.0, 1.0]


@pytest.mark.parametrize("kind", [RAF, ResonateAndFire])
@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [("b", 0.1, "<= 0, got 0.1"), ("omega", 0.0, "> 0, got 0"), ("dt", -1.0, "> 0, got -1")],
)
def test_ranges_are_checked(kind, name, value, fault):
    with pytest.raises(ValueError, match=f"^{kind.__name__}: {name} must be {fault}$"):
        kind(**{name: value})
