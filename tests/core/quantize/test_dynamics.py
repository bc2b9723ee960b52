"""Whole-number arithmetic against Python's, and quantisers inside a neuron's step as kernels."""

from __future__ import annotations

import random

import pytest
import torch
from torch import nn

import snncore
from snncore.kernels.capture import capture
from snncore.kernels.content import Content
from snncore.kernels.cpp import CppBackend
from snncore.kernels.ir import needed
from snncore.neuron import Neuron
from snncore.quantize import Quantizer, multiply_shift, rounded, saturate, whole

needs_compiler = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bits", [1, 7, 12, 15])
def test_multiply_shift_is_that_of_pythons_integers(bits, dtype):
    draw = random.Random(bits)
    most = 2**24 if dtype == torch.float32 else 2**30 - 1
    xs = [draw.randint(-most, most) for _ in range(300)] + [0, 1, -1, most, -most]
    factors = [draw.randint(0, 2**bits) for _ in xs[:-5]] + [2**bits, 1, 1, 2**bits, 2**bits - 1]
    expected = [
        (abs(x) * f >> bits) * (1 if x > 0 else -1) for x, f in zip(xs, factors, strict=True)
    ]
    x, factor = torch.tensor(xs, dtype=dtype), torch.tensor(factors, dtype=dtype)
    assert multiply_shift(x, factor, bits).tolist() == expected
    for value, times, y in list(zip(xs, factors, expected, strict=True))[:20]:
        single = multiply_shift(torch.tensor([value], dtype=dtype), float(times), bits)
        assert single.tolist() == [y]


def test_the_current_of_a_loihi_neuron():
    """Synaptic input and current worked out with another simulator: du = 1024."""
    z = [30, 0, -46, 0, 254, 0, 0, -256, 100, 100, 0, 0, 0, 3, -1, 0]
    u = [1920, 1440, -1864, -1398, 15208, 11406, 8554, -9969]
    u += [-1076, 5593, 4194, 3145, 2358, 1960, 1406, 1054]
    state, found = torch.zeros(1), []
    for now in z:
        state = multiply_shift(state, 4096.0 - 1024.0, 12) + 64.0 * now
        found.append(int(state))
    assert found == u


def test_gradients_ignore_the_rounding():
    x = torch.tensor([7.0, -9.0], requires_grad=True)
    factor = torch.tensor(3.0, requires_grad=True)
    multiply_shift(x, factor, 3).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3 / 8, 30 / 8]
    assert factor.grad.item() == 7 / 8 - 90 / 8
    y = torch.tensor([-200.0, -128.0, 127.0, 128.0], requires_grad=True)
    saturate(y, 8).sum().backward()
    assert saturate(y, 8).tolist() == [-128.0, -128.0, 127.0, 127.0]
    assert y.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_whole_keeps_numbers_numbers():
    assert whole(2.5) == 2.0
    assert isinstance(whole(2.5), float)
    p = nn.Parameter(torch.tensor(3.5))
    whole(p).backward()
    assert whole(p).item() == 4.0
    assert p.grad.item() == 1.0


@pytest.mark.parametrize("bits", [0, 16])
def test_a_shift_out_of_range_is_named(bits):
    with pytest.raises(ValueError, match=f"^multiply_shift: bits must be from 1 to 15, got {bits}"):
        multiply_shift(torch.ones(1), 1.0, bits)
    with pytest.raises(ValueError, match=r"^saturate: bits must be >= 2, got 1$"):
        saturate(torch.ones(1), 1)


TABLES = (
    {"name": "k_bit", "bits": 3},
    {"name": "affine", "bits": 3, "w": 1.5, "b": -0.2},
    {"name": "step", "scale": 0.3},
    {"name": "uniform", "bits": 4, "scale": [[0.3], [0.2], [0.1]], "zero_point": 2.0},
    {"name": "observed", "symmetric": False},
    {"name": "lsq", "init_scale": 0.2, "values": 50},
    {"name": "power_of_two", "bits": 4, "alpha": 1.5},
    {"name": "clamp", "low": -0.5, "high": 1.0},
    {"name": "round"},
    {"name": "ceil"},
    {"name": "floor"},
    {"name": "multi_level_spike_count", "levels": 3},
)


