"""Deliberately wrong quantisers: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from annotated_types import Gt

from snncore.config import Numeric
from snncore.quantize import Quantizer
from snncore.testing.quantizer import QuantizerConformance

SHARED = torch.ones(())


class Right(Quantizer):
    """Eight even levels, the quantiser that all the wrong ones are made from."""

    def __init__(self, scale: Annotated[Numeric, Gt(0)] = 0.5) -> None:
        super().__init__()
        self.keep(scale)

    def keep(self, scale):
        self.set_numeric("scale", scale)

    @property
    def code_range(self):
        return -4.0, 3.0

    def relax(self, x):
        return (x / self.scale).clamp(*self.code_range)

    def decode(self, codes):
        return codes * self.scale

    def derivative(self, x):
        return ((x >= -4 * self.scale) & (x <= 3 * self.scale)).to(x.dtype)


class AlwaysFloat32(Right):
    def forward(self, x):
        return super().forward(x.float())


class TakesIntegers(Right):
    def forward(self, x):
        return super().forward(x.float() if x.dtype == torch.int64 else x)


class HalfCodes(Right):
    def encode(self, x):
        return (2 * self.relax(x)).round() / 2


class BeyondItsCodes(Right):
    def encode(self, x):
        return (x / self.scale).round()


class RoundsItsValue(Right):
    def quantize(self, x):
        codes, relaxed = self.encode(x), self.relax(x)
        return self.decode(relaxed + (codes - relaxed).detach() + 1e-4)


class OneValue(Right):
    def encode(self, x):
        return torch.zeros_like(x)


class Halves(Right):
    def decode(self, codes):
        return super().decode(codes) / 2


class Folds(Right):
    def encode(self, x):
        return self.relax(x).round().abs()


class PassesEverywhere(Right):
    def relax(self, x):
        return x / self.scale

    def encode(self, x):
        return super().encode(x).clamp(*self.code_range)


class Twice(Right):
    """Backward and derivative agree, on something that has nothing to do with the function."""

    def relax(self, x):
        return 2 * super().relax(x)

    def encode(self, x):
        return super().relax(x).round()

    def derivative(self, x):
        return 2 * super().derivative(x)


class NaNIsZero(Right):
    def encode(self, x):
        return super().encode(x.nan_to_num(0.0))


class Overwrites(Right):
    def forward(self, x):
        y = super().forward(x)
        with torch.no_grad():
            x.copy_(y)
        return y


class AlwaysOn(Right):
    def forward(self, x):
        return self.quantize(x)


class NeverFrozen(Right):
    def keep(self, scale):
        super().keep(scale)
        self.register_buffer("seen", torch.zeros(()))

    def quantize(self, x):
        if self.training:
            self.seen.add_(1)
        return super().quantize(x)


class DropsScale(Right):
    def decode(self, codes):
        scale = self.scale.detach() if isinstance(self.scale, torch.Tensor) else self.scale
        return codes * scale

    def relax(self, x):
        return (self.decode(x) / self.decode(self.decode(torch.ones(())))).clamp(-4, 3)


class ForgetsScale(Right):
    def keep(self, scale):
        super().keep(scale if isinstance(scale, torch.Tensor) else 2.0 * scale)


class HoldsLambda(Right):
    def keep(self, scale):
        super().keep(scale)
        self.hook = lambda: None


class SharesATensor(Right):
    def keep(self, scale):
        super().keep(scale)
        self.register_buffer("shared", SHARED)


class Branches(Right):
    def quantize(self, x):
        return super().quantize(x) if x.sum() > -1e9 else x


@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (AlwaysFloat32, "shape_dtype_and_device_are_kept", (5,), r"gives torch\.float32"),
        (TakesIntegers, "integer_input_is_refused", (), "DID NOT RAISE"),
        (HalfCodes, "values_lie_on_the_grid", (), "codes and whole numbers differ"),
        (BeyondItsCodes, "values_lie_on_the_grid", (), r"code -6 is below -4"),
        (RoundsItsValue, "values_lie_on_the_grid", (), r"Q\(x\) and decode\(encode\(x\)\)"),
        (OneValue, "values_lie_on_the_grid", (), "gives one value only"),
        (Halves, "idempotent", (), r"Q\(Q\(x\)\) and Q\(x\) differ"),
        (Folds, "monotone", (), "falls between sorted values"),
        (PassesEverywhere, "backward_is_the_derivative", (), "backward against derivative differ"),
        (Twice, "derivative_follows_the_function", (), "its derivative adds up to"),
        (NaNIsZero, "no_number_stays_none", (), "turns NaN into 0"),
        (Overwrites, "input_is_not_changed", (), "its input after and before differ"),
        (AlwaysOn, "switched_off_it_passes_values_on", (), "not enabled: output and input"),
        (NeverFrozen, "frozen_nothing_moves", (), "frozen: seen moved"),
        (DropsScale, "parameters_receive_gradients", (), "does not require grad|no gradient"),
        (ForgetsScale, "config_round_trip", (), "config -> instance -> config"),
        (HoldsLambda, "copies", (), "pickle"),
        (SharesATensor, "instances_share_nothing", (), "share a tensor"),
        (Branches, "torch_func", (), "vmap|data-dependent"),
        (Branches, "a_step_with_it_can_become_a_kernel", (), "cannot be traced"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_quantizer_is_caught(adopt, caught, wrong, test, arguments, text):
    kit = adopt(QuantizerConformance, wrong)
    with pytest.raises(caught, match=text):
        getattr(kit, f"test_{test}")({}, *arguments)
    getattr(adopt(QuantizerConformance, Right), f"test_{test}")({}, *arguments)


def test_every_promise_of_the_kit_has_a_wrong_one():
    (marks,) = [m for m in test_a_wrong_quantizer_is_caught.pytestmark if m.name == "parametrize"]
    covered = {f"test_{case[1]}" for case in marks.args[1]}
    assert covered == {name for name in vars(QuantizerConformance) if name.startswith("test_")}
