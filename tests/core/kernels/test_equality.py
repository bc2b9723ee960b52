"""Compiled kernels against eager autograd: outputs, states, and every gradient."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.kernels.capture import capture
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend, CppTarget
from snncore.kernels.function import unroll
from snncore.kernels.program import AGAIN, KEEP, MARKS, Program
from snncore.kernels.tensors import tensors_of
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
SHAPE = (4, 3, 2)


class Leaky(Neuron):
    def __init__(self, tau=2.0, **options):
        super().__init__(**options)
        self.set_numeric("tau", tau)

    def charge(self, x, v):
        return v + (x - v) / self.tau


class Learnt(Neuron):
    """Its leak is a function of a parameter: a prologue and an epilogue."""

    def __init__(self, **options):
        super().__init__(**options)
        self.w = nn.Parameter(torch.tensor([[0.2], [-0.3], [0.1]]))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid()


class Adaptive(Neuron):
    """Two states; the threshold moves; one of the states is detached where it is fed back."""

    states = {"v": 0.0, "b": 0.1}

    def __init__(self, **options):
        super().__init__(**options)
        self.beta = nn.Parameter(torch.rand(3, 2))

    def step(self, x, v, b):
        h = 0.8 * v + x
        s = self.surrogate(h - self.v_threshold - self.beta * b)
        return s, self.reset(h, s), 0.9 * b + 0.1 * s.detach()


class Wide(Neuron):
    """Two inputs, two outputs, and operations that are rare in neurons."""

    inputs = 2
    outputs = 2

    def step(self, x, y, v):
        h = torch.maximum(0.5 * v + x, y.clamp(-1.0, 0.5)) + torch.where(y > 0, x * y, -x.abs())
        h = h + torch.tanh(y) * torch.exp(-x * x) + torch.sqrt(y * y + 1.0) + y**3
        s = self.fire(h)
        return s, torch.sigmoid(h), self.reset(h, s)


class Delayed(Neuron):
    """A state that is another one's value of the step before."""

    states = {"v": 0.0, "before": 0.2}

    def step(self, x, v, before):
        h = 0.5 * v + 0.25 * before + x
        s = self.fire(h)
        return s, self.reset(h, s), v


