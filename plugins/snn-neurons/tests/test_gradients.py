"""The neurons against equations written out by hand: forward and back-propagation through time.

The backward recurrences are Eq. 23-24 of the SpikingJelly paper in float64:
``gH = gS g + (gV + c) rho``, ``gX = gH dH/dX``, ``c <- gH dH/dV``.
"""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from snn_neurons import IF, LIF, PLIF

T, N = 7, 5
TAU, V_TH, ALPHA = 1.75, 0.8, 2.0


def charge(kind, decay_input, v_reset):
    """(f(x, v), dH/dX, dH/dV) of one step."""
    if kind is IF:
        return (lambda x, v: v + x), 1.0, 1.0
    k, rest = 1 / TAU, v_reset or 0.0
    if decay_input:
        return (lambda x, v: v + (x - (v - rest)) * k), k, 1 - k
    return (lambda x, v: v - (v - rest) * k + x), 1.0, 1 - k


def surrogate(h):
    return (ALPHA / 2) / (1 + (math.pi / 2 * ALPHA * (h - V_TH)) ** 2)


# Every mixture on eager; of the kernels, which the contract suite compares with it, a few. None
# is the fastest backend there is. IF has no input to decay.
MIXTURES = [
    mixture
    for mixture in itertools.product(
        (IF, LIF, PLIF), (True, False), (0.0, 0.1, None), (False, True), ("eager",)
    )
    if mixture[:2] != (IF, False)
]
MIXTURES += [(kind, True, 0.1, False, None) for kind in (IF, LIF, PLIF)]
MIXTURES += [(IF, True, None, True, None)]
MIXTURES += [(kind, False, None, True, None) for kind in (LIF, PLIF)]


@pytest.mark.parametrize(("kind", "decay_input", "v_reset", "detach_reset", "backend"), MIXTURES)
def test_forward_and_backward_equal_the_written_recurrences(
    kind, decay_input, v_reset, detach_reset, backend
):
    generator = torch.Generator().manual_seed(0)
    x, g_s, g_v = (torch.randn(T, N, dtype=torch.float64, generator=generator) for _ in range(3))
    params = {"v_threshold": V_TH, "v_reset": v_reset, "detach_reset": detach_reset}
    params |= {"backend": backend}
    if kind is LIF:
        params |= {"tau": TAU, "decay_input": decay_input}
    if kind is PLIF:
        params |= {"init_tau": TAU, "decay_input": decay_input}
    neuron = kind(**params, step_mode="m", store_v_seq=True).double()
    given = (x + 0.5).requires_grad_()
    spikes = neuron(given)
    torch.autograd.backward((spikes, neuron.v_seq), (g_s, g_v))

    step, d_x, d_v = charge(kind, decay_input, v_reset)
    rest = v_reset or 0.0
    v, hs, ss, vs = torch.full((N,), rest, dtype=torch.float64), [], [], []
    for now in given.detach():
        h = step(now, v)
        s = (h >= V_TH).double()
        v = h - s * V_TH if v_reset is None else (1 - s) * h + s * v_reset
        hs.append(h), ss.append(s), vs.append(v)
    assert torch.equal(spikes, torch.stack(ss))
    assert torch.allclose(neuron.v_seq, torch.stack(vs), atol=1e-7)

    carry, g_x, g_k = torch.zeros(N, dtype=torch.float64), [], 0.0
    for t in reversed(range(T)):
        h, s, g = hs[t], ss[t], surrogate(hs[t])
        if v_reset is None:
            rho = 1 - (0 if detach_reset else V_TH * g)
        else:
            rho = 1 - s + (0 if detach_reset else (v_reset - h) * g)
        g_h = g_s[t] * g + (g_v[t] + carry) * rho
        g_x.append(g_h * d_x)
        before = vs[t - 1] if t else torch.full((N,), rest, dtype=torch.float64)
        drive = given.detach()[t] if decay_input else 0.0
        g_k += (g_h * (drive - (before - rest))).sum()
        carry = g_h * d_v
    expected = torch.stack(g_x[::-1])
    assert torch.allclose(given.grad, expected, rtol=1e-6, atol=1e-7)
    if kind is PLIF:
        k = 1 / TAU
        assert neuron.w.grad.item() == pytest.approx(float(g_k) * k * (1 - k), rel=1e-5)


def test_plif_starts_at_its_time_constant():
    neuron = PLIF(init_tau=[2.0, 5.0])
    assert torch.allclose(neuron.init_tau, torch.tensor([2.0, 5.0]))
    assert torch.allclose(neuron.w, -torch.log(torch.tensor([1.0, 4.0])))
    assert "tau=tensor[2]" in repr(neuron)


@pytest.mark.parametrize(("kind", "name"), [(LIF, "tau"), (PLIF, "init_tau")])
@pytest.mark.parametrize("value", [1, 0.5, [2.0, 1.0]])
def test_a_time_constant_must_exceed_one(kind, name, value):
    worst = min(value) if isinstance(value, list) else value
    with pytest.raises(ValueError, match=rf"^{kind.__name__}: {name} must be > 1, got {worst:g}$"):
        kind(value)


def test_soft_reset_leaks_to_zero_and_hard_reset_to_its_value():
    x = torch.zeros(1, 1)
    soft, hard = LIF(v_reset=None), LIF(v_reset=0.5)
    soft.v = torch.tensor([[0.5]])
    hard.v = torch.tensor([[0.5]])
    soft(x), hard(x)
    assert soft.v.item() == 0.25
    assert hard.v.item() == 0.5


def test_integers_are_taken_where_floats_are_meant():
    neuron = LIF(2, v_threshold=1, v_reset=0)
    assert (neuron.tau, neuron.v_threshold, neuron.v_reset) == (2.0, 1.0, 0.0)
