"""Where SpikingJelly departs from a model that it shares with this library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import snncore as snn
from oracle.curve import slope
from oracle.pair import Difference
from oracle.peer import module
from oracle.spikingjelly_surrogates import LIBRARY, spike_function
from snncore.errors import StateError

WIDE = torch.float64


def _theirs(path: str) -> Any:
    return module(f"spikingjelly.activation_based.{path}")


def _node(name: str, *args: Any, **settings: Any) -> Any:
    return getattr(_theirs("neuron"), name)(*args, **settings)


def _at_zero_from_below() -> None:
    """The derivative at -0.0 is minus infinity, where the chord is divided by zero with its sign;
    ours is min(1 / |x|, alpha)."""
    x = torch.tensor([-0.0], dtype=WIDE)
    assert slope(spike_function("fake_numerical_gradient"), x).item() == -torch.inf
    assert slope(snn.build("surrogate", "fake_numerical_gradient"), x).item() == 0.3


def _shifted_logarithm() -> None:
    """Their primitive has 1e-5 inside the logarithm, so that its derivative is not quite the
    backward; x >= 0 needs no guard, and ours is exact."""
    x = torch.linspace(0.0, 3.0, 31, dtype=WIDE)
    theirs = spike_function("s2nn", spiking=False)(x)
    ours = snn.build("surrogate", "s2nn", spiking=False)(x)
    torch.testing.assert_close(theirs, torch.log(x + 1.0 + 1e-5) + 0.5, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(ours, torch.log(x + 1.0) + 0.5, rtol=1e-12, atol=0.0)
    assert (theirs - ours).max() > 5e-6


def _no_primitive() -> None:
    """They have no primitive; ours is the integral of the derivative, for plots and smooth mode."""
    with pytest.raises(NotImplementedError):
        spike_function("super_spike", spiking=False)(torch.zeros(1))
    _integral("super_spike")


def _no_chord_primitive() -> None:
    """They have no primitive; ours is the integral of the derivative, for plots and smooth mode."""
    with pytest.raises(NotImplementedError):
        spike_function("fake_numerical_gradient", spiking=False)(torch.zeros(1))
    _integral("fake_numerical_gradient")


def _integral(name: str) -> None:
    smooth = snn.build("surrogate", name, spiking=False)
    x = torch.linspace(-3.0, 3.0, 41, dtype=WIDE)
    torch.testing.assert_close(slope(smooth, x), slope(snn.build("surrogate", name), x))


def _window_of_primitive() -> None:
    """With a window of its own for the gradient, their primitive clips to [0, D] all the same;
    ours clips to the window, so that it is the integral of the derivative."""
    cls = _theirs("surrogate").MultiLevelSpikeCount
    theirs = cls(4, spiking=False, grad_window=(-1.0, 6.0))
    ours = snn.build("surrogate", "multi_level_spike_count", low=-1.0, high=6.0, spiking=False)
    x = torch.tensor([-0.5, 2.0, 5.0], dtype=WIDE)
    assert theirs(x).tolist() == [0.0, 2.0, 4.0]
    assert ours(x).tolist() == [-0.5, 2.0, 5.0]
    spiking = cls(4, grad_window=(-1.0, 6.0))
    counting = snn.build("surrogate", "multi_level_spike_count", low=-1.0, high=6.0)
    assert torch.equal(slope(spiking, x), slope(counting, x))


def _chance_outside() -> None:
    """Theirs raises for a value outside [0, 1]; ours never fires below and always fires above. Both
    draw, so only the certain values and the gradient can be compared; these are equal."""
    cls = _theirs("surrogate").PoissonPass
    theirs, ours = cls(), snn.build("surrogate", "poisson_pass")
    certain = torch.tensor([0.0, 1.0])
    assert theirs(certain).tolist() == ours(certain).tolist() == [0.0, 1.0]
    assert slope(theirs, certain).tolist() == slope(ours, certain).tolist() == [1.0, 1.0]
    outside = torch.tensor([-0.5, 1.5])
    assert ours(outside).tolist() == [0.0, 1.0]
    with pytest.raises(RuntimeError):
        theirs(outside)


def _another_batch() -> None:
    """A state of another batch size is silently begun anew; ours raises and says what to call, as a
    forgotten reset must not change results unseen."""
    theirs, ours = _node("LIFNode"), snn.build("neuron", "lif")
    x = torch.full((4, 3), 1.5)
    theirs(x)
    ours(x)
    assert theirs(x[:2]).shape == (2, 3)
    assert torch.equal(theirs.v, x[:2] / 2)
    with pytest.raises(StateError, match="state v has batch 4, input has batch 2"):
        ours(x[:2])


def _numbers() -> None:
    """Thresholds, resets and time constants are Python floats; ours may also be whole numbers,
    buffers or parameters of any shape that broadcasts, with their gradient."""
    for wrong in (1, torch.tensor(1.0), nn.Parameter(torch.tensor(1.0))):
        with pytest.raises(AssertionError):
            _node("LIFNode", v_threshold=wrong)
        assert snn.get("neuron", "lif")(v_threshold=wrong)(torch.ones(1, 2)).shape == (1, 2)


def _spike_of_the_last_call() -> None:
    """Whether the neuron has just fired is forgotten between two calls, so that the second lacks
    the reset of the first one's last spike; for ours the spike is a state like any other."""
    theirs = _node("GatedLIFNode", 1)
    assert theirs(torch.full((1, 1, 1, 1, 1), 5.0)).item() == 1.0
    ours = snn.build("neuron", "glif", T=2)
    for name, value in theirs.named_parameters():
        for c in ("0", "1") if name == "conduct" else ("",):
            place = ours.get_parameter(f"w_{name}.{c}" if c else f"w_{name}")
            place.data.copy_(value.detach().squeeze())
    assert ours(torch.full((1, 1), 5.0)).item() == 1.0
    gate = {name: value.sigmoid().item() for name, value in theirs.named_parameters()}
    first = theirs.v.item()
    assert ours.v.item() == pytest.approx(first)
    kept = (1.0 - gate["alpha"] * (1.0 - gate["tau"])) * first
    leaked = kept - (1.0 - gate["alpha"]) * gate["linear_decay"]
    lowered = gate["gamma"] * kept + (1.0 - gate["gamma"]) * gate["v_subreset"]
    theirs(torch.zeros(1, 1, 1, 1, 1))
    ours(torch.zeros(1, 1))
    assert theirs.v.item() == pytest.approx(leaked)
    assert ours.v.item() == pytest.approx(leaked - lowered)


