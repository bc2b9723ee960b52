"""The kernels as operations of torch."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import BackendError, NotSupported
from snncore.kernels import ops
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend, CppTarget
from snncore.kernels.program import AGAIN, KEEP, MARKS
from snncore.kernels.tensors import tensors_of
from snncore.layers import Linear
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


class Learnt(Neuron):
    def __init__(self, **options):
        super().__init__(**options)
        self.w = nn.Parameter(torch.tensor([0.1, -0.2, 0.3]))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid()


@pytest.fixture
def call():
    """Arguments of the operation for a neuron that stays alive."""
    torch.manual_seed(0)
    net = Learnt()
    kernel = CompiledKernel(net, CppTarget(stretch=2))
    x = (torch.randn(5, 4, 3) + 0.5).requires_grad_()
    v = torch.zeros(4, 3, requires_grad=True)
    return net, kernel, [x], [v], list(tensors_of(net).values())


@pytest.mark.parametrize("way", [AGAIN, KEEP, MARKS])
@pytest.mark.parametrize("record", [[], [0]])
def test_the_operation_is_what_torch_asks_of_one(call, way, record):
    _, kernel, xs, states, params = call
    report = torch.library.opcheck(
        torch.ops.snncore.unroll.default, (xs, states, params, kernel.handle, record, way)
    )
    assert set(report.values()) == {"SUCCESS"}


@pytest.mark.parametrize("way", [AGAIN, KEEP, MARKS])
def test_the_operation_equals_the_loop(call, way):
    net, kernel, (x,), (v,), params = call
    (y,), (last,), (row,) = ops.unroll(kernel.handle, [x], [v], params, [0], 1, way)
    got = torch.autograd.grad(y.sum() + last.sum() + row.square().sum(), [x, v, net.w])
    net.backend, net.step_mode, net.store_v_seq = "eager", "m", True
    net.v = v
    expected = net(x)
    assert torch.equal(y, expected)
    loss = expected.sum() + net.v.sum() + net.v_seq.square().sum()
    for a, b in zip(got, torch.autograd.grad(loss, [x, v, net.w]), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_of_gradients_are_refused_in_our_words(call):
    _, kernel, (x,), states, params = call
    (y,), _, _ = ops.unroll(kernel.handle, [x], states, params, [], 1, AGAIN)
    (grad,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    with pytest.raises(NotSupported, match="double backward through a compiled kernel"):
        torch.autograd.grad(grad.sum(), x)


def test_transforms_are_refused_when_the_backend_is_named():
    net = Learnt(backend="cpp", step_mode="m")
    call, init = snn.functional(net)
    x = torch.rand(2, 5, 4, 3)
    states = init(x[0])
    with pytest.raises(NotSupported, match="backend 'cpp' cannot run inside vmap"):
        torch.func.vmap(lambda one: call(one, states)[0])(x)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_forward_mode_is_never_a_silent_zero():
    from torch.autograd import forward_ad

    with forward_ad.dual_level():
        x = forward_ad.make_dual(torch.rand(5, 4, 3), torch.ones(5, 4, 3))
        with pytest.raises(RuntimeError, match="jvp"):
            Learnt(step_mode="m")(x)
        with pytest.raises(NotSupported, match="nor in forward-mode differentiation"):
            Learnt(step_mode="m", backend="cpp")(x)


def test_a_handle_outlives_no_neuron(call):
    _, kernel, xs, states, params = call
    handle = CompiledKernel(Learnt(), CppTarget(stretch=2)).handle
    gc.collect()
    with pytest.raises(BackendError, match="the neuron behind a compiled kernel is gone"):
        ops.unroll(handle, xs, states, params, [], 1, AGAIN)
    assert ops.unroll(kernel.handle, xs, states, params, [], 1, AGAIN)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_compiled_networks_run_the_kernel_at_any_batch_and_length(backend):
    torch._dynamo.reset()

    def make():
        torch.manual_seed(0)
        net = nn.Sequential(Linear(3, 3), Learnt(), Linear(3, 2), Learnt(v_reset=None))
        net[3].w = nn.Parameter(torch.zeros(2))
        snn.set_step_mode(net, "m")
        return net

    plain, net = make(), make()
    compiled = torch.compile(net, backend=backend, fullgraph=True)
    for batch, steps in ((5, 6), (7, 4), (9, 6)):
        snn.reset(plain), snn.reset(net)
        x = torch.randn(steps, batch, 3)
        y, expected = compiled(x), plain(x)
        assert torch.allclose(y, expected, atol=1e-6)
        y.sum().backward(), expected.sum().backward()
    for a, b in zip(net.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-5)
    assert [type(k) for k in net[1]._kernels.values()] == [CompiledKernel]


@pytest.mark.parametrize("change", [lambda net: setattr(net, "v_threshold", 9.0), None])
def test_a_backward_belongs_to_its_forward(change):
    """Also when the neuron has changed, or is gone."""
    grads = []
    for _ in range(2):
        torch.manual_seed(0)
        net = Learnt(step_mode="m")
        x = (torch.randn(5, 4, 3) + 0.5).requires_grad_()
        y, w = net(x), net.w
        if grads:
            change(net) if change else None
            del net
            gc.collect()
        grads.append(torch.autograd.grad(y.sum(), [x, w]))
    for a, b in zip(*grads, strict=True):
        assert torch.equal(a, b)


def test_a_parameter_that_the_step_does_not_read_has_no_gradient():
    """As in eager, so that an optimizer with weight decay leaves it alone on every backend."""
    for backend in ("cpp", "eager"):
        net = Learnt(step_mode="m", backend=backend)
        net.unused = nn.Parameter(torch.ones(3))
        net(torch.rand(5, 4, 3)).sum().backward()
        assert net.unused.grad is None
        assert net.w.grad is not None
