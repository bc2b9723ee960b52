"""Deliberately wrong encoders: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

import pytest
import torch
from annotated_types import Gt
from torch import nn

from snncore.state import MemoryModule
from snncore.step import StepMode
from snncore.testing.encoder import EncoderConformance


class Right(nn.Module):
    """A spike with the value as probability, the encoder that the wrong ones are made from."""

    conformance = {"limits": (0.0, 1.0), "deterministic": False, "reason": "it draws"}

    def __init__(self, T: Annotated[int, Gt(0)], *, seed: int | None = None) -> None:
        super().__init__()
        self.T = T
        self.seed = seed
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def draw(self, shape):
        return torch.rand(shape, generator=self.generator)

    def check(self, x):
        if x.numel() and not bool(((x >= 0) & (x <= 1)).all()):
            raise ValueError(f"{type(self).__name__} takes values in [0, 1], got {x.min()} to x")

    def forward(self, x):
        self.check(x)
        return (self.draw((self.T, *x.shape)) <= x).to(x.dtype)

    def get_extra_state(self):
        return {} if self.generator is None else {"generator": self.generator.get_state()}

    def set_extra_state(self, state):
        if self.generator is not None:
            self.generator.set_state(state["generator"])


class Halves(Right):
    """The same without chance: a spike at every step for values from 0.5 on."""

    conformance = {"limits": (0.0, 1.0)}

    def draw(self, shape):
        return torch.full(shape, 0.5)


class TimeLast(Right):
    def forward(self, x):
        return super().forward(x).movedim(0, -1)


class AlwaysFloat32(Right):
    def forward(self, x):
        return super().forward(x).float()


class Analogue(Right):
    def forward(self, x):
        return super().forward(x) * x


class Silent(Right):
    def forward(self, x):
        return super().forward(x) * 0


class Explodes(Right):
    def forward(self, x):
        return super().forward(x) / 0


class NeedsTwoSteps(Right):
    def forward(self, x):
        return super().forward(x)[: max(self.T, 2)].repeat(2 if self.T == 1 else 1, *[1] * x.dim())


class AcceptsAnything(Right):
    def check(self, x): ...


class TakesNaN(Right):
    def check(self, x):
        if bool((x < 0).any() or (x > 1).any()):
            super().check(x)


class Writes(Right):
    def forward(self, x):
        y = super().forward(x)
        x.zero_()
        return y


class IgnoresTheSeed(Right):
    calls = 0

    def draw(self, shape):
        type(self).calls += 1
        return torch.rand(shape, generator=torch.Generator().manual_seed(self.calls))


class DrawsInSecret(Halves):
    def draw(self, shape):
        return torch.rand(shape)


class SameAtEachCall(Right):
    def draw(self, shape):
        return torch.rand(shape, generator=torch.Generator().manual_seed(self.seed or 0))


class ForgetsItsDraws(Right):
    def set_extra_state(self, state): ...


class LooksAtTheBatch(Halves):
    def forward(self, x):
        return super().forward(x) * (x >= x[:1]).to(x.dtype)


class ByMemory(Halves):
    def forward(self, x):
        if x.is_contiguous():
            return super().forward(x)
        return super().forward(torch.as_strided(x, x.shape, x.contiguous().stride()))


class InfiniteGradient(Halves):
    conformance = {"limits": (0.0, 1.0)}

    def forward(self, x):
        y = super().forward(x)
        return y + (x.sqrt() - x.sqrt().detach())


class HoldsLambda(Right):
    def __init__(self, T: Annotated[int, Gt(0)]) -> None:
        super().__init__(T)
        self.hook = lambda: None


class ForgetsT(Right):
    def __init__(self, T: Annotated[int, Gt(0)]) -> None:
        super().__init__(T)
        self.T = T + 1


class AnyT(Right):
    def __init__(self, T: float) -> None:
        super().__init__(max(int(T), 1))


@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (
            TimeLast,
            "output_is_time_first_in_the_dtype_of_the_input",
            (torch.float32,),
            r"shape \[5, 4, 3, 6\], expected \[6, 5, 4, 3\]",
        ),
        (
            AlwaysFloat32,
            "output_is_time_first_in_the_dtype_of_the_input",
            (torch.float64,),
            "output is torch.float32 for torch.float64",
        ),
        (Analogue, "outputs_are_the_declared_values", (), r"declared are \[0.0, 1.0\]"),
        (Silent, "outputs_are_the_declared_values", (), "no spike in 6 steps"),
        (Explodes, "outputs_are_the_declared_values", (), "not finite"),
        (NeedsTwoSteps, "one_step_and_empty_batch", (1, 2), "T = 1, N = 2 gives shape"),
        (AcceptsAnything, "values_outside_the_limits_are_named", (), "DID NOT RAISE"),
        (TakesNaN, "values_outside_the_limits_are_named", (), "DID NOT RAISE"),
        (Writes, "input_is_not_changed", (), "changes its input"),
        (IgnoresTheSeed, "equal_seeds_give_equal_outputs", (), "another of the same seed"),
        (DrawsInSecret, "equal_seeds_give_equal_outputs", (), "declares that it draws nothing"),
        (SameAtEachCall, "a_seed_of_its_own_is_kept", (), "draws the same at each call"),
        (ForgetsItsDraws, "a_seed_of_its_own_is_kept", (), "its draws after a state_dict"),
        (LooksAtTheBatch, "samples_of_a_batch_know_nothing_of_each_other", (), "another order"),
        (ByMemory, "non_contiguous_input", (), "strided input"),
        (InfiniteGradient, "a_gradient_is_finite_where_there_is_one", (), "x is not finite"),
        (HoldsLambda, "copies", (), "pickle"),
        (ForgetsT, "config_round_trip", (), "config -> instance -> config"),
        (AnyT, "the_number_of_steps_is_checked", (), "DID NOT RAISE"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_encoder_is_caught(adopt, caught, wrong, test, arguments, text):
    with pytest.raises(caught, match=text):
        getattr(adopt(EncoderConformance, wrong), f"test_{test}")({}, *arguments)
    right = adopt(EncoderConformance, Halves if issubclass(wrong, Halves) else Right)
    # Spikes of the right one have no gradient to look at.
    with suppress(pytest.skip.Exception):
        getattr(right, f"test_{test}")({}, *arguments)


class Change(MemoryModule):
    """A spike where a signal has risen, what the wrong encoders of signals are made from."""

    states = {"last": 0.0}
    always = False

    def __init__(self, *, step_mode: StepMode = "s") -> None:
        super().__init__()
        self.step_mode = step_mode

    def step(self, x, last):
        return (x > last).to(x.dtype), x


class ForgetsBetweenSteps(Change):
    def sequence(self, inputs, states):
        (spikes,), states = super().sequence(inputs, states)
        return (spikes.flip(0),), states


class KeepsToItself(Change):
    def __init__(self, *, step_mode: StepMode = "s") -> None:
        super().__init__(step_mode=step_mode)
        self.seen = 0

    def forward(self, x):
        self.seen += 1
        return super().forward(x) * (self.seen < 3)


class TakesAnyBatch(Change):
    def forward(self, x):
        held = self._states.get("last")
        if held is not None and held.shape != x.shape[-held.dim() :]:
            self._states = {}
        return super().forward(x)


@pytest.mark.parametrize(
    ("wrong", "test", "text"),
    [
        (ForgetsBetweenSteps, "single_steps_equal_multi_step", "by steps: output 0 differs"),
        (KeepsToItself, "reset_and_snapshot", "after restore|after reset"),
        (TakesAnyBatch, "another_batch_size_explains_itself", "DID NOT RAISE"),
    ],
)
def test_a_wrong_encoder_of_signals_is_caught(adopt, caught, wrong, test, text):
    with pytest.raises(caught, match=text):
        getattr(adopt(EncoderConformance, wrong), f"test_{test}")({})
    getattr(adopt(EncoderConformance, Change), f"test_{test}")({})


def test_a_random_encoder_must_say_so(adopt):
    class Undeclared(Right):
        conformance = {"deterministic": False}

    with pytest.raises(TypeError, match="declares deterministic = False without a reason"):
        adopt(EncoderConformance, Right, make=lambda self, **kw: Undeclared(**kw), deterministic=0)


def test_limits_are_among_the_inputs(adopt):
    kit = adopt(EncoderConformance, Halves)
    x = kit.inputs(kit.encoder({}))
    assert (x.min(), x.max()) == (0.0, 1.0)
    assert not kit.takes_sequences(kit.encoder({}))
    assert adopt(EncoderConformance, Change).inputs(Change()).shape == (6, 5, 4, 3)