def _tie() -> None:
    """Of a highest and a lowest potential of the same size theirs gives the lowest; ours the first
    that was reached, which a running value can know."""
    x = torch.tensor([1.0, -2.0]).view(2, 1, 1)
    assert _node("NonSpikingIFNode", "max-abs-mem")(x).item() == -1.0
    ours = snn.build("neuron", "integrator", decode="max_abs_mem", step_mode="m")
    assert ours(x).item() == 1.0


def _states_with_graph(name: str, theirs: str) -> Callable[[], None]:
    def _graph_of_the_state() -> None:
        """The state that a step leaves keeps its graph until the next step detaches it; ours is
        detached already, so that it can be looked at or kept at no cost."""
        x = torch.full((1, 3), 2.0, requires_grad=True)
        node, ours = _node(theirs), snn.build("neuron", name)
        node(x)
        ours(x)
        assert node.v.requires_grad
        assert not ours.v.requires_grad

    return _graph_of_the_state


def _no_gradient_in_eval(name: str, theirs: str) -> Callable[[], None]:
    def _eval_without_gradient() -> None:
        """In eval mode their spikes have no gradient; ours keep it, as those of every other neuron
        in both libraries do: eval mode is no promise that nobody differentiates."""
        x = torch.full((1, 3), 2.0, requires_grad=True)
        assert not _node(theirs).eval()(x).requires_grad
        assert snn.build("neuron", name).eval()(x).requires_grad

    return _eval_without_gradient


