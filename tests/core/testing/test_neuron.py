"""Deliberately wrong neurons: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import torch
from annotated_types import Gt
from torch import nn

import snncore
from snncore.config import Numeric
from snncore.neuron import Neuron
from snncore.surrogate import ATan
from snncore.testing.neuron import NeuronConformance
from snncore.testing.recurrence import Leaky

SHARED = ATan()


class Right(Neuron):
    """The neuron that all the wrong ones are made from."""

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        v_threshold: Numeric = 1.0,
        v_reset: Numeric | None = 0.0,
        detach_reset: bool = False,
        surrogate: Any = "atan",
        step_mode: str = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_threshold=v_threshold,
            v_reset=v_reset,
            detach_reset=detach_reset,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        self.keep(tau)

    def keep(self, tau):
        self.set_numeric("tau", tau)

    def charge(self, x, v):
        return v + (x - v) / self.tau


class MultiStepDiffers(Right):
    def sequence(self, inputs, states):
        return super().sequence(tuple(1.25 * x for x in inputs), states)


class MultiStepForgetsGradient(Right):
    def sequence(self, inputs, states):
        return super().sequence(inputs, tuple(v.detach() for v in states))

    def single(self, inputs, states):
        return super().single(inputs, tuple(v.detach() for v in states))


class SequenceStartsAfresh(Right):
    def sequence(self, inputs, states):
        return super().sequence(inputs, tuple(torch.zeros_like(v) for v in states))


class HiddenTrace(Right):
    trace = 0.0

    def charge(self, x, v):
        self.trace = self.trace + 0.25
        return super().charge(x, v) + self.trace


class WidensOutput(Right):
    def sequence(self, inputs, states):
        (y,), states = super().sequence(inputs, states)
        return (y.double(),), states


class HalfSpikes(Right):
    def fire(self, h):
        return super().fire(h) * 0.5


class Silent(Right):
    def fire(self, h):
        return super().fire(h - 1e6)


class StartsElsewhere(Right):
    def set_initial(self, name, value):
        super().set_initial(name, value.detach() + 0.5)


class ForgetsItsStart(Right):
    def set_initial(self, name, value):
        super().set_initial(name, value.detach())


class ScalesInput(Right):
    def charge(self, x, v):
        return super().charge(x.mul_(0.5), v)


class ReadsMemoryOrder(Right):
    def charge(self, x, v):
        return super().charge(x.as_strided(x.shape, v.stride()), v)


class NeedsAnElement(Right):
    def charge(self, x, v):
        return super().charge(x - 1e-3 * x.max(), v)


class RecordsBeforeReset(Right):
    def _record(self, recorded):
        super()._record(tuple(v + 1.0 for v in recorded))


class IgnoresCharge(Right):
    def step(self, x, v):
        h = v + (x - v) / self.tau
        s = self.fire(h)
        return s, self.reset(h, s)


class KeepsNoGraph(Right):
    def keep(self, tau):
        super().keep(tau)
        # A compiled kernel gives every state a gradient, if only one of zero.
        self.backend = "eager"

    def step(self, x, v):
        s, v = super().step(x, v)
        return s, v.detach()


class NarrowState(Right):
    def sequence(self, inputs, states):
        outputs, states = super().sequence(inputs, states)
        return outputs, tuple(v.to(inputs[0].dtype) for v in states)


class RoundsState(Right):
    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        self._states = {name: fn(value) for name, value in self._states.items()}
        return self


class StaysOnCPU(Right):
    def step(self, x, v):
        s, v = super().step(x, v)
        return s, torch.zeros(v.shape)


class StartsAgainSilently(Right):
    def forward(self, x):
        if self.v is not None and self.v.shape != x.shape[-self.v.dim() :]:
            snncore.reset(self)
        return super().forward(x)


class TruncatesSilently(Right):
    def forward(self, x):
        snncore.detach(self)
        return super().forward(x)


class RefusesToGoOn(Right):
    def forward(self, x):
        if self.v is not None:
            raise RuntimeError("state is used up")
        return super().forward(x)


class DoublesGradient(Right):
    def sequence(self, inputs, states):
        return super().sequence(tuple(2.0 * x - x.detach() for x in inputs), states)


class DropsGradient(Right):
    def charge(self, x, v):
        tau = self.tau.detach() if isinstance(self.tau, torch.Tensor) else self.tau
        return v + (x - v) / tau


class InfiniteGradient(Right):
    def charge(self, x, v):
        tau = torch.as_tensor(self.tau)
        return super().charge(x, v) + torch.sqrt(tau - tau)


class AveragesTau(Right):
    def keep(self, tau):
        tau = torch.as_tensor(tau)
        self.set_numeric("tau", tau.float().mean().item() * (1.0 if tau.dim() == 0 else 1.1))


class CopiesParameter(Right):
    def keep(self, tau):
        tau = nn.Parameter(tau.detach().clone()) if isinstance(tau, nn.Parameter) else tau
        super().keep(tau)


class CannotLearn(Right):
    def make_learnable(self, names):
        return None


class HoldsLambda(Right):
    def keep(self, tau):
        super().keep(tau)
        self.hook = lambda: None


class CopiesToItself(Right):
    def __deepcopy__(self, memo):
        return self


class LoadsNothing(Right):
    def keep(self, tau):
        super().keep(tau)
        self.w = nn.Parameter(torch.zeros(()))

    def charge(self, x, v):
        return super().charge(x + self.w, v)

    def load_state_dict(self, state_dict, strict=True, assign=False):
        return None


class SavesState(Right):
    def forward(self, *inputs):
        y = super().forward(*inputs)
        self.register_buffer("last", y.detach())
        return y


class ForgetsItsTau(Right):
    def keep(self, tau):
        super().keep(tau if isinstance(tau, torch.Tensor) else tau + 1.0)


class SharesItsSurrogate(Right):
    def __init__(self, tau: Annotated[Numeric, Gt(1)] = 2.0, *, step_mode: str = "s") -> None:
        super().__init__(tau, surrogate=SHARED, step_mode=step_mode)


class BreaksTheGraph(Right):
    def charge(self, x, v):
        torch._dynamo.graph_break()
        return super().charge(x, v)


class Branches(Right):
    def charge(self, x, v):
        return super().charge(x, v) if x.sum() > -1e9 else v


DEFAULT: dict[str, Any] = {}
PARAMETER = ({}, "scalar")


@pytest.mark.filterwarnings("ignore:.* runs on backend 'eager', because")
@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (Silent, "kit_input_makes_it_fire", (DEFAULT,), "set 'gain'"),
        (MultiStepDiffers, "single_steps_equal_multi_step", (DEFAULT,), "output 0 differs"),
        (
            MultiStepDiffers,
            "gradients_of_single_steps_equal_multi_step",
            (DEFAULT,),
            "single steps against multi-step",
        ),
        (
            MultiStepForgetsGradient,
            "gradients_of_single_steps_equal_multi_step",
            (DEFAULT,),
            "gradient of input 0 differs",
        ),
        (SequenceStartsAfresh, "chunks_carry_the_state", (DEFAULT,), "a sequence in chunks"),
        (HiddenTrace, "functional_form_equals_stateful", (DEFAULT,), "functional form"),
        (WidensOutput, "output_follows_the_input", (DEFAULT,), "output 0 is torch.float64"),
        (HalfSpikes, "spikes_have_the_declared_values", (DEFAULT,), "declared spike_values"),
        (ScalesInput, "input_is_not_changed", (DEFAULT,), "changed its input"),
        (ReadsMemoryOrder, "non_contiguous_input", (DEFAULT,), "non-contiguous input"),
        (NeedsAnElement, "short_and_empty_input", (DEFAULT, 3, 0), "max"),
        (RecordsBeforeReset, "recorded_potential", (DEFAULT,), r"v_seq\[0\] differs"),
        (IgnoresCharge, "overriding_charge_changes_the_result", (DEFAULT,), "overrides charge"),
        (HiddenTrace, "reset_restores_the_initial_state", (DEFAULT,), "a run after reset"),
        (
            KeepsNoGraph,
            "detach_cuts_the_graph_and_keeps_values",
            (DEFAULT,),
            "no state has a graph",
        ),
        (HiddenTrace, "snapshot_restores", (DEFAULT,), "after restore"),
        (NarrowState, "state_dtype", (DEFAULT, torch.bfloat16), "state v is torch.bfloat16"),
        (RoundsState, "half_network_keeps_its_state", (DEFAULT,), r"after net\.half\(\)"),
        (StaysOnCPU, "state_follows_the_device", (DEFAULT,), "on cpu|expected device"),
        (StartsAgainSilently, "another_batch_size_explains_itself", (DEFAULT,), "DID NOT RAISE"),
        (TruncatesSilently, "forward_after_backward_explains_itself", (DEFAULT,), "DID NOT RAISE"),
        (RefusesToGoOn, "legal_ways_on_after_backward", (DEFAULT, "detach"), "used up"),
        (DoublesGradient, "smooth_gradients_match_finite_differences", (DEFAULT,), "finite diff"),
        (DoublesGradient, "spiking_gradients_match_a_plain_loop", (DEFAULT,), "written out"),
        (DropsGradient, "parameter_receives_its_gradient", PARAMETER, "receives no gradient"),
        (InfiniteGradient, "parameter_receives_its_gradient", PARAMETER, "not finite"),
        (AveragesTau, "parameter_receives_its_gradient", PARAMETER, "ends up in no parameter"),
        (CopiesParameter, "parameter_receives_its_gradient", PARAMETER, "copies the nn.Parameter"),
        (InfiniteGradient, "parameter_gradient_matches_finite_differences", PARAMETER, "tau as"),
        (
            AveragesTau,
            "tensor_parameter_equals_float",
            (DEFAULT, "per neuron", "buffer"),
            "tau as per neuron buffer",
        ),
        (AveragesTau, "list_parameter_equals_float", (DEFAULT,), "tau as a nested list"),
        (StartsElsewhere, "initial_state_may_learn", PARAMETER, "state v started at a scalar"),
        (ForgetsItsStart, "initial_state_may_learn", PARAMETER, "its gradient differs"),
        (CannotLearn, "learnable_names_make_parameters", (DEFAULT,), "makes no nn.Parameter"),
        (HoldsLambda, "pickle", (DEFAULT,), "pickle"),
        (CopiesToItself, "deepcopy_after_a_training_forward", (DEFAULT,), "shares CopiesToItself"),
        (LoadsNothing, "state_dict_round_trip", (DEFAULT,), "after load_state_dict"),
        (SavesState, "state_is_not_in_the_state_dict", (DEFAULT,), "put last into"),
        (ForgetsItsTau, "config_round_trip", (DEFAULT,), "config -> instance -> config"),
        (SharesItsSurrogate, "instances_share_nothing", (DEFAULT,), "share surrogate"),
        (BreaksTheGraph, "compiles_without_graph_break", (True,), "graph_break"),
        (Branches, "torch_func_agrees_with_autograd", (DEFAULT,), "vmap|data-dependent"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_neuron_is_caught(adopt, caught, wrong, test, arguments, text, monkeypatch):
    # Some of them have no kernel, which is not their fault here.
    monkeypatch.delenv("SNN_KERNELS_STRICT", raising=False)
    kit = adopt(NeuronConformance, wrong)
    with pytest.raises(caught, match=text):
        getattr(kit, f"test_{test}")(*arguments)
    right = adopt(NeuronConformance, Right)
    getattr(right, f"test_{test}")(*arguments)


class Online(Right):
    """No gradient passes from one step to the next."""

    def step(self, *args):
        x, v = args
        return super().step(x, v.detach())

    def single(self, inputs, states):
        outputs, states = super().single(inputs, states)
        return outputs, tuple(state.detach() for state in states)

    def sequence(self, inputs, states):
        outputs, states = super().sequence(inputs, states)
        return outputs, tuple(state.detach() for state in states)

    def _check_graph(self):
        return None


class KeepsTheGraph(Online):
    def single(self, inputs, states):
        return Right.single(self, inputs, states)

    def sequence(self, inputs, states):
        return Right.sequence(self, inputs, states)


class StillThroughTime(Online):
    def step(self, *args):
        return Right.step(self, *args)


@pytest.mark.filterwarnings("ignore:.* runs on backend 'eager', because")
@pytest.mark.parametrize(
    ("wrong", "test", "text"),
    [
        (KeepsTheGraph, "each_step_may_have_a_backward_of_its_own", "leaves a graph on state v"),
        (StillThroughTime, "spiking_gradients_match_a_plain_loop", "gradient of input 0 differs"),
        (Right, "spiking_gradients_match_a_plain_loop", "gradient of input 0 differs"),
    ],
)
def test_a_wrong_online_neuron_is_caught(adopt, caught, wrong, test, text, monkeypatch):
    monkeypatch.delenv("SNN_KERNELS_STRICT", raising=False)
    declared = {"through_time": False, "reason": "it is trained online"}
    with pytest.raises(caught, match=text):
        getattr(adopt(NeuronConformance, wrong, **declared), f"test_{test}")(DEFAULT)
    getattr(adopt(NeuronConformance, Online, **declared), f"test_{test}")(DEFAULT)


class TwoInputs(Right):
    inputs = 2

    def step(self, *args):
        x, y, v = args
        return super().step(x + y, v)


class StartsTwoAgain(TwoInputs):
    def forward(self, *inputs):
        if self.v is not None and self.v.shape[0] not in {inputs[0].shape[0], inputs[0].shape[1]}:
            snncore.reset(self)
        return super().forward(*inputs)


def test_a_neuron_of_two_inputs_is_asked_about_batches_too(adopt, caught):
    kit = adopt(NeuronConformance, StartsTwoAgain)
    with pytest.raises(caught, match="DID NOT RAISE"):
        kit.test_another_batch_size_explains_itself(DEFAULT)
    adopt(NeuronConformance, TwoInputs).test_another_batch_size_explains_itself(DEFAULT)


class SixSteps(Right):
    """Takes sequences of six steps only."""

    def sequence(self, inputs, states):
        assert len(inputs[0]) == 6, "six steps or none"
        return super().sequence(inputs, states)


def test_a_neuron_of_one_length_is_given_that(adopt, caught):
    for name, arguments in {
        "short_and_empty_input": (DEFAULT, 3, 0),
        "smooth_gradients_match_finite_differences": (DEFAULT,),
    }.items():
        with pytest.raises(caught, match="six steps or none"):
            getattr(adopt(NeuronConformance, SixSteps), f"test_{name}")(*arguments)
        kit = adopt(NeuronConformance, SixSteps, any_length=False, reason="six steps")
        getattr(kit, f"test_{name}")(*arguments)
    with pytest.raises(pytest.skip.Exception, match="any_length = False: six steps"):
        kit.test_short_and_empty_input(DEFAULT, 1, 2)


def test_a_restore_that_checks_nothing_is_caught(adopt, monkeypatch):
    kit = adopt(NeuronConformance, Right)
    kit.test_restore_rejects_another_network({})
    monkeypatch.setattr("snncore.state.walks.fit", lambda modules, given, what: None)
    with pytest.raises((pytest.fail.Exception, KeyError), match=r"DID NOT RAISE|''"):
        kit.test_restore_rejects_another_network({})


def test_state_that_never_moves_is_caught(adopt):
    class Frozen(Right):
        def step(self, x, v):
            return super().step(x, v)[0], v

    kit = adopt(NeuronConformance, Right, make=lambda self, **params: Frozen(**params))
    with pytest.raises(AssertionError, match="no state changes"):
        kit.test_state_is_kept_until_reset({})


@pytest.mark.parametrize(("scale", "text"), [(0.5, None), (0.75, "recurrence by hand")])
def test_a_recurrence_by_hand_is_compared(adopt, scale, text):
    def recurrence(self, net):
        return Leaky(0.5, scale, lambda x: 1.0 / (1.0 + (torch.pi * x) ** 2))

    kit = adopt(NeuronConformance, Right, recurrence=recurrence)
    if text is None:
        kit.test_spiking_gradients_match_the_written_recurrence({})
        return
    with pytest.raises(AssertionError, match=text):
        kit.test_spiking_gradients_match_the_written_recurrence({})
