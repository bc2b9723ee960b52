"""Single-step and multi-step runs of a layer give the same numbers."""

from __future__ import annotations

import warnings

import pytest
import torch

import snncore
from snncore.errors import StepModeError
from snncore.step import StepMode, StepModule
from snncore.testing.layer.subject import BOTH, Subject, Variant, bare, modes_of, seeded
from snncore.testing.neuron.run import assert_same, assert_tensor, held, outputs_of

TRAIN = pytest.mark.parametrize("train", [False, True], ids=["eval", "train"])


class Modes(Subject):
    """Step modes, lengths, shapes and dtypes."""

    @TRAIN
    def test_single_steps_equal_multi_step(self, variant: Variant, train: bool) -> None:
        """Outputs, states and gradients."""
        net = self.layer(variant, train=train)
        self.needs_modes(net, *BOTH)
        self.needs("exact_modes")
        if train:
            self.needs("exact_in_training")
        assert_same(
            self.play(net, self.inputs(), "s", gradients=True),
            self.play(self.layer(variant, train=train), self.inputs(), "m", gradients=True),
            f"{self.label}, single steps against multi-step",
            self.tolerance,
        )

    @TRAIN
    def test_a_sequence_of_one_step_is_that_step(self, variant: Variant, train: bool) -> None:
        """For every layer that knows both modes, batch statistics and random draws included."""
        net = self.layer(variant, train=train)
        self.needs_modes(net, *BOTH)
        self.needs("any_length")
        assert_same(
            self.play(net, self.inputs(1), "s", gradients=True),
            self.play(self.layer(variant, train=train), self.inputs(1), "m", gradients=True),
            f"{self.label}, one single step against a sequence of length 1",
            self.tolerance,
        )

    @TRAIN
    def test_chunks_carry_the_state(self, variant: Variant, train: bool) -> None:
        net = self.layer(variant, train=train)
        self.needs_modes(net, "m")
        for flag in ("any_length", "exact_modes"):
            self.needs(flag)
        if train:
            self.needs("exact_in_training")
        whole = self.layer(variant, train=train)
        assert_same(
            self.play(net, self.inputs(), "m", chunks=(1, self.steps - 3, 2), gradients=True),
            self.play(whole, self.inputs(), "m", gradients=True),
            f"{self.label}, a sequence in chunks against the whole",
            self.tolerance,
        )

    @pytest.mark.parametrize(("steps", "batch"), [(0, 2), (2, 0), (0, 0)])
    def test_empty_input(self, variant: Variant, steps: int, batch: int) -> None:
        """Shapes as for input that is not empty, and no change of state where T = 0."""
        net = self.layer(variant)
        self.needs_modes(net, "m")
        self.needs("empty")
        if not self.any_length:
            if not steps:
                self.needs("any_length")
            steps = self.steps
        given = self.inputs(steps, batch=batch)
        found = self.play(net, given, "m").outputs
        for y, like in zip(found, self.play(net, self.inputs(), "m").outputs, strict=True):
            assert y.shape == (steps, batch, *like.shape[2:]), (
                f"{self.label}: T = {steps}, N = {batch} gives shape {list(y.shape)}"
            )

    def test_output_follows_the_input(self, variant: Variant) -> None:
        """Time and batch first; in the input's dtype."""
        for dtype in (torch.float32, torch.float64, torch.bfloat16)[: 2 + self.half]:
            net = self.layer(variant, wide=False).to(dtype)
            inputs = self.inputs(dtype=dtype)
            for i, y in enumerate(self.play(net, inputs, self.mode(net)).outputs):
                assert y.shape[:2] == inputs[0].shape[:2], (
                    f"{self.label}: output {i} has shape {list(y.shape)}, expected time and batch "
                    f"{list(inputs[0].shape[:2])} first"
                )
                assert y.dtype == dtype, f"{self.label}: output {i} is {y.dtype} in {dtype}"

    def test_input_is_not_changed(self, variant: Variant) -> None:
        net = self.layer(variant, train=True)
        inputs = self.inputs()
        self.play(net, inputs, self.mode(net))
        for x, before in zip(inputs, self.inputs(), strict=True):
            assert_tensor(x, before, f"{self.label} changed its input, which")

    def test_non_contiguous_input(self, variant: Variant) -> None:
        net = self.layer(variant)
        strided = tuple(x.transpose(0, -1).contiguous().transpose(0, -1) for x in self.inputs())
        assert_same(
            self.play(net, strided, self.mode(net)),
            self.play(net, self.inputs(), self.mode(net)),
            f"{self.label}, non-contiguous input against contiguous",
            self.tolerance,
        )

    def test_mode_limits_are_declared(self, variant: Variant) -> None:
        """A layer that runs one way only says why, and refuses the other with its name."""
        net = bare(self.layer(variant))
        missing: list[StepMode] = [mode for mode in BOTH if mode not in modes_of(net)]
        for mode in missing:
            assert self.reason, (
                f"{self.label} runs only in step_mode {modes_of(net)[0]!r} and gives no reason; "
                'say it: conformance = {"reason": "..."}'
            )
            with pytest.raises(StepModeError, match="runs only in step_mode"):
                net.step_mode = mode
            with pytest.warns(UserWarning, match="kept in their only step mode"):
                snncore.set_step_mode(net, mode)
        for mode in modes_of(net):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                snncore.set_step_mode(net, mode)
            if isinstance(net, StepModule):
                assert net.step_mode == mode, f"{self.label}: stays in {net.step_mode!r}"

    def test_functional_form_equals_stateful(self, variant: Variant) -> None:
        net = self.layer(variant, train=True)
        self.needs_state(net)
        snncore.set_step_mode(net, self.mode(net))
        inputs = self.inputs() if self.mode(net) == "m" else tuple(x[0] for x in self.inputs())
        again = self.layer(variant, train=True)
        snncore.set_step_mode(again, self.mode(net))
        with seeded(3):
            expected = outputs_of(again(*inputs))
        call, init = snncore.functional(net)
        with seeded(3):
            y, _ = call(inputs, init(inputs))
        for got, wanted in zip(outputs_of(y), expected, strict=True):
            what = f"{self.label}, functional form against stateful"
            assert_tensor(got, wanted, what, self.tolerance)
        assert not held(net), f"{self.label}: the functional form left state in the network"