def _attached_only() -> None:
    """They have no `detach_reset`; with it ours cuts the spike in the reset, not in the
    complementary potential."""
    with pytest.raises(TypeError):
        _node("ComplementaryLIFNode", detach_reset=True)
    assert snn.build("neuron", "clif", detach_reset=True).detach_reset


def _order() -> None:
    """Their function is called as f(y, x), ours as f(x, y): the input first, as everywhere."""
    x = torch.tensor([[2.0], [5.0]])
    layers = _theirs("layer")
    container = layers.ElementWiseRecurrentContainer
    theirs = container(nn.Identity(), torch.sub)
    ours = snn.get("layer", "element_wise_recurrent")(nn.Identity(), torch.sub)
    assert [theirs(now).item() for now in x] == [-2.0, -7.0]
    assert [ours(now).item() for now in x] == [2.0, 3.0]


def _normalised_membrane() -> None:
    """Their state is the normalised potential, ours the potential itself: the norm takes part in
    firing only, so that it folds into the threshold."""

    def statistics(norm: nn.Module) -> None:
        norm.get_buffer("running_mean").fill_(0.3)
        norm.get_buffer("running_var").fill_(4.0)

    x = torch.tensor([[1.0], [3.0], [1.0], [4.0]], dtype=WIDE).view(4, 1, 1)
    theirs = _node("MPBNLIFNode", 2.0, True, out_features=1).double().eval()
    statistics(theirs.vbn)
    ours = snn.build("layer", "mpbn", num_features=1).double().eval()
    statistics(next(part for part in ours.modules() if hasattr(part, "running_mean")))

    def potentials(net: nn.Module, read: Callable[[], Tensor]) -> list[float]:
        snn.reset(net)
        return [(net(now), read().item())[1] for now in x[:1]]

    charged = 0.5
    normal = (charged - 0.3) / (4.0 + 1e-5) ** 0.5
    assert potentials(theirs, lambda: theirs.v) == pytest.approx([normal])
    assert potentials(ours, lambda: ours.v) == pytest.approx([charged])


def differences() -> list[Difference]:
    """All of them."""

    def row(kind: str, name: str, theirs: str, shows: Callable[[], None]) -> Difference:
        return Difference(kind, name, LIBRARY, theirs, shows)

    return [
        row("surrogate", "fake_numerical_gradient", "FakeNumericalGradient", _at_zero_from_below),
        row("surrogate", "fake_numerical_gradient", "FakeNumericalGradient", _no_chord_primitive),
        row("surrogate", "s2nn", "S2NN", _shifted_logarithm),
        row("surrogate", "super_spike", "SuperSpike", _no_primitive),
        row("surrogate", "multi_level_spike_count", "MultiLevelSpikeCount", _window_of_primitive),
        row("surrogate", "poisson_pass", "PoissonPass", _chance_outside),
        row("neuron", "lif", "LIFNode and all others", _another_batch),
        row("neuron", "lif", "LIFNode and all others", _numbers),
        row("neuron", "glif", "GatedLIFNode", _spike_of_the_last_call),
        row("neuron", "integrator", "NonSpikingIFNode", _tie),
        row("neuron", "ottt_lif", "OTTTLIFNode", _states_with_graph("ottt_lif", "OTTTLIFNode")),
        row("neuron", "sltt_lif", "SLTTLIFNode", _states_with_graph("sltt_lif", "SLTTLIFNode")),
        row("neuron", "ottt_lif", "OTTTLIFNode", _no_gradient_in_eval("ottt_lif", "OTTTLIFNode")),
        row("neuron", "sltt_lif", "SLTTLIFNode", _no_gradient_in_eval("sltt_lif", "SLTTLIFNode")),
        row(
            "neuron",
            "clif",
            "ComplementaryLIFNode",
            _no_gradient_in_eval("clif", "ComplementaryLIFNode"),
        ),
        row("neuron", "clif", "ComplementaryLIFNode", _attached_only),
        row("layer", "element_wise_recurrent", "ElementWiseRecurrentContainer", _order),
        row("layer", "mpbn", "MPBNLIFNode", _normalised_membrane),
    ]
