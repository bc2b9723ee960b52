"""Layers whose neurons feed each other, in one kernel and step by step."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import snncore as snn
from snncore.errors import StateError
from snncore.kernels import feedback
from snncore.kernels.cpp import CppBackend
from snncore.layers import Linear, LinearRecurrentContainer, Recurrent
from snncore.monitor import Output
from snncore.neuron import Neuron
from snncore.testing.layer import LayerConformance

compiled = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


class Leaky(Neuron):
    def __init__(self, tau=2.0, **options):
        super().__init__(**options)
        self.set_numeric("tau", tau)

    def charge(self, x, v):
        return v + (x - v) / self.tau


class TestRecurrent(LayerConformance):
    component = "snncore/recurrent"
    variants = ({}, {"bias": False}, {"v_reset": None})
    shape = (4, 6)
    gain = 4.0
    configurable = False
    reason = "its neuron is given as an object, not as plain values"

    def example(self, bias=True, v_reset=0.0):
        return Recurrent(Leaky(v_reset=v_reset), 6, 5, bias=bias)


class TestLinearRecurrentContainer(LayerConformance):
    component = "snncore/linear_recurrent"
    variants = ({}, {"bias": False})
    gain = 4.0
    configurable = False
    reason = "its neuron is given as an object, not as plain values"

    def example(self, bias=True):
        return LinearRecurrentContainer(Leaky(), 6, 6, bias=bias)


@pytest.fixture
def whole(monkeypatch):
    """Counts the runs of a kernel over all steps."""
    calls, run = [], feedback.run
    monkeypatch.setattr(feedback, "run", lambda *given: calls.append(1) or run(*given))
    return calls


def make(kind=Recurrent, *, backend=None, **options):
    torch.manual_seed(0)
    tau = nn.Parameter(torch.linspace(1.5, 4.0, 6))
    return kind(Leaky(tau, backend=backend), 6, 6, step_mode="m", **options).double()


X = torch.randn(7, 3, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 4
KINDS = [Recurrent, LinearRecurrentContainer]


def by_hand(net, x):
    """y[t] = M(W x[t] + b + U y[t-1]), with M as its own equations."""
    if isinstance(net, Recurrent):
        drive = F.linear(x, net.feedforward.weight, net.feedforward.bias)
        weight = net.recurrent.weight
    else:
        drive = F.linear(x, net.linear.weight[:, :6], net.linear.bias)
        weight = net.linear.weight[:, 6:]
    neuron, y, v, found = net.sub_module, torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for now in drive.unbind():
        h = v + (now + y @ weight.T - v) / neuron.tau
        y = neuron.surrogate(h - 1.0)
        v = (1.0 - y) * h
        found.append(y)
    return torch.stack(found), v


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_the_kernel_computes_the_equation_and_all_its_gradients(kind, whole):
    net = make(kind)
    found, expected = [], []
    for run, kept in ((lambda x: (net(x), net.sub_module.v), found), (None, expected)):
        x = X.clone().requires_grad_()
        y, v = run(x) if run else by_hand(net, x)
        total = (y * torch.linspace(-1, 1, 6).double()).sum() + v.square().sum()
        kept += [y, v, *torch.autograd.grad(total, (x, *net.parameters()))]
    assert whole == [1]
    assert 0.05 < found[0].mean() < 0.9
    assert torch.equal(net.y, found[0][-1])
    for one, other in zip(found, expected, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_gives_the_same(kind, whole):
    y = make(kind)(X)
    assert torch.equal(make(kind, backend="eager")(X), y)
    stepped = make(kind)
    stepped.step_mode = "s"
    assert torch.equal(torch.stack([stepped(x) for x in X]), y)
    assert whole == [1]


@compiled
def test_gradients_reach_back_over_a_carried_state(whole):
    """In two pieces without detach; the last output carries gradients as the membrane does."""
    found = []
    for pieces in ((7,), (3, 4)):
        net, x = make(), X.clone().requires_grad_()
        y = torch.cat([net(part) for part in x.split(pieces)])
        found.append((y, *torch.autograd.grad((y * X).sum(), (x, *net.parameters()))))
    assert len(whole) == 3
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, rtol=1e-10, atol=1e-10)


def test_a_freed_graph_explains_itself():
    net = make()
    net(X).sum().backward()
    with pytest.raises(StateError, match=r"recurrent\).*graph that backward.*snncore.reset|y"):
        net(X)
    snn.detach(net)
    net(X).sum().backward()
    snn.reset(net)
    assert net.y is None
    assert net.sub_module.v is None


@compiled
def test_explain_says_which_way_runs_and_why():
    (row, _) = snn.explain(make()).rows
    assert (row.layer, row.backend, row.reasons) == ("snncore/recurrent", "cpp", {})
    eager = snn.explain(make(backend="eager")).rows[0]
    assert eager.backend == "python loop"
    assert eager.reasons == {"cpp": "the backend of Leaky feeds no output back"}
    single = make()
    single.step_mode = "s"
    assert snn.explain(single).rows[0].reasons == {"cpp": "it is in step_mode 's'"}
    other = LinearRecurrentContainer(nn.Linear(3, 2), 3, 2, step_mode="m")
    assert snn.explain(other).rows[0].reasons == {
        "cpp": "Linear is not a neuron with a step of its own"
    }
    half = make(LinearRecurrentContainer)
    (row, _) = snn.explain(half, X.bfloat16()).rows
    assert row.reasons == {"cpp": "its linear layer computes in half precision"}


class Noisy(Leaky):
    """It looks at each call."""

    def forward(self, x):
        return super().forward(x + 1.0)


@compiled
def test_neurons_with_a_forward_of_their_own_run_step_by_step(whole):
    torch.manual_seed(0)
    net = Recurrent(Noisy(), 6, 6, step_mode="m")
    (row, _) = snn.explain(net).rows
    assert row.reasons == {
        "cpp": "Noisy takes or gives more than one tensor, or looks at each step"
    }
    torch.manual_seed(0)
    plain = Recurrent(Leaky(), 6, 6, step_mode="m")
    plain.feedforward.bias.data += 1.0
    assert torch.equal(net(X.float()), plain(X.float()))
    assert whole == [1]


@compiled
def test_a_monitor_inside_sees_every_step(whole):
    net = make()
    net.step_mode = "m"
    with Output(paths="sub_module").watch(net) as records:
        y = net(X)
        assert snn.explain(net).rows[0].reasons == {"cpp": "hooks watch the single steps of Leaky"}
    assert torch.equal(records["sub_module"], y)
    assert whole == []


@compiled
def test_functional_and_transforms(whole):
    net = make()
    call, init = snn.functional(net)
    states = init(X)
    y, after = call(X, states)
    assert torch.equal(y, make()(X))
    assert torch.equal(after[""]["y"], y[-1])
    assert net.y is None
    batched = torch.vmap(lambda x: call(x, states)[0])(torch.stack([X, 2 * X]))
    assert torch.equal(batched[0], y)


@compiled
def test_half_precision_feeds_back_in_float32(whole):
    net = make().bfloat16()
    x = X.bfloat16()
    y = net(x)
    assert (y.dtype, net.y.dtype, net.sub_module.v.dtype) == (torch.bfloat16, *[torch.float32] * 2)
    y.sum().backward()
    assert all(p.grad.dtype == torch.bfloat16 and p.grad.any() for p in net.parameters())
    loop = make(backend="eager").bfloat16()
    assert torch.equal(loop(x), y)
    assert whole == [1]
    snn.reset(net)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert make().float()(X.float()).dtype == torch.float32


@pytest.mark.parametrize("backend", ["cpp", "eager"])
@pytest.mark.parametrize(("steps", "rows"), [(0, 3), (4, 0), (0, 0), (3, 1)])
def test_few_steps_and_rows(steps, rows, backend):
    if backend == "cpp" and CppBackend().available() is not None:
        pytest.skip("no working C++ compiler is installed")
    net = make(backend=backend)
    before = net(X[:, :rows]).detach() if rows else None
    y = net(X[:steps, :rows])
    assert y.shape == (steps, rows, 6)
    if not steps and before is not None:
        assert torch.equal(net.y, before[-1])
    snn.reset(net)
    net.zero_grad()
    net(X[:steps, :rows]).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())


@compiled
def test_further_axes_are_rows():
    net = make()
    y = net(X.unsqueeze(2).expand(7, 3, 2, 6))
    snn.reset(net)
    assert torch.equal(y[:, :, 1], net(X))


def test_sizes_may_differ_between_input_and_neurons():
    net = nn.Sequential(Linear(6, 3), Recurrent(Leaky(), 3, 70), Linear(70, 2))
    snn.set_step_mode(net, "m")
    assert net(X.float()).shape == (7, 3, 2)
    assert "in_features=3, out_features=70" in repr(net)
