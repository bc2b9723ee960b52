"""Integer dynamics in compiled kernels: a chip's neuron on vectors of another simulator."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from snncore.kernels.capture import capture
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.cpp import CppBackend, CppTarget
from snncore.kernels.function import unroll
from snncore.kernels.program import AGAIN, KEEP, MARKS
from snncore.kernels.saving import saved_values
from snncore.kernels.tensors import tensors_of
from snncore.kernels.trace import Unsupported
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


def beside(name):
    """A file of this folder, which is no package."""
    path = Path(__file__).with_name(name)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


neurons = beside("integer_neurons.py")


@pytest.fixture(scope="module")
def golden():
    root = os.environ.get("SNN_TEST_DATA")
    file = Path(root or "/") / "loihi_golden" / "cuba_slayer_60.npz"
    if not root or not file.exists():
        pytest.skip("SNN_TEST_DATA names no folder with the vectors of slayer")
    return np.load(file)


def case_of(golden, place, dtype):
    """Synaptic input ``[T, N, C]``, the neuron's integers, and what slayer gave."""

    def get(name):
        return golden[f"{place:02d}_{name}"]

    x = np.einsum("oi,bit->tbo", get("weight_int").astype(np.int64), get("x").astype(np.int64))
    given = [int(get(name)) for name in ("iDecay", "vDecay", "vThMant")]
    expected = [np.moveaxis(get(name), 2, 0).astype(np.int64) for name in ("s", "v", "u")]
    return torch.as_tensor(x).to(dtype), given, [torch.as_tensor(e).to(dtype) for e in expected]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("coding", neurons.CODINGS)
def test_the_chips_neuron_is_slayers_bit_for_bit(golden, coding, dtype):
    spikes = 0
    net = neurons.Cuba(0, 0, 0, coding).to(dtype)
    kernel = CompiledKernel(net, CppTarget(stretch=7))
    for place in range(60):
        z, given, (s, v, u) = case_of(golden, place, dtype)
        for tensor, value in zip(net.buffers(), given, strict=True):
            tensor.fill_(value)
        way = (KEEP, AGAIN, MARKS)[place % 3]
        z.requires_grad_()
        starts = [torch.zeros_like(s[0]) for _ in net.states]
        params = list(tensors_of(net).values())
        outs, finals, _ = unroll(kernel.handle, [z], starts, params, (), 2, way)
        assert torch.equal(outs[0], s)
        assert torch.equal(outs[1], v)
        assert torch.equal(finals[0], u[-1])
        spikes += int(s.sum())
    assert spikes == 74746


@pytest.mark.parametrize("way", [KEEP, AGAIN, MARKS])
@pytest.mark.parametrize("coding", neurons.CODINGS)
def test_its_gradients_are_those_of_autograd(coding, way):
    torch.manual_seed(0)
    grads = []
    z = torch.randint(-40, 60, (12, 3, 5)).float()
    incoming = torch.randn(2, 12, 3, 5)
    for backend in ("eager", "cpp"):
        net = neurons.Cuba(900.0, [100.0, 300, 20, 0, 4096], 250.0, coding, learnable=True)
        given, starts = z.clone().requires_grad_(), [torch.zeros(3, 5) for _ in range(2)]
        if backend == "eager":
            net.step_mode, net.backend = "m", "eager"
            outs = net(given)
        else:
            kernel = CompiledKernel(net, CppTarget(stretch=5))
            params = list(tensors_of(net).values())
            outs, _, _ = unroll(kernel.handle, [given], starts, params, (), 2, way)
        torch.autograd.backward(outs, list(incoming))
        assert outs[0].sum() > 5
        grads.append([given.grad, net.du.grad, net.dv.grad])
    for a, b in zip(*grads, strict=True):
        assert torch.allclose(a, b, rtol=2e-5, atol=1e-5 * a.abs().max().item())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_integer_operation_is_that_of_torch(dtype):
    torch.manual_seed(0)
    x = torch.randn(6, 40, 3, 2, dtype=dtype) * 3
    results = []
    for backend in ("eager", "cpp"):
        net = neurons.Whole(step_mode="m", backend=backend).to(dtype)
        given = x.clone().requires_grad_()
        outs = net(given)
        outs[0].sum().backward()
        results.append([*outs, net.v, given.grad])
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)
    assert results[0][1].unique().numel() > 100


def test_no_integer_is_kept_for_the_backward():
    net = neurons.Cuba(900.0, 100.0, 250.0)
    captured = capture(net, torch.Size((2, 3)), torch.float32)
    assert any(node.kind == "l" for node in captured.program.nodes)
    assert {node.kind for node in saved_values(captured)} <= {"f", "b"}


class Odd(Neuron):
    """Its charge is one of the integer operations that no kernel may do."""

    def __init__(self, how):
        super().__init__()
        self.how = how

    def charge(self, x, v):
        return v + self.how(x).to(x.dtype)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda x: torch.div(x.long(), x.long(), rounding_mode="trunc"), "divides integers by wha"),
        (lambda x: x.long() << x.long(), "shifts by what is no constant from 0 to 63"),
        (lambda x: x.to(torch.int32) >> 32, "shifts by what is no constant from 0 to 31"),
        (lambda x: x.to(torch.int8) + 1, r"int8.*integers of a step are int32 or int64"),
        (lambda x: x.long() ** 3, "raises an integer to another power than 2"),
        (lambda x: torch.remainder(x, 0.3), "remainder of floats; torch.fmod can"),
        (lambda x: x.half() * 2, "computes in torch.float16.*in a step that runs in torch.float32"),
        (lambda x: x.double() * 0.1, "computes in torch.float64.*runs in torch.float32"),
        (lambda x: torch.div(x, 3.0, rounding_mode="floor"), "rounds a quotient of floats down"),
    ],
)
def test_what_no_kernel_may_do_is_refused_with_its_name(how, reason):
    with pytest.raises(Unsupported, match=reason):
        capture(Odd(how), torch.Size((2, 3)), torch.float32)
