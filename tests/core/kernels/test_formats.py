"""What kernels read and write: half floats, and any dense order of a step's dimensions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.kernels import pool
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend, CppTarget
from snncore.kernels.function import unroll
from snncore.kernels.layout import Layout
from snncore.kernels.program import AGAIN, KEEP, MARKS
from snncore.kernels.tensors import tensors_of
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
HALVES = (torch.bfloat16, torch.float16)
WAYS = (KEEP, AGAIN, MARKS)


class Adaptive(Neuron):
    """Two states; a parameter per channel, another of its own for each neuron."""

    states = {"v": 0.0, "b": 0.1}

    def __init__(self, **options):
        super().__init__(**options)
        self.tau = nn.Parameter(torch.tensor([1.5, 2.0, 3.0])[:, None, None])
        self.beta = nn.Parameter(torch.rand(3, 4, 2))

    def step(self, x, v, b):
        h = v + (x - v) / self.tau
        s = self.surrogate(h - self.v_threshold - self.beta * b)
        return s, self.reset(h, s), 0.9 * b + 0.1 * s


def run(net, backend, x, grad, way=None):
    """Output, last states and gradients of one run, the state sequence among them."""
    given = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    net.zero_grad()
    snn.reset(net)
    if way is None:
        net.backend, net.step_mode, net.store_v_seq = backend, "m", True
        y, states, seq = net(given), (net.v, net.b), net.v_seq
    else:
        kernel = CompiledKernel(net, CppTarget(stretch=3))
        starts = net.init_states(given[0])
        params = list(tensors_of(net).values())
        (y,), states, (seq,) = unroll(kernel.handle, [given], starts, params, (0,), 1, way)
    (y.float() * grad).sum().backward()
    return {
        "y": y.detach(),
        "v": states[0].detach(),
        "b": states[1].detach(),
        "sequence": seq.detach(),
        "x": given.grad,
        "tau": net.tau.grad.clone(),
        "beta": net.beta.grad.clone(),
    }


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_floats_in_and_out_are_those_of_eager(dtype, way):
    torch.manual_seed(0)
    net = Adaptive()
    x, grad = (torch.randn(7, 5, 3, 4, 2) + 0.5).to(dtype), torch.randn(7, 5, 3, 4, 2)
    expected, got = run(net, "eager", x, grad), run(net, "cpp", x, grad, way)
    assert got["y"].dtype == got["x"].dtype == dtype
    assert got["v"].dtype == got["sequence"].dtype == torch.float32
    assert 0.05 < got["y"].float().mean() < 0.9
    for name in ("y", "v", "b", "sequence"):
        assert torch.equal(got[name], expected[name]), name
    for name in ("x", "tau", "beta"):
        assert torch.allclose(got[name].float(), expected[name].float(), rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_half_floats_are_rounded_as_torch_rounds(dtype):
    class Scaled(Neuron):
        def step(self, x, v):
            return x * self.v_threshold, v + x

    # Normal and subnormal numbers, ties, overflow, and what is no number.
    bits = torch.arange(-(1 << 15), 1 << 15, 7, dtype=torch.int32).to(torch.int16)
    x = bits.view(dtype).reshape(1, 1, -1)
    for scale in (1.0, 1.00390625, 0.1, 1e-3, 3.0e4):
        fast, slow = (
            Scaled(v_threshold=scale, step_mode="m", backend=b)(x) for b in ("cpp", "eager")
        )
        nan = slow.isnan()
        assert torch.equal(fast.isnan(), nan)
        assert torch.equal(fast[~nan].view(torch.int16), slow[~nan].view(torch.int16))


def test_autocast_reaches_the_kernel_as_half_floats():
    net = nn.Sequential(nn.Linear(6, 6), Adaptive(backend="cpp"))
    net[1].tau, net[1].beta = nn.Parameter(torch.tensor(2.0)), nn.Parameter(torch.tensor(0.1))
    snn.set_step_mode(net, "m")
    with torch.autocast("cpu", torch.bfloat16):
        y = net(torch.rand(4, 2, 6))
    assert y.dtype == torch.bfloat16
    assert net[1].v.dtype == torch.float32
    y.float().sum().backward()
    assert net[0].weight.grad.abs().sum() > 0


def turned(x, order):
    """``x`` with the same values, whose steps lie in memory in another order of dimensions."""
    places = [0, *(i + 1 for i in order)]
    back = sorted(range(len(places)), key=places.__getitem__)
    return x.permute(places).contiguous().permute(back)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("order", [(0, 2, 3, 1), (3, 1, 0, 2), (1, 0, 2, 3)])
def test_a_dense_order_of_the_dimensions_is_kept(order, way):
    torch.manual_seed(0)
    net = Adaptive()
    plain, grad = torch.randn(7, 5, 3, 4, 2) + 0.5, torch.randn(7, 5, 3, 4, 2)
    x = turned(plain, order)
    assert Layout.of(x).order == order
    expected, got = run(net, "eager", plain, grad), run(net, "cpp", x, grad, way)
    for name in ("y", "sequence", "x"):
        assert got[name].stride() == x.stride(), name
    for name in ("v", "b"):
        assert got[name].stride() == x[0].stride(), name
    for name in ("y", "v", "b", "sequence"):
        assert torch.equal(got[name], expected[name]), name
    for name in ("x", "tau", "beta"):
        assert torch.allclose(got[name], expected[name], rtol=1e-5, atol=1e-5), name


def test_a_dense_order_is_not_copied(monkeypatch):
    """Only the start, which torch made in the usual order, is laid anew."""
    net = Adaptive(backend="cpp", step_mode="m")
    x = turned(torch.rand(6, 8, 3, 4, 2), (0, 2, 3, 1))
    with torch.no_grad():
        net(x)
        made = []
        monkeypatch.setattr(pool, "empty", lambda s, d: made.append(s) or torch.empty(s, dtype=d))
        with torch.profiler.profile() as seen:
            net(x)
    assert len(made) == 3
    copied = [event for event in seen.events() if event.name in ("aten::copy_", "aten::clone")]
    # The parameter of each neuron is laid as the neurons are.
    assert len(copied) <= 2


def test_a_sequence_with_gaps_is_copied_once_and_right():
    torch.manual_seed(0)
    net = Adaptive()
    wide = torch.randn(7, 5, 3, 4, 4) + 0.5
    x, grad = wide[..., ::2], torch.randn(7, 5, 3, 4, 2)
    assert Layout.of(x).order is None
    expected, got = run(net, "eager", x, grad), run(net, "cpp", x, grad)
    assert torch.equal(got["y"], expected["y"])
    assert torch.allclose(got["x"], expected["x"], rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_the_operation_says_its_strides_ahead():
    net = Adaptive()
    kernel = CompiledKernel(net, CppTarget(stretch=2))
    x = turned(torch.randn(5, 2, 3, 4, 2), (0, 2, 3, 1)).requires_grad_()
    starts, params = list(net.init_states(x[0])), list(tensors_of(net).values())
    for way in WAYS:
        report = torch.library.opcheck(
            torch.ops.snncore.unroll.default, ([x], starts, params, kernel.handle, [0], way)
        )
        assert set(report.values()) == {"SUCCESS"}