MODELS = {
    "plain": lambda **o: Leaky(tau=3.0, **o),
    "channel": lambda **o: Leaky(tau=[[1.5], [2.0], [3.0]], **o),
    "scalar-parameter": lambda **o: Leaky(tau=nn.Parameter(torch.tensor(1.7)), **o),
    "neuron-parameter": lambda **o: Leaky(tau=nn.Parameter(torch.rand(3, 2) + 1.5), **o),
    "full-parameter": lambda **o: Leaky(tau=nn.Parameter(torch.rand(4, 3, 2) + 1.5), **o),
    "batch-parameter": lambda **o: Leaky(tau=nn.Parameter(torch.rand(4, 1, 2) + 1.5), **o),
    "prologue": lambda **o: Learnt(**o),
    "two-states": lambda **o: Adaptive(**o),
    "delayed": lambda **o: Delayed(**o),
    "wide": lambda **o: Wide(**o),
}
WAYS = {"inference": AGAIN, "recompute": AGAIN, "keep": KEEP, "checkpoint": MARKS}
# Functions of the library differ in the last bits.
ROUNDED = {"wide"}
SURROGATES = ("atan", "sigmoid", "triangle", "soft_sign", "erf", "rect")
COLUMNS = (list(MODELS), [0.0, 0.1, None], [False, True], SURROGATES, ["single", "double"])
MATRIX = list(itertools.product(*COLUMNS))
QUARTER = [
    case
    for places, case in zip(itertools.product(*map(range, map(len, COLUMNS))), MATRIX, strict=True)
    if sum(places) % 4 == 0
]
# Every pair of values of two columns occurs at least once.
SAMPLE = [case for i, case in enumerate(MATRIX) if (7 * i + i // 12) % 24 == 0]


def compare(
    model,
    v_reset,
    detach_reset,
    surrogate,
    precision,
    *,
    steps=5,
    shape=SHAPE,
    seed=0,
    variant="recompute",
    record=(0,),
):
    """Pairs (eager, compiled) of values, and of gradients of all that has one."""
    torch.manual_seed(seed)
    dtype = torch.float32 if precision == "single" else torch.float64
    net = MODELS[model](v_reset=v_reset, detach_reset=detach_reset, surrogate=surrogate)
    net.backend, net.step_mode = "eager", "m"
    net.to(dtype)
    inputs = [torch.randn(steps, *shape, dtype=dtype) + 0.4 for _ in range(net.inputs)]
    starts = [torch.randn(shape, dtype=dtype) * 0.3 for _ in net.states]
    leaves = [t.requires_grad_() for t in (*inputs, *starts)]
    learned = [p for p in net.parameters() if p.requires_grad]
    kernel = net._kernel(inputs[0][0] if steps else inputs[0].new_empty(shape))
    expected = kernel.sequence(tuple(inputs), tuple(starts), record)
    compiled = CompiledKernel(net, CppTarget(stretch=2))
    params = list(tensors_of(net).values())
    with torch.set_grad_enabled(variant != "inference"):
        got = unroll(compiled.handle, inputs, starts, params, record, net.outputs, WAYS[variant])
    flat = [[t for part in result for t in part] for result in (expected, got)]
    incoming = [torch.randn_like(t) for t in flat[0]]
    values = list(zip(*flat, strict=True))
    if not steps or variant == "inference":
        return values, []
    grads: list[tuple[torch.Tensor | None, ...]] = []
    for result in flat:
        # Eager has no gradient for what a step detaches; a kernel has one that goes nowhere.
        live = [(y, g) for y, g in zip(result, incoming, strict=True) if y.requires_grad]
        ends, given = zip(*live, strict=True)
        grads.append(torch.autograd.grad(ends, [*leaves, *learned], given, allow_unused=True))
    return values, list(zip(*grads, strict=True))


def check(case, **options):
    values, grads = compare(*case, **options)
    exact = case[0] not in ROUNDED
    tolerance = 2e-6 if case[-1] == "single" else 1e-10
    for a, b in values:
        assert torch.equal(a, b) if exact else torch.allclose(a, b, rtol=tolerance, atol=tolerance)
    for a, b in grads:
        if a is None or b is None:
            # A kernel writes zeros where a step detaches all that it takes of a state.
            assert a is None
            assert b is None or not b.any()
        else:
            # A parameter's gradient is a sum of terms near 1 that may cancel.
            scale = a.abs().max().clamp_min(1.0)
            assert ((a - b).abs().max() / scale).item() <= tolerance


@pytest.mark.parametrize("case", SAMPLE, ids=lambda case: "-".join(map(str, case)))
def test_a_sample_of_the_matrix(case):
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_a_quarter_of_the_matrix(model):
    for case in QUARTER:
        if case[0] == model:
            check(case)


def test_the_sample_meets_every_value():
    for column in range(5):
        assert {case[column] for case in SAMPLE} == {case[column] for case in MATRIX}
    assert 15 <= len(SAMPLE) <= 40


def test_a_quarter_meets_every_mixture_of_four_columns_with_either_model_or_surrogate():
    assert len(QUARTER) == len(MATRIX) // 4
    for left_out in (0, 3):
        rest = [column for column in range(5) if column != left_out]
        found, whole = ({tuple(c[i] for i in rest) for c in cases} for cases in (QUARTER, MATRIX))
        assert found == whole


@pytest.mark.parametrize("steps", [0, 1])
def test_no_step_and_one_step(steps):
    values, _ = compare("two-states", 0.0, False, "atan", "single", steps=steps)
    assert all(torch.equal(a, b) for a, b in values)


@pytest.mark.parametrize("shape", [(0, 3, 2), (1, 3, 2), (700, 3, 2), (3, 3, 2)])
def test_empty_single_and_ragged_batches(shape):
    values, grads = compare("two-states", None, False, "atan", "single", shape=shape)
    assert all(torch.equal(a, b) for a, b in values)
    assert all(torch.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in grads)


@pytest.mark.parametrize("way", [KEEP, AGAIN, MARKS])
@pytest.mark.parametrize("steps", [6, 7, 1])
def test_all_backwards_agree(way, steps):
    torch.manual_seed(0)
    net = Adaptive()
    shape = torch.Size((5, 3, 2))
    captured = capture(net, shape, torch.float32)
    program = Program(captured, shape, torch.float32, CppTarget(stretch=3))
    x, g = torch.randn(steps, *shape) + 0.4, torch.randn(steps, *shape)
    states = [torch.zeros(shape), torch.full(shape, 0.1)]
    params = list(tensors_of(net).values())
    outs, _, _, left = program.forward([x], states, params, (), way)
    rows = {KEEP: [steps, steps], AGAIN: [], MARKS: [-(-steps // 3)] * 2}
    assert [len(array) for array in left] == rows[way]
    gx, starts, to_params = program.backward(
        [x], states, params, left, [g], [None, None], {}, (True,), way
    )
    net.backend, net.step_mode = "eager", "m"
    given = x.clone().requires_grad_()
    y = net(given)
    y.backward(g)
    assert torch.equal(outs[0], y)
    assert torch.allclose(gx[0], given.grad, rtol=1e-5, atol=1e-6)
    learnt = [grad for grad in to_params if grad is not None]
    assert torch.allclose(learnt[0], net.beta.grad, rtol=1e-5, atol=1e-6)
    assert len(starts) == 2


def test_layouts_of_the_input():
    torch.manual_seed(0)
    x = torch.randn(3, 6, 5, 4)
    layouts = {
        "dense": x,
        "transposed": x.transpose(0, 1).contiguous().transpose(0, 1),
        "channels last": x.contiguous(memory_format=torch.channels_last),
        "strided": torch.stack([x, x], -1)[..., 0],
        "same at every step": x[:1].expand(7, -1, -1, -1),
    }
    for name, given in layouts.items():
        fast, slow = Leaky(step_mode="m"), Leaky(step_mode="m", backend="eager")
        a, b = (given.detach().requires_grad_() for _ in range(2))
        y, expected = fast(a), slow(b)
        assert torch.equal(y, expected), name
        y.square().sum().backward()
        expected.square().sum().backward()
        assert torch.allclose(a.grad, b.grad, rtol=1e-5, atol=1e-6), name


def test_several_threads_give_the_same_numbers():
    torch.manual_seed(0)
    x = torch.randn(8, 3, 5000)
    results = []
    before = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            net, given = Leaky(step_mode="m"), x.clone().requires_grad_()
            y = net(given)
            y.square().sum().backward()
            results.append((y.detach(), given.grad))
    finally:
        torch.set_num_threads(before)
    for y, grad in results[1:]:
        assert torch.equal(y, results[0][0])
        assert torch.equal(grad, results[0][1])


def test_special_values_are_those_of_eager():
    x = torch.tensor([[float("nan"), float("inf"), -float("inf"), 1e38, -0.0, 1e-45]])
    for surrogate in SURROGATES:
        results = []
        for backend in ("eager", "cpp"):
            net, given = Leaky(backend=backend, surrogate=surrogate), x.clone().requires_grad_()
            y = net(given)
            # Into both: a gradient of zero times infinity is no zero in either backend.
            (y.sum() + net.v.sum()).backward()
            results.append((y, net.v, given.grad))
        for a, b in zip(*results, strict=True):
            assert torch.allclose(a, b, rtol=2e-6, atol=0, equal_nan=True), surrogate


def test_a_changed_hyper_parameter_is_seen():
    net, plain = Leaky(), Leaky(backend="eager")
    x = torch.full((2, 3), 1.9)
    assert torch.equal(net(x), plain(x))
    for change in ({"tau": 1.1}, {"v_threshold": 0.4}, {"v_reset": None}, {"detach_reset": True}):
        for module in (net, plain):
            snn.reset(module)
            for name, value in change.items():
                setattr(module, name, value)
        given, other = x.clone().requires_grad_(), x.clone().requires_grad_()
        (net(given).sum() + net.v.sum()).backward()
        (plain(other).sum() + plain.v.sum()).backward()
        assert torch.equal(net.v, plain.v), change
        assert torch.allclose(given.grad, other.grad), change


def test_a_method_replaced_on_the_class_is_seen():
    class Changing(Leaky): ...

    x = torch.full((2, 3), 0.25)
    net = Changing()
    assert net(x).sum() == 0
    Changing.charge = lambda self, x, v: x + 5.0
    snn.reset(net)
    assert net(x).sum() == 6


LEAK = 0.5


def leak_of_the_module():
    return LEAK


def test_a_changed_global_or_closure_is_seen(monkeypatch):
    inner = 0.5

    class Global(Neuron):
        def charge(self, x, v):
            return LEAK * v + x

    class Helper(Neuron):
        def charge(self, x, v):
            return leak_of_the_module() * v + x

    class Closure(Neuron):
        def charge(self, x, v):
            return inner * v + x

    x = torch.full((2, 3), 0.25)
    for cls in (Global, Helper, Closure):
        net = cls()
        net(x), net(x)
        assert net.v.unique().tolist() == [0.375]
    inner = 0.25
    monkeypatch.setitem(Global.charge.__globals__, "LEAK", 0.25)
    for cls in (Global, Helper, Closure):
        net = cls()
        net(x), net(x)
        assert net.v.unique().tolist() == [0.3125], cls


def test_frozen_and_unfrozen_parameters():
    net = Leaky(tau=nn.Parameter(torch.tensor(1.5)), step_mode="m")
    x = torch.rand(4, 2, 3)
    net(x).sum().backward()
    assert net.tau.grad is not None
    net.tau.grad = None
    net.tau.requires_grad_(False)
    snn.reset(net)
    assert not net(x).requires_grad
    net.tau.requires_grad_(True)
    snn.reset(net)
    net(x).sum().backward()
    assert net.tau.grad is not None


def test_targets_of_other_stretches_share_no_kernels():
    x = torch.randn(9, 4, requires_grad=True)
    for stretch in (2, 5):
        net = Leaky()
        kernel = CompiledKernel(net, CppTarget(stretch))
        starts, params = net.init_states(x[0]), list(tensors_of(net).values())
        y = unroll(kernel.handle, [x], starts, params, (), 1, MARKS)[0][0]
        left = kernel.program(torch.Size((4,)), torch.float32).left(MARKS, 9)
        assert left == [(-(-9 // stretch), "f")]
        y.sum().backward()
