"""GLIF against its equations written out, and the clock that says whose turn of c it is."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

import snncore
from snn_neurons import GLIF
from snncore.errors import StateError

T, N = 7, 6
VALUES = {"alpha": 0.3, "beta": 0.6, "gamma": 0.7, "tau": 0.8, "linear_decay": 0.05}
VALUES |= {"v_subreset": 0.4, "v_threshold": 0.45}
COURSE = np.linspace(0.2, 0.9, T)
BACKENDS = ["eager", "cpp"]


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def made(**options):
    given = {f"init_{name}": value for name, value in VALUES.items()}
    return GLIF(T, **given, init_conduct=COURSE.tolist(), **options)


def sequence(steps=T):
    return torch.rand(steps, 2, 3, generator=torch.Generator().manual_seed(0)) * 3


def close(got, expected):
    return np.allclose(got, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_forward_and_backward_equal_the_written_recurrences(backend):
    net = made(step_mode="m", store_v_seq=True, backend=backend).double()
    x = torch.from_numpy(normal(1, T, N) + 0.8).requires_grad_()
    on_s, on_v, c_s = normal(2, T, N), normal(3, T, N), normal(4, N)
    y = net(x)
    ends = [torch.from_numpy(g) for g in (on_s, on_v, c_s)]
    torch.autograd.backward((y, net.v_seq, net.s), ends)

    al, be, ga, tau, ln, r, v_th = VALUES.values()
    k = 1 - al * (1 - tau)
    v, before, tape = np.zeros(N), np.zeros(N), []
    for now, c in zip(x.detach().numpy(), COURSE, strict=True):
        h = k * v - (1 - al) * ln + now * (1 - be * (1 - c))
        h = h - k * v * ga * before - (1 - ga) * r * before
        s = (h >= v_th) * 1.0
        tape.append((now, c, v, before, h, s))
        v, before = h, s
    spikes = np.stack([s for *_, s in tape])
    assert 0.2 < spikes.mean() < 0.8
    assert np.array_equal(y.numpy(force=True), spikes)
    assert close(net.v_seq.numpy(force=True), np.stack([row[4] for row in tape]))

    found, c_v, g_x, g_c = dict.fromkeys(VALUES, 0.0), np.zeros(N), [], []
    for t in reversed(range(T)):
        now, c, v, before, h, s = tape[t]
        by_s = on_s[t] + c_s
        g = 1 / (1 + (np.pi * (h - v_th)) ** 2)
        g_h = by_s * g + c_v + on_v[t]
        for name, value in {
            "alpha": g_h * (ln - (1 - tau) * v * (1 - ga * before)),
            "beta": -g_h * now * (1 - c),
            "gamma": g_h * before * (r - k * v),
            "tau": g_h * al * v * (1 - ga * before),
            "linear_decay": -g_h * (1 - al),
            "v_subreset": -g_h * (1 - ga) * before,
            "v_threshold": -by_s * g,
        }.items():
            found[name] = found[name] + value.sum()
        g_x.append(g_h * (1 - be * (1 - c)))
        g_c.append((g_h * now * be).sum())
        c_v = g_h * k * (1 - ga * before)
        c_s = g_h * (-k * ga * v - (1 - ga) * r)
    assert close(x.grad.numpy(), np.stack(g_x[::-1]))
    for name, value in found.items():
        slope = VALUES[name] * (1 - VALUES[name])
        assert getattr(net, f"w_{name}").grad.item() == pytest.approx(value * slope, rel=1e-5)
    slopes = COURSE * (1 - COURSE)
    assert close([w.grad.item() for w in net.w_conduct], np.array(g_c[::-1]) * slopes)


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_way_through_a_sequence_takes_the_same_course(backend):
    whole, stepped, cut = (made(backend=backend) for _ in range(3))
    x = sequence()
    for net in (whole, cut):
        snncore.set_step_mode(net, "m")
    expected = whole(x)
    assert torch.equal(torch.stack([stepped(now) for now in x]), expected)
    assert torch.equal(torch.cat([cut(part) for part in x.split([1, 4, 2])]), expected)
    assert torch.equal(made(step_mode="m")(x, torch.tensor(COURSE[:, None]).float()), expected)
    for net in (stepped, cut):
        assert torch.equal(net.v, whole.v)
        assert net.clock.unique().tolist() == [T]


def test_each_step_has_a_gate_of_its_own_per_channel():
    course = torch.linspace(0.1, 0.9, T * 3).view(T, 3)
    net = GLIF(T, init_conduct=course, step_mode="m")
    assert torch.allclose(net.conduct, course)
    net(sequence()).sum().backward()
    assert all(w.grad.shape == (3,) and w.grad.abs().sum() > 0 for w in net.w_conduct)


def test_more_than_t_steps_explain_themselves():
    net = torch.nn.Sequential(made(step_mode="m"))
    net(sequence(5))
    text = (
        r"net\.0 \(snn-neurons/glif\) has parameters for 7 steps; 5 have been run since the last "
        r"reset, and this call has 3\. Call snncore\.reset\(net\) before the next sequence\."
    )
    with pytest.raises(StateError, match=text):
        net(sequence(3))
    assert net[0].clock.unique().tolist() == [5.0]
    net(sequence(2))
    snncore.reset(net)
    net(sequence(7))


def test_the_functional_form_and_a_snapshot_know_the_step():
    net = made(step_mode="m")
    x = sequence()
    expected = net(x)
    snncore.reset(net)
    call, init = snncore.functional(net)
    first, states = call(x[:3], init(x))
    second, _ = call(x[3:], states)
    assert torch.equal(torch.cat([first, second]), expected)
    net(x[:3])
    twin = copy.deepcopy(net)
    assert torch.equal(twin(x[3:]), expected[3:])


@pytest.mark.parametrize("chunks", [[7], [3, 4]])
def test_a_checkpointed_run_has_the_same_gradients(chunks):
    def run(net, x):
        return torch.cat([net(part) for part in x.split(chunks)])

    plain, kept = made(step_mode="m"), made(step_mode="m")
    x, other = sequence().requires_grad_(), sequence().requires_grad_()
    run(plain, x).sum().backward()
    checkpoint(run, kept, other, use_reentrant=False).sum().backward()
    assert torch.equal(other.grad, x.grad)
    for w, expected in zip(kept.parameters(), plain.parameters(), strict=True):
        assert torch.equal(w.grad, expected.grad)


def test_gates_are_drawn_near_one_half_and_the_rest_follows_the_threshold():
    torch.manual_seed(0)
    net = GLIF(8)
    for gate in (net.w_alpha, net.w_beta, net.w_gamma):
        assert 0 < gate.abs() <= 0.1
    assert net.init_tau.item() == pytest.approx(0.25)
    assert net.v_threshold.item() == pytest.approx(0.5)
    assert net.init_linear_decay.item() == pytest.approx(0.5 / 16)
    assert net.init_v_subreset.item() == pytest.approx(0.5)
    assert net.conduct.tolist() == [0.5] * 8


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({"T": 0}, "GLIF: T must be >= 1, got 0"),
        ({"T": 2, "init_tau": 1.0}, "GLIF: init_tau must be < 1, got 1"),
        ({"T": 2, "init_alpha": 0.0}, "GLIF: init_alpha must be > 0, got 0"),
        ({"T": 2, "init_conduct": [0.5, 1.5]}, r"GLIF: init_conduct must lie in \(0, 1\)"),
        (
            {"T": 2, "init_conduct": [0.5, 0.5, 0.5]},
            r"GLIF: init_conduct is one number or \[T, \*\] with T = 2, got shape \[3\]",
        ),
    ],
)
def test_values_are_checked(params, fault):
    with pytest.raises(ValueError, match=fault):
        GLIF(**params)
