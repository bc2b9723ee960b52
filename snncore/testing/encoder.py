"""The conformance kit of encoders."""

from __future__ import annotations

import copy
import inspect
import io
import json
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

import snncore
from snncore.config import config_of
from snncore.errors import ConfigError, StateError
from snncore.step import StepModule, set_step_mode
from snncore.testing.conformance import Conformance
from snncore.testing.neuron.run import Run, assert_same, assert_tensor, held, is_stateful, run

Variant = Mapping[str, Any]
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class EncoderConformance(Conformance):
    """What turns values or signals into spikes, as tests.

    An encoder of values takes ``[N, *]`` and gives ``[T, N, *]``, T a parameter. An encoder of
    signals is a :class:`snncore.StepModule`: it takes and gives ``[N, *]`` or ``[T, N, *]`` and
    may keep state. Either may add axes at the end. Variants name no ``seed``: the tests set it.

    Attributes:
        shape: of one sample.
        batch: N.
        steps: T.
        limits: (least, greatest) value that it takes; None where it takes any.
        spike_values: what the output may hold; None for an analogue one.
        sequence: its input is a whole sequence, though it is no :class:`snncore.StepModule`.
        deterministic: it draws no random numbers.
        reason: needed where the last is False.

    Example:
        >>> class TestLatency(EncoderConformance):
        ...     component = "snn-neurons/latency"
        ...     variants = ({}, {"function": "log"})
        ...     limits = (0.0, 1.0)
    """

    kind: ClassVar[str] = "encoder"
    shape: tuple[int, ...] = (4, 3)
    batch: int = 5
    steps: int = 6
    limits: tuple[float, float] | None = None
    spike_values: tuple[float, ...] | None = (0.0, 1.0)
    sequence: bool = False
    deterministic: bool = True

    _flags: ClassVar[tuple[str, ...]] = ("deterministic",)

    def encoder(self, variant: Variant, **more: Any) -> Any:
        """A fresh encoder, multi-step where it knows modes; equal ones for equal parameters."""
        given = {**variant, **more}
        if "T" in inspect.signature(self.target()).parameters:
            given = {"T": self.steps, **given}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made = self.make(**given)
        if isinstance(made, StepModule):
            set_step_mode(made, "m")
        return made

    def inputs(
        self,
        encoder: Any,
        *,
        batch: int | None = None,
        steps: int | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Values within the limits, both of them among these; the same for the same arguments."""
        lead = [self.steps if steps is None else steps] if self.takes_sequences(encoder) else []
        size = (*lead, self.batch if batch is None else batch, *self.shape)
        generator = torch.Generator().manual_seed(1)
        low, high = (-1.0, 1.0) if self.limits is None else self.limits
        x = low + (high - low) * torch.rand(size, generator=generator, dtype=torch.float64)
        if x.numel() > 1:
            flat = x.view(-1)
            flat[0], flat[-1] = low, high
        return x.to(dtype).clamp(low, high)

    def takes_sequences(self, encoder: Any) -> bool:
        """Whether its input has a time axis."""
        return self.sequence or isinstance(encoder, StepModule)

    def encode(self, encoder: Any, x: Tensor, seed: int = 3) -> Tensor:
        """The output from the initial state; random numbers are those of the seed."""
        snncore.reset(encoder)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return encoder(x)

    @pytest.mark.parametrize("dtype", DTYPES, ids=str)
    def test_output_is_time_first_in_the_dtype_of_the_input(
        self, variant: Variant, dtype: torch.dtype
    ) -> None:
        encoder = self.encoder(variant)
        x = self.inputs(encoder, dtype=dtype)
        y = self.encode(encoder, x)
        wanted = (self.steps, self.batch, *self.shape)
        assert tuple(y.shape[: len(wanted)]) == wanted, (
            f"{self.label}: output has shape {list(y.shape)}, expected {list(wanted)} or that with "
            "further axes at the end"
        )
        assert y.dtype == dtype, f"{self.label}: output is {y.dtype} for {dtype}"
        assert y.device == x.device, f"{self.label}: output is on {y.device}"

    def test_outputs_are_the_declared_values(self, variant: Variant) -> None:
        encoder = self.encoder(variant)
        y = self.encode(encoder, self.inputs(encoder))
        assert y.isfinite().all(), f"{self.label}: output is not finite"
        assert (y != 0).any(), f"{self.label}: no spike in {self.steps} steps"
        if self.spike_values is not None:
            found = set(y.unique().tolist())
            assert found <= set(self.spike_values), (
                f"{self.label}: output holds {sorted(found - set(self.spike_values))[:5]}, "
                f"declared are {list(self.spike_values)}"
            )

    @pytest.mark.parametrize(("steps", "batch"), [(1, 2), (1, 1), (3, 0)])
    def test_one_step_and_empty_batch(self, variant: Variant, steps: int, batch: int) -> None:
        encoder = self._of_length(variant, steps)
        y = self.encode(encoder, self.inputs(encoder, steps=steps, batch=batch))
        wanted = (steps, batch, *self.shape)
        assert tuple(y.shape[: len(wanted)]) == wanted, (
            f"{self.label}: T = {steps}, N = {batch} gives shape {list(y.shape)}"
        )

    def test_values_outside_the_limits_are_named(self, variant: Variant) -> None:
        if self.limits is None:
            pytest.skip(f"{self.label} declares no limits")
        encoder = self.encoder(variant)
        low, high = self.limits
        name = type(encoder).__name__
        for wrong in (low - 0.5, high + 0.5, float("nan")):
            x = self.inputs(encoder)
            x.view(-1)[1] = wrong
            with pytest.raises(ValueError, match=rf"{name} takes values in \[.*, .*\], got .* to "):
                encoder(x)

    def test_input_is_not_changed(self, variant: Variant) -> None:
        encoder = self.encoder(variant)
        x = self.inputs(encoder)
        before = x.clone()
        self.encode(encoder, x)
        assert torch.equal(x, before), f"{self.label} changes its input"

    def test_equal_seeds_give_equal_outputs(self, variant: Variant) -> None:
        encoder, other = self.encoder(variant), self.encoder(variant)
        x = self.inputs(encoder)
        expected = self.encode(encoder, x)
        assert_tensor(self.encode(other, x), expected, f"{self.label}: another of the same seed")
        if self.deterministic:
            again = self.encode(encoder, x, seed=4)
            assert_tensor(again, expected, f"{self.label}, which declares that it draws nothing,")

    def test_a_seed_of_its_own_is_kept(self, variant: Variant) -> None:
        if "seed" not in inspect.signature(self.target()).parameters:
            pytest.skip(f"{self.label} has no parameter 'seed'")
        one, other = self.encoder(variant, seed=5), self.encoder(variant, seed=5)
        x = self.inputs(one)
        first, second = self.encode(one, x, seed=1), self.encode(one, x, seed=1)
        assert_tensor(self.encode(other, x, seed=2), first, f"{self.label}: seed=5 twice")
        assert not torch.equal(first, second), f"{self.label}: seed=5 draws the same at each call"
        twin = self.encoder(variant, seed=5)
        twin.load_state_dict(other.state_dict())
        assert_tensor(self.encode(twin, x), second, f"{self.label}: its draws after a state_dict")

    def test_samples_of_a_batch_know_nothing_of_each_other(self, variant: Variant) -> None:
        self.needs("deterministic")
        encoder = self.encoder(variant)
        x = self.inputs(encoder)
        order = torch.randperm(self.batch, generator=torch.Generator().manual_seed(2))
        axis = 1 if self.takes_sequences(encoder) else 0
        expected = self.encode(encoder, x)[:, order]
        got = self.encode(encoder, x.index_select(axis, order))
        assert_tensor(got, expected, f"{self.label}: the samples in another order")

    def test_non_contiguous_input(self, variant: Variant) -> None:
        encoder = self.encoder(variant)
        x = self.inputs(encoder)
        strided = x.transpose(0, -1).contiguous().transpose(0, -1)
        expected = self.encode(encoder, x)
        assert_tensor(self.encode(encoder, strided), expected, f"{self.label}, strided input")

    def test_a_gradient_is_finite_where_there_is_one(self, variant: Variant) -> None:
        encoder = self.encoder(variant)
        x = self.inputs(encoder).requires_grad_()
        y = self.encode(encoder, x)
        if not y.requires_grad:
            pytest.skip(f"{self.label} gives spikes without gradient")
        leaves = {"x": x, **dict(encoder.named_parameters())}
        found = torch.autograd.grad(y.sum(), list(leaves.values()), allow_unused=True)
        for name, grad in zip(leaves, found, strict=True):
            assert grad is None or grad.isfinite().all(), (
                f"{self.label}: the gradient of {name} is not finite"
            )

    def test_copies(self, variant: Variant) -> None:
        encoder = self.encoder(variant)
        x = self.inputs(encoder)
        expected = self.encode(encoder, x)
        file = io.BytesIO()
        torch.save(encoder.state_dict(), file)
        file.seek(0)
        loaded = self.encoder(variant)
        loaded.load_state_dict(torch.load(file, weights_only=True))
        for way, twin in (
            ("pickle", pickle.loads(pickle.dumps(encoder))),
            ("copy.deepcopy", copy.deepcopy(encoder)),
            ("load_state_dict", loaded),
        ):
            assert_tensor(self.encode(twin, x), expected, f"{self.label} after {way}: output")

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs_component()
        encoder = self.encoder(variant)
        config = config_of(encoder)
        assert json.loads(json.dumps(config)) == config, f"{self.label}: {config} is no plain data"
        twin = self.encoder(config)
        assert config_of(twin) == config, f"{self.label}: config -> instance -> config"
        x = self.inputs(encoder)
        assert_tensor(
            self.encode(twin, x), self.encode(encoder, x), f"{self.label} rebuilt: output"
        )

    def test_the_number_of_steps_is_checked(self, variant: Variant) -> None:
        self.needs_component()
        if "T" not in inspect.signature(self.target()).parameters:
            pytest.skip(f"{self.label} has no parameter 'T'")
        for wrong in (0, -1, 2.5):
            with pytest.raises(ConfigError, match=r"\bT\b"):
                self.encoder(variant, T=wrong)

    def test_single_steps_equal_multi_step(self, variant: Variant) -> None:
        """Outputs and states of a signal taken step by step, at once, and in pieces."""
        encoder = self._of_signals(variant)
        inputs = (self.inputs(encoder),)
        whole = self._run(encoder, inputs)
        assert_same(self._run(self.encoder(variant), inputs, "s"), whole, f"{self.label}, by steps")
        pieces = self._run(self.encoder(variant), inputs, chunks=(1, self.steps - 3, 2))
        assert_same(pieces, whole, f"{self.label}, a sequence in pieces")

    def test_reset_and_snapshot(self, variant: Variant) -> None:
        encoder = self._of_signals(variant)
        if not is_stateful(encoder):
            pytest.skip(f"{self.label} keeps no state")
        x = self.inputs(encoder)
        first = self.encode(encoder, x)
        snap = snncore.snapshot(encoder)
        expected = encoder(x)
        snncore.restore(encoder, snap)
        assert_tensor(encoder(x), expected, f"{self.label}, after restore(snapshot)")
        snncore.reset(encoder)
        assert not held(encoder), f"{self.label}: reset left {', '.join(held(encoder))}"
        assert_tensor(encoder(x), first, f"{self.label}, after reset")

    def test_another_batch_size_explains_itself(self, variant: Variant) -> None:
        encoder = self._of_signals(variant)
        if not is_stateful(encoder):
            pytest.skip(f"{self.label} keeps no state")
        encoder(self.inputs(encoder))
        with pytest.raises(StateError, match=r"has batch .* input has batch .*snncore\.reset"):
            encoder(self.inputs(encoder, batch=self.batch + 1))

    def _of_signals(self, variant: Variant) -> Any:
        encoder = self.encoder(variant)
        if not isinstance(encoder, StepModule):
            pytest.skip(f"{self.label} takes values, no signals")
        return encoder

    def _of_length(self, variant: Variant, steps: int) -> Any:
        takes = "T" in inspect.signature(self.target()).parameters
        return self.encoder(variant, **({"T": steps} if takes else {}))

    def _run(self, encoder: Any, inputs: tuple[Tensor, ...], mode: Any = "m", **how: Any) -> Run:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            return run(encoder, inputs, mode, **how)
