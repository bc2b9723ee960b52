"""Neurons of online training: no gradient through time, a backward at every step."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import snncore
from snn_neurons import LIF, OTTTLIF, SLTTLIF
from snncore.errors import StateError
from snncore.layers import Linear

T, N, TAU, V_TH = 8, 6, 1.75, 0.8
BACKENDS = ["eager", "cpp"]
PLAIN = {"v_reset": None, "decay_input": False, "detach_reset": True}


def normal(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def spikes_of(y):
    return y[0] if isinstance(y, tuple) else y


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize(
    ("kind", "v_reset", "decay_input"),
    [(OTTTLIF, None, False), (OTTTLIF, 0.1, True), (SLTTLIF, 0.1, True), (SLTTLIF, None, False)],
)
def test_forward_and_backward_equal_the_written_recurrences(
    kind, v_reset, decay_input, mode, backend
):
    params = {"v_threshold": V_TH, "v_reset": v_reset, "decay_input": decay_input}
    net = kind(TAU, **params, step_mode=mode, backend=backend)
    x, on_s = (normal(1, T, N) + 0.8).requires_grad_(), normal(2, T, N)
    calls = [net(x)] if mode == "m" else [net(now) for now in x]
    y = spikes_of(calls[0]) if mode == "m" else torch.stack([spikes_of(call) for call in calls])
    y.backward(on_s)

    rest, v, trace = v_reset or 0.0, np.full(N, v_reset or 0.0), np.zeros(N)
    for t, now in enumerate(x.detach().numpy()):
        h = v + (now - (v - rest)) / TAU if decay_input else v - (v - rest) / TAU + now
        s = (h >= V_TH) * 1.0
        v = h - s * V_TH if v_reset is None else (1 - s) * h + s * v_reset
        trace = (1 - 1 / TAU) * trace + s
        assert np.array_equal(y[t].numpy(force=True), s)
        slope = 1 / (1 + (np.pi * (h - V_TH)) ** 2)
        expected = on_s[t].numpy() * slope * (1 / TAU if decay_input else 1.0)
        assert np.allclose(x.grad[t].numpy(), expected, rtol=1e-10)
        if kind is OTTTLIF:
            given = calls[0][1][t] if mode == "m" else calls[t][1]
            assert np.allclose(given.numpy(), trace, rtol=1e-10)
            assert not given.requires_grad
    assert 0.2 < y.mean() < 0.8
    assert np.allclose(net.v.numpy(force=True), v)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [OTTTLIF, SLTTLIF])
def test_a_backward_at_every_step_adds_up_to_one_at_the_end(kind, backend):
    def trained(online):
        torch.manual_seed(0)
        net = nn.Sequential(Linear(4, 8), kind(backend=backend))
        losses = []
        for now in torch.rand(T, 3, 4) * 3:
            losses.append(spikes_of(net(now)).square().mean())
            if online:
                losses[-1].backward()
        if not online:
            sum(losses).backward()
        return net[0].weight.grad

    assert torch.allclose(trained(True), trained(False), rtol=1e-5)
    assert trained(True).abs().sum() > 0


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("kind", "params"), [(OTTTLIF, PLAIN), (SLTTLIF, {"detach_reset": True})])
def test_in_eval_mode_it_is_lif_with_its_gradient_through_time(kind, params, backend):
    net, plain = kind(backend=backend).eval(), LIF(**params, backend=backend)
    for module in (net, plain):
        snncore.set_step_mode(module, "m")
    x, other = ((normal(1, T, N) + 0.8).requires_grad_() for _ in range(2))
    y, expected = net(x), plain(other)
    assert torch.equal(y, expected)
    y.sum().backward()
    expected.sum().backward()
    assert torch.allclose(x.grad, other.grad)
    with pytest.raises(StateError, match="backward has freed"):
        net(x)


def test_the_mode_may_change_between_two_calls():
    net = OTTTLIF(step_mode="m")
    x = torch.rand(3, 2, 4)
    assert len(net(x)) == 2
    assert net.eval()(x).shape == x.shape
    assert len(net.train()(x)) == 2