class Quantised(Neuron):
    """Every pointwise quantiser of the core in one step, and whole-number arithmetic."""

    outputs = 2

    def __init__(self, **options):
        super().__init__(**options)
        made = [snncore.from_spec("quantizer", table) for table in TABLES]
        made[4](torch.linspace(-1.0, 3.0, 30))
        self.parts = nn.ModuleList(made).eval()

    def step(self, x, v):
        mixed = x
        for i, part in enumerate(self.parts):
            mixed = mixed + part((1.0 - 0.1 * i) * x + 0.1 * v)
        decayed = multiply_shift(rounded(64 * v), 3000.0, 12) / 64
        h = decayed + mixed / 8
        s = self.fire(h)
        return s, mixed, self.reset(h, s)


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_kernel_quantises_bit_for_bit(dtype):
    torch.manual_seed(0)
    x = torch.randn(20, 4, 3, 5, dtype=dtype) + 0.3
    results = []
    for backend in ("eager", "cpp"):
        net = Quantised(step_mode="m", backend=backend, v_reset=None).to(dtype)
        given = x.clone().requires_grad_()
        outs = net(given)
        (outs[0] + 0.1 * outs[1]).sum().backward()
        results.append(([*outs, net.v], [given.grad, net.parts[5].scale.grad]))
    assert 0.1 < results[0][0][0].mean() < 0.9
    for a, b in zip(results[0][0], results[1][0], strict=True):
        assert torch.equal(a, b)
    for a, b in zip(results[0][1], results[1][1], strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-5 * a.abs().max().item())


def test_every_pointwise_quantizer_is_in_that_step():
    names = {c.name for c in snncore.components("quantizer") if c.provider == "snncore"}
    assert {table["name"] for table in TABLES} == names - {"clamp_by_linear"}


def test_the_gradient_that_goes_around_costs_no_forward():
    """What only the backward differentiates is not computed by the forward."""

    class Rounds(Neuron):
        def charge(self, x, v):
            return v + rounded(x)

    def sizes(neuron):
        found = capture(neuron, torch.Size((2, 3)), torch.float32)
        return [node.op for node in needed(found.values) if node.op not in ("in", "const")]

    class Adds(Neuron):
        def charge(self, x, v):
            return v + x.round()

    assert sizes(Rounds()) == sizes(Adds())


@needs_compiler
def test_switching_a_quantiser_changes_what_the_kernel_does():
    class Rounds(Neuron):
        def __init__(self):
            super().__init__(step_mode="m", backend="cpp", v_threshold=100.0)
            self.quantizer = snncore.build("quantizer", "round")

        def charge(self, x, v):
            return v + self.quantizer(x)

    net = Rounds()
    net(torch.full((2, 1, 1), 0.6))
    assert net.v.item() == 2.0
    net.quantizer.enabled = False
    snncore.reset(net)
    net(torch.full((2, 1, 1), 0.6))
    assert net.v.item() == pytest.approx(1.2)


@pytest.mark.parametrize("method", ["encode", "relax", "decode", "quantize"])
def test_another_text_of_a_quantizer_is_another_kernel(method):
    """The core alone calls these methods, so that no code of the user's mentions them."""

    def neuron(factor):
        table = {"__name__": "of_a_user"}
        exec(f"def {method}(self, x):\n    return x * {factor}", table)
        cls = type("Mine", (Quantizer,), {method: table[method], "__module__": "of_a_user"})
        net = Neuron()
        net.quantizer = cls()
        return net

    one, same, other = (Content(neuron(factor)).digest for factor in (2, 2, 3))
    assert one is not None
    assert one == same
    assert one != other
