from __future__ import annotations

import numpy as np
import pytest
import torch

import snncore
from snn_neurons.layers import SynapseFilter
from snncore.config import config_of
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend

K = 1 / 3.0


def by_hand(x, g_y, g_i, k):
    """I' = I - (1 - x) I k + x, and back through time; gradients of x, of k."""
    i, before, ys = np.zeros(x.shape[1:]), [], []
    for now in x:
        before.append(i)
        i = i - (1 - now) * i * k + now
        ys.append(i)
    carry, g_x, g_k = g_i, np.zeros_like(x), 0.0
    for t in reversed(range(len(x))):
        g = carry + g_y[t]
        g_x[t] = g * (before[t] * k + 1)
        g_k -= (g * (1 - x[t]) * before[t]).sum()
        carry = g * (1 - (1 - x[t]) * k)
    return np.stack(ys), i, g_x, g_k


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("backend", [None, "eager"])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_forward_and_backward_equal_the_written_recurrence(learnable, backend, mode):
    generator = torch.Generator().manual_seed(0)
    x = (torch.rand(7, 2, 3, generator=generator) < 0.4).double()
    g_y = torch.randn(7, 2, 3, generator=generator, dtype=torch.float64)
    g_i = torch.randn(2, 3, generator=generator, dtype=torch.float64)
    net = SynapseFilter(3.0, learnable=learnable, step_mode=mode, backend=backend).double()
    k = net.w.detach().sigmoid().item() if learnable else K
    given = x.clone().requires_grad_()
    y = net(given) if mode == "m" else torch.stack([net(now) for now in given.unbind()])
    ((y * g_y).sum() + (net.i * g_i).sum()).backward()
    ys, i, g_x, g_k = by_hand(x.numpy(), g_y.numpy(), g_i.numpy(), k)
    assert np.allclose(y.detach().numpy(), ys, rtol=1e-12)
    assert np.allclose(net.i.detach().numpy(), i, rtol=1e-12)
    assert np.allclose(given.grad.numpy(), g_x, rtol=1e-10)
    if learnable:
        assert net.w.grad.item() == pytest.approx(g_k * k * (1 - k), rel=1e-10)
        assert k == pytest.approx(K, rel=1e-6)


def test_a_current_does_not_decay_while_spikes_arrive():
    x = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]).view(5, 1)
    y = SynapseFilter(4.0, step_mode="m")(x).flatten().tolist()
    assert y == [1.0, 2.0, 3.0, 2.25, 1.6875]


@pytest.mark.skipif(CppBackend().available() is not None, reason="needs a C++ compiler")
@pytest.mark.parametrize("learnable", [False, True])
def test_the_step_is_fused(learnable):
    net = SynapseFilter(learnable=learnable, step_mode="m")
    net(torch.rand(4, 2, 3))
    assert {type(kernel) for kernel in net._kernels.values()} == {CompiledKernel}
    (row,) = snncore.explain(net).rows
    assert row.backend == "cpp"


def test_the_default_is_a_hundred_steps():
    assert SynapseFilter().tau == 100.0
    learnt = SynapseFilter(learnable=True)
    assert learnt.w.item() == pytest.approx(-np.log(99.0), rel=1e-6)
    assert learnt.tau == pytest.approx(100.0, rel=1e-6)
    assert "tau=100, learnable=True" in repr(learnt)
    assert "tau=tensor[2]" in repr(SynapseFilter([2.0, 3.0]))


def test_a_filter_rebuilt_from_its_configuration_has_the_same_w():
    net = snncore.build("layer", "synapse_filter", tau=[7.3, 41.0], learnable=True)
    with torch.no_grad():
        net.w.add_(0.3)
    twin = snncore.build("layer", "synapse_filter", **config_of(net))
    assert torch.equal(twin.w, net.w)
    assert twin.learnable


@pytest.mark.parametrize("learnable", [False, True])
def test_a_time_constant_must_exceed_one(learnable):
    with pytest.raises(ValueError, match=r"^SynapseFilter: tau must be > 1, got 1$"):
        SynapseFilter([3.0, 1.0], learnable=learnable)
