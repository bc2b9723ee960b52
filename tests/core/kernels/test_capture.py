from __future__ import annotations

import math

import pytest
import torch

from snncore.kernels.capture import capture
from snncore.kernels.ir import Program, needed
from snncore.kernels.saving import saved_values
from snncore.kernels.trace import Unsupported
from snncore.neuron import Neuron

SHAPE = torch.Size((4, 3))


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def saved(net):
    captured = capture(net, SHAPE, torch.float32)
    return [node.op if node.op != "in" else node.role for node in saved_values(captured)]


def test_what_is_not_pointwise_is_named_with_the_users_line():
    class Pooled(Leaky):
        def charge(self, x, v):
            return v + x.cumsum(1)

    with pytest.raises(Unsupported, match=r"aten\.cumsum\.default is not pointwise at .*test_capt"):
        capture(Pooled(), SHAPE, torch.float32)


def test_random_operations_are_refused_with_advice():
    class Noisy(Leaky):
        def charge(self, x, v):
            return v + x + torch.randn_like(x)

    with pytest.raises(
        Unsupported,
        match=r"randn.* draws random numbers.* at .*; pass the noise in as a further input, drawn",
    ):
        capture(Noisy(), SHAPE, torch.float32)


def test_a_branch_on_data_cannot_be_traced():
    class Branching(Leaky):
        def charge(self, x, v):
            return v if x.sum() > 0 else v + x

    with pytest.raises(Unsupported, match="its step cannot be traced"):
        capture(Branching(), SHAPE, torch.float32)


def test_a_step_that_remembers_in_an_attribute_is_refused():
    class Hidden(Leaky):
        count = 0

        def charge(self, x, v):
            self.count += 1
            return v + x

    with pytest.raises(Unsupported, match="its step changes attributes of the module; what a"):
        capture(Hidden(), SHAPE, torch.float32)


def test_a_fault_of_the_step_itself_is_raised_as_it_is():
    class Faulty(Leaky):
        def charge(self, x, v):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        capture(Faulty(), SHAPE, torch.float32)


def test_integrators_keep_one_value_per_step():
    assert len(saved(Leaky())) == 1


def test_an_input_is_read_again_rather_than_kept():
    class Squared(Neuron):
        def charge(self, x, v):
            return v.detach() + x * x * x

    assert "x" in saved(Squared())


def test_capture_leaves_grad_mode_and_generators_alone():
    state = torch.get_rng_state()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        captured = capture(
            Leaky(v_threshold=torch.nn.Parameter(torch.ones(3))), SHAPE, torch.float32
        )
    assert captured.epilogue is not None
    assert torch.equal(torch.get_rng_state(), state)


def test_equal_operations_are_one_node():
    program = Program()
    x, y = program.input("x", 0), program.input("x", 1)
    assert program.op("add", x, y) is program.op("add", x, y)
    assert program.const(0.0) is not program.const(-0.0)
    assert program.const(float("nan")) is program.const(float("nan"))


def test_rewrites_are_exact():
    program = Program()
    x, one, zero = program.input("x", 0), program.const(1.0), program.const(0.0)
    assert program.op("mul", x, one) is x
    assert program.op("div", x, one) is x
    assert program.op("sub", x, zero) is x
    assert program.op("neg", program.op("neg", x)) is x
    assert program.op("pow", x, program.const(2.0)).op == "mul"
    # not exact for -0.0, infinities or NaN
    assert program.op("add", x, zero) is not x
    assert program.op("mul", x, zero).op == "mul"
    assert program.op("sub", x, program.const(-0.0)) is not x
    with pytest.raises(ValueError, match="no scalar operation 'gamma'"):
        program.op("gamma", x)


@pytest.mark.parametrize("divisor", [2.0, -0.25, 2.0**124, 2.0**-126, 3.0, 2.0**125, 0.0, math.inf])
def test_a_quotient_becomes_a_product_only_where_nobody_can_tell(divisor):
    program = Program()
    found = program.op("div", program.input("x", 0), program.const(divisor))
    exact = divisor not in (3.0, 2.0**125, 0.0, math.inf)
    assert found.op == ("mul" if exact else "div")
    if exact:
        bits = torch.randint(-(2**31), 2**31, (100_000,), generator=torch.manual_seed(0))
        x = bits.to(torch.int32).view(torch.float32)
        assert torch.equal((x / divisor).nan_to_num(7.0), (x * found.args[1].value).nan_to_num(7.0))


def test_needed_stops_at_what_is_known():
    program = Program()
    x = program.input("x", 0)
    y = program.op("exp", x)
    z = program.op("neg", y)
    assert needed([z]) == [x, y, z]
    assert needed([z], [y]) == [z]
    assert needed([y], [y]) == []


def test_a_value_of_the_prologue_serves_the_program_and_its_own_gradient():
    class Turning(Neuron):
        """Its sine is read by the program, and is a factor of another parameter's gradient."""

        def __init__(self):
            super().__init__()
            self.angle = torch.nn.Parameter(torch.tensor([0.3, 0.5, 0.7]))
            self.gain = torch.nn.Parameter(torch.tensor([1.0, 0.9, 0.8]))

        def charge(self, x, v):
            sine = torch.sin(self.angle)
            return sine * v + (sine * self.gain) * x

    captured = capture(Turning(), SHAPE, torch.float32)
    assert captured.learned == (0, 1)
    assert len(captured.sums) == 2
