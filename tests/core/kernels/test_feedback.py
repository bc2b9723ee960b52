"""Kernels that feed outputs back through weights, against a loop under plain autograd."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from snncore.errors import NotSupported
from snncore.kernels import feedback
from snncore.kernels.capture import capture
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend, CppTarget, _rows
from snncore.kernels.emit.cpp import backward, forward
from snncore.kernels.emit.passes import Variant
from snncore.kernels.program import AGAIN, KEEP, MARKS
from snncore.kernels.saving import saved_values
from snncore.kernels.tensors import tensors_of
from snncore.neuron import Neuron


def load(name):
    file = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"feedback_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


assert_vectorised = load("test_backend").assert_vectorised
equality = load("test_equality")
Adaptive, Leaky, Learnt = equality.Adaptive, equality.Leaky, equality.Learnt
pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
WAYS = (KEEP, AGAIN, MARKS)
TAUS = torch.linspace(1.5, 4, 6)
MODELS = {
    "leaky": lambda: Leaky(),
    "soft reset, per neuron": lambda: Leaky(tau=nn.Parameter(TAUS), v_reset=None),
    "learnt": lambda: Learnt(),
    "adaptive": lambda: Adaptive(),
    "graded": lambda: Graded(),
}  # fmt: skip


class Graded(Neuron):
    """Its output is no spike."""

    def step(self, x, v):
        v = 0.5 * v + x
        return v.tanh(), v


class Blind(Neuron):
    """Nothing that it gives depends on its input."""

    def step(self, x, v):
        return self.surrogate(v - 0.5), v + 0.3


def shape_of(name, rows, width):
    """Learnt has a parameter for each of 3 rows of its last but one axis, Adaptive for 3 x 2."""
    return {"learnt": (rows, 3, width), "adaptive": (rows, 3, 2)}.get(name, (rows, width))


def weights(shape, *, grid, dtype):
    """A square matrix; on a grid of eighths, every order of a sum of spikes gives the same."""
    found = torch.randn(shape[-1], shape[-1], dtype=dtype)
    return (found * 8).round() / 8 if grid else found


def looped(net, x, states, weight, last):
    """The same, step by step, with its inputs in the plain form."""
    outputs = []
    for now in x.unbind():
        last, *states = net.step(now + F.linear(last, weight), *states)
        outputs.append(last)
    return (torch.stack(outputs), *states)


def fused(net, x, states, weight, last, way=KEEP, stretch=3):
    kernel = CompiledKernel(net, CppTarget(stretch))
    program = kernel.program(x.shape[1:], x.dtype)
    return feedback.run(program, x, states, list(tensors_of(net).values()), weight, last, way)


def case(model, steps, shape, dtype, *, grid=False):
    torch.manual_seed(0)
    net = model().to(dtype)
    x = (torch.randn(steps, *shape, dtype=dtype) * 16).round() / 8
    weight = weights(shape, grid=grid, dtype=dtype)
    last = (torch.rand(shape, dtype=dtype) > 0.7).to(dtype)
    states = [torch.rand(shape, dtype=dtype) * 0.5 for _ in net.states]
    return net, x, states, weight, last


def gradients(run, net, x, states, weight, last, **options):
    leaves = [t.detach().clone().requires_grad_() for t in (x, *states, weight, last)]
    found = run(net, leaves[0], leaves[1:-2], *leaves[-2:], **options)
    torch.manual_seed(1)
    total = sum((y * torch.randn_like(y)).sum() for y in found)
    every = [*leaves, *net.parameters()]
    return [*found, *torch.autograd.grad(total, every, allow_unused=True)]


def assert_close(found, expected, tolerance):
    for one, other in zip(found, expected, strict=True):
        if one is None or other is None:
            # Without a path, a kernel may give zeros where autograd gives nothing.
            assert not any(g is not None and g.any() for g in (one, other))
            continue
        scale = other.abs().max().clamp(min=1) if other.numel() else 1
        assert one.shape == other.shape
        assert ((one - other).abs() <= tolerance * scale).all()


# Each way compiles kernels of its own: one model in all of them, the others in one by turns.
PAIRS = [
    pytest.param(name, way, marks=[] if name == "leaky" or way == WAYS[i % 3] else pytest.mark.slow)
    for i, name in enumerate(MODELS)
    for way in WAYS
]


@pytest.mark.parametrize(("name", "way"), PAIRS)
def test_outputs_states_and_gradients_are_those_of_the_loop_in_float64(name, way):
    given_ = case(MODELS[name], 8, shape_of(name, 5, 6), torch.float64)
    expected = gradients(looped, *given_)
    assert 0 < (expected[0] != 0).double().mean() <= 1
    assert_close(gradients(fused, *given_, way=way), expected, 1e-10)


@pytest.mark.parametrize(
    "name", ["leaky", "soft reset, per neuron", pytest.param("learnt", marks=pytest.mark.slow)]
)
def test_spikes_of_float32_are_equal_where_sums_are_exact(name):
    given_ = case(MODELS[name], 12, shape_of(name, 7, 6), torch.float32, grid=True)
    expected, found = gradients(looped, *given_), gradients(fused, *given_)
    assert 0.05 < expected[0].mean() < 0.9
    assert torch.equal(found[0], expected[0])
    assert_close(found, expected, 2e-6)


@settings(max_examples=8, deadline=None)
@given(
    st.integers(0, 5), st.integers(0, 20), st.integers(1, 150), st.sampled_from(WAYS), st.booleans()
)
def test_any_number_of_steps_rows_and_neurons(steps, rows, width, way, wide):
    dtype = torch.float64 if wide else torch.float32
    net, x, states, weight, last = case(Leaky, steps, (rows, width), dtype, grid=True)
    x = x + 0.5
    if not steps:
        y, v = fused(net, x, states, weight, last, way)
        assert y.shape == x.shape
        assert torch.equal(v, states[0])
        return
    expected = gradients(looped, net, x, states, weight, last)
    found = gradients(fused, net, x, states, weight, last, way=way)
    assert torch.equal(found[0], expected[0])
    assert_close(found, expected, 1e-10 if wide else 2e-5)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.35, 1.0])
def test_sparse_and_dense_rows_give_the_same_bits(share):
    """The last output at any density, alone and beside rows that are dense."""
    torch.manual_seed(0)
    net, width = Graded(), 130
    x, states = torch.zeros(1, 9, width), [torch.zeros(9, width)]
    weight, values = torch.randn(width, width), torch.randn(9, width)
    last = values * (torch.rand(9, width) < share)
    together = fused(net, x, states, weight, last)[1]
    last[1::2] = values[1::2]
    mixed = fused(net, x, states, weight, last)[1]
    assert torch.equal(together[::2], mixed[::2])
    exact = F.linear(last.double(), weight.double())
    assert torch.allclose(mixed.double(), exact, atol=1e-4)


def test_threads_share_rows_and_nothing_else():
    given_ = case(Leaky, 40, (61, 70), torch.float32)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = gradients(fused, *given_)
        torch.set_num_threads(3)
        found = gradients(fused, *given_)
    finally:
        torch.set_num_threads(before)
    # The product of all steps for the weights is torch's own.
    assert_close(found, expected, 2e-6)
    assert torch.equal(found[0], expected[0])
    assert torch.equal(found[2], expected[2])


@pytest.mark.parametrize(
    ("rows", "width", "threads", "expected"),
    [(64, 512, 1, 36), (64, 512, 2, 32), (5, 512, 1, 5), (100, 1 << 16, 1, 12), (1, 1, 4, 1)],
)
def test_a_tile_holds_whole_rows_six_at_a_time(rows, width, threads, expected):
    assert _rows(rows, width, threads) == expected


def test_memory_of_any_order_is_taken():
    net, x, states, weight, last = case(Leaky, 6, (5, 6), torch.float64)
    expected = gradients(looped, net, x, states, weight, last)
    turned = [
        x.transpose(0, 2).contiguous().transpose(0, 2),
        [s.t().contiguous().t() for s in states],
        torch.zeros(6, 20, dtype=torch.float64)[:, 7:13].copy_(weight),
        last.t().contiguous().t(),
    ]
    found = fused(net, *turned)
    assert torch.allclose(found[0], expected[0])
    assert torch.allclose(found[1], expected[1])
    leaf = turned[2].requires_grad_()
    fused(net, turned[0], turned[1], leaf, turned[3])[0].sum().backward()
    again = weight.clone().requires_grad_()
    looped(net, x, states, again, last)[0].sum().backward()
    assert torch.allclose(leaf.grad, again.grad)


@pytest.mark.parametrize("wanted", [0, 1])
def test_gradients_of_one_result_alone(wanted):
    """Of the output or of the final state; nothing comes in for the other."""
    net, x, states, weight, last = case(Leaky, 6, (5, 6), torch.float64)
    found = []
    for run in (fused, looped):
        leaf = weight.clone().requires_grad_()
        run(net, x, states, leaf, last)[wanted].square().sum().backward()
        found.append(leaf.grad)
    assert_close(*([g] for g in found), 1e-10)


def test_a_step_that_ignores_its_input_gives_no_gradient():
    net, x, states, weight, last = case(Blind, 4, (2, 3), torch.float64)
    state = states[0].requires_grad_()
    weight.requires_grad_()
    for y in (fused(net, x, [state], weight, last), looped(net, x, [state], weight, last)):
        grad = torch.autograd.grad(y[1].sum(), (state, weight), allow_unused=True)
        assert torch.equal(grad[0], torch.ones_like(state))
        assert grad[1] is None or not grad[1].any()


def test_double_backward_is_refused():
    net, x, states, weight, last = case(Leaky, 3, (2, 3), torch.float64)
    weight.requires_grad_()
    y = fused(net, x, states, weight, last)[0]
    with pytest.raises(NotSupported, match="double backward through a compiled kernel"):
        torch.autograd.grad(y.sum(), weight, create_graph=True)


@pytest.mark.parametrize("double", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_inner_loops_are_vectorised(double, tmp_path):
    dtype = torch.float64 if double else torch.float32
    captured = capture(Leaky(tau=nn.Parameter(torch.tensor(2.0))), torch.Size((4, 3)), dtype)
    saves = saved_values(captured)
    shared = {"feedback": True, "scalars": (True,) * 8, "double": double}
    for source in (
        forward(captured, Variant(**shared, saves=saves, fed=double)),
        backward(captured, Variant(**shared, saves=saves, recompute=True, gx=(True,))),
    ):
        assert_vectorised(source.text, tmp_path)
