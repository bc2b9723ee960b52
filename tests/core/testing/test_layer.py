"""Deliberately wrong layers: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from snncore.errors import StateError
from snncore.kernels.fused import FusedModule
from snncore.state import MemoryModule
from snncore.testing.layer import LayerConformance

SHARED = torch.ones(())


class Right(MemoryModule):
    """The layer that all the wrong ones are made from."""

    states: ClassVar[dict[str, float]] = {"v": 0.0}

    def __init__(self, leak: float = 0.5, *, step_mode: Any = "s") -> None:
        super().__init__()
        self.keep(leak)
        self.weight = nn.Parameter(torch.ones(6))
        self.register_buffer("seen", torch.zeros(()))
        self.step_mode = step_mode

    def keep(self, leak):
        self.leak = leak

    def step(self, *args):
        x, v = args
        if self.training:
            x = x * (torch.rand(6, dtype=x.dtype) < 0.8)
        v = (1.0 - self.leak) * v + x * self.weight
        return v.to(x.dtype), v


class MultiStepDiffers(Right):
    def sequence(self, inputs, states):
        return super().sequence(tuple(1.25 * x for x in inputs), states)


class SequenceStartsAfresh(Right):
    def sequence(self, inputs, states):
        return super().sequence(inputs, tuple(torch.zeros_like(v) for v in states))


class NeedsAnElement(Right):
    def step(self, *args):
        x, v = args
        return super().step(x - 1e-3 * x.max(), v)


class DropsTheBatch(Right):
    def forward(self, *inputs):
        y = super().forward(*inputs)
        return y if y.numel() else y.new_zeros(())


class WidensOutput(Right):
    def sequence(self, inputs, states):
        (y,), states = super().sequence(inputs, states)
        return (y.double(),), states


class NarrowsNothing(Right):
    def step(self, *args):
        x, v = args
        return super().step(x.to(v.dtype), v)


class ScalesInput(Right):
    def step(self, *args):
        x, v = args
        return super().step(x.mul_(0.5), v)


class ReadsMemoryOrder(Right):
    def forward(self, *inputs):
        (x,) = inputs
        return super().forward(x.as_strided(x.shape, torch.empty(x.shape).stride()))


class OneWay(Right):
    step_modes: ClassVar[Any] = ("m",)

    def __init__(self, leak: float = 0.5) -> None:
        super().__init__(leak, step_mode="m")


class HiddenTrace(Right):
    trace = 0.0

    def step(self, *args):
        x, v = args
        self.trace = self.trace + 0.25
        return super().step(x + self.trace, v)


class StartsByItsCalls(Right):
    calls = 0.0

    def initial(self, name):
        return self.calls

    def forward(self, *inputs):
        self.calls = self.calls + 1.0
        return super().forward(*inputs)


class HoldsHalf(Right):
    states: ClassVar[dict[str, float]] = {"v": 0.0, "u": 0.0}

    def step(self, *args):
        x, v, u = args
        return *super().step(x, v), u

    def forward(self, *inputs):
        y = super().forward(*inputs)
        self._states = {"v": self._states["v"]}
        return y


class RefusesWithoutCure(Right):
    def forward(self, *inputs):
        try:
            return super().forward(*inputs)
        except StateError:
            raise StateError("no") from None


class DetachesInput(Right):
    def forward(self, *inputs):
        return super().forward(*(x.detach() for x in inputs))


class DropsGradient(Right):
    def step(self, *args):
        kept = self.weight.requires_grad
        self.weight.requires_grad_(False)
        try:
            return super().step(*args)
        finally:
            self.weight.requires_grad_(kept)


class InfiniteGradient(Right):
    def step(self, *args):
        y, v = super().step(*args)
        return y + torch.sqrt(self.weight - self.weight), v


class LearnsInEvaluation(Right):
    def forward(self, *inputs):
        self.seen += 1.0
        return super().forward(*inputs)


class DrawsInEvaluation(Right):
    def step(self, *args):
        x, v = args
        return super().step(x * torch.rand(x.shape), v)


class DrawsElsewhere(Right):
    generator = torch.Generator()

    def step(self, *args):
        x, v = args
        return super().step(x * torch.rand(x.shape, generator=self.generator), v)


class HoldsLambda(Right):
    def keep(self, leak):
        super().keep(leak)
        self.hook = lambda: None


class CopiesToItself(Right):
    def __deepcopy__(self, memo):
        return self


class LoadsNothing(Right):
    def load_state_dict(self, state_dict, strict=True, assign=False):
        return None


class SavesState(Right):
    def forward(self, *inputs):
        y = super().forward(*inputs)
        self.register_buffer("last", y.detach())
        return y


class ForgetsItsLeak(Right):
    def keep(self, leak):
        super().keep(leak + 0.1)


class SharesATensor(Right):
    def keep(self, leak):
        super().keep(leak)
        self.register_buffer("shared", SHARED)


class Fused(FusedModule):
    """The right layer whose recurrence a kernel runs."""

    states: ClassVar[dict[str, float]] = {"v": 0.0}

    def step(self, *args):
        x, v = args
        v = 0.5 * v + x
        return v, v


class KernelDiffers(Fused):
    def sequence(self, inputs, states):
        if self.backend != "snncore/eager":
            inputs = tuple(1.25 * x for x in inputs)
        return super().sequence(inputs, states)


DEFAULT: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (MultiStepDiffers, "single_steps_equal_multi_step", (DEFAULT, False), "output 0 differs"),
        (MultiStepDiffers, "single_steps_equal_multi_step", (DEFAULT, True), "output 0 differs"),
        (
            MultiStepDiffers,
            "a_sequence_of_one_step_is_that_step",
            (DEFAULT, True),
            "a sequence of length 1: output 0 differs",
        ),
        (SequenceStartsAfresh, "chunks_carry_the_state", (DEFAULT, False), "a sequence in chunks"),
        (NeedsAnElement, "empty_input", (DEFAULT, 2, 0), "max"),
        (DropsTheBatch, "empty_input", (DEFAULT, 0, 2), r"T = 0, N = 2 gives shape \[\]"),
        (WidensOutput, "output_follows_the_input", (DEFAULT,), "output 0 is torch.float64"),
        (NarrowsNothing, "output_follows_the_input", (DEFAULT,), "is torch.float32 in torch.bfl"),
        (ScalesInput, "input_is_not_changed", (DEFAULT,), "changed its input"),
        (ReadsMemoryOrder, "non_contiguous_input", (DEFAULT,), "non-contiguous input"),
        (OneWay, "mode_limits_are_declared", (DEFAULT,), "only in step_mode 'm' and gives no"),
        (StartsByItsCalls, "functional_form_equals_stateful", (DEFAULT,), "functional form"),
        (HiddenTrace, "reset_restores_the_initial_state", (DEFAULT,), "a run after reset"),
        (HoldsHalf, "state_is_whole", (DEFAULT,), r"declares states \['v', 'u'\], holds \['v'\]"),
        (HiddenTrace, "snapshot_restores", (DEFAULT,), "after restore"),
        (
            RefusesWithoutCure,
            "another_batch_size_passes_or_explains_itself",
            (DEFAULT,),
            "'no' names no cure",
        ),
        (DetachesInput, "gradients_flow", (DEFAULT,), "no gradient reaches input 0"),
        (DropsGradient, "gradients_flow", (DEFAULT,), "no gradient reaches weight"),
        (InfiniteGradient, "gradients_flow", (DEFAULT,), "gradient of weight is not finite"),
        (LearnsInEvaluation, "evaluation_changes_nothing", (DEFAULT,), "evaluation changed seen"),
        (DrawsInEvaluation, "evaluation_is_deterministic", (DEFAULT,), "two runs in evaluation"),
        (DrawsElsewhere, "training_is_reproducible", (DEFAULT,), "from the same seed"),
        (HoldsLambda, "pickle", (DEFAULT,), "pickle"),
        (CopiesToItself, "deepcopy_after_a_training_forward", (DEFAULT,), "shares CopiesToItself"),
        (LoadsNothing, "state_dict_round_trip", (DEFAULT,), "after load_state_dict"),
        (SavesState, "state_is_not_in_the_state_dict", (DEFAULT,), "put last into"),
        (ForgetsItsLeak, "config_round_trip", (DEFAULT,), "config -> instance -> config"),
        (SharesATensor, "instances_share_nothing", (DEFAULT,), "share shared"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_layer_is_caught(adopt, caught, wrong, test, arguments, text):
    kit = adopt(LayerConformance, wrong)
    with pytest.raises(caught, match=text):
        getattr(kit, f"test_{test}")(*arguments)
    getattr(adopt(LayerConformance, Right), f"test_{test}")(*arguments)


def test_a_detach_that_cuts_nothing_is_caught(adopt, monkeypatch):
    kit = adopt(LayerConformance, Right)
    kit.test_detach_keeps_values({})
    monkeypatch.setattr("snncore.detach", lambda net: None)
    with pytest.raises(AssertionError, match="detach left a graph on state v"):
        kit.test_detach_keeps_values({})


def test_a_kernel_that_differs_is_caught(adopt, nan_empty):
    right = adopt(LayerConformance, Right, make=lambda self: Fused())
    right.test_backends_equal_eager({}, None)
    kit = adopt(LayerConformance, Right, make=lambda self: KernelDiffers())
    with pytest.raises(AssertionError, match=r"on snncore/\w+ against eager: output 0 differs"):
        kit.test_backends_equal_eager({}, None)


def test_an_example_and_a_feed_take_the_place_of_parameters_and_shape(adopt):
    class Table(nn.Embedding):
        pass

    kit = adopt(
        LayerConformance,
        Right,
        example=staticmethod(lambda size: Table(size, 3)),
        feed=staticmethod(lambda size, generator: torch.randint(0, 2, (*size, 4))),
    )
    net = kit.layer({"size": 2})
    assert type(net) is Table
    assert net.weight.dtype == torch.float64
    (x,) = kit.inputs(5, batch=2)
    assert (x.shape, x.dtype) == ((5, 2, 4), torch.int64)
    assert kit.play(net, (x,), "m", gradients=True).outputs[0].shape == (5, 2, 4, 3)


def test_time_may_be_the_last_axis(adopt):
    class Shifts(nn.Module):
        def forward(self, x):
            return x.roll(1, -1)

    kit = adopt(LayerConformance, Right, make=lambda self: Shifts(), time_axis=-1)
    (x,) = kit.inputs()
    (y,) = kit.play(kit.layer({}), (x,), "m").outputs
    assert torch.equal(y, x.roll(1, 0))
