"""Where snnTorch departs from a model that it shares with this library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

import snncore as snn
from oracle.curve import grid, slope
from oracle.pair import Difference
from oracle.peer import module
from oracle.snntorch import LIBRARY, surrogate

WIDE = torch.float64


def _run(made: Any, x: list[float], states: int) -> tuple[list[float], list[float]]:
    """Spikes and membranes of one neuron from rest."""
    held = [torch.zeros(1, 1, dtype=WIDE) for _ in range(states)]
    spikes, membranes = [], []
    for value in x:
        s, *held = made(torch.full((1, 1), value, dtype=WIDE), *held)
        spikes.append(s.item())
        membranes.append(held[-1].item())
    return spikes, membranes


def _ours(name: str, x: list[float], **settings: Any) -> tuple[list[float], list[float]]:
    made = snn.get("neuron", name)(**settings, store_v_seq=True, step_mode="m", backend="eager")
    spikes = made(torch.tensor(x, dtype=WIDE).view(-1, 1, 1))
    return spikes.flatten().tolist(), made.v_seq.flatten().tolist()


def _neuron(name: str, **settings: Any) -> Any:
    return getattr(module("snntorch"), name)(**settings).double()


def _strictly_above() -> None:
    """They fire above the threshold, ours from it on: Theta(0) = 1."""
    at = torch.zeros(1)
    for name in ("atan", "fast_sigmoid", "sigmoid", "straight_through_estimator", "heaviside"):
        assert surrogate(name)(at).item() == 0.0, name
    for name in ("atan", "soft_sign", "sigmoid", "deterministic_pass", "leaky_k_relu"):
        assert snn.build("surrogate", name)(at).item() == 1.0, name


def _at_the_threshold() -> None:
    """A potential that is exactly the threshold does not fire; ours does: Theta(0) = 1."""
    made = _neuron("Leaky", beta=0.5, reset_mechanism="zero", reset_delay=False)
    assert _run(made, [1.0, 0.25], 1) == ([0.0, 0.0], [1.0, 0.75])
    found = _ours("lif", [1.0, 0.25], tau=2.0, decay_input=False)
    assert found == ([1.0, 0.0], [0.0, 0.25])


def _single_precision() -> None:
    """Spikes are float32 whatever the input is, and with them what their gradient passes through;
    ours have the dtype of the input. In float64 this bounds agreement at 1e-7."""
    x = torch.full((1, 1), 2.0, dtype=WIDE)
    spikes, _ = _neuron("Leaky", beta=0.5)(x, torch.zeros_like(x))
    assert spikes.dtype == torch.float32
    assert snn.build("neuron", "lif")(x).dtype == WIDE


def _late_subtraction() -> None:
    """By default the threshold is subtracted one step later, after that step's leak: H = beta V + X
    - S V_th, where ours is beta (V - S V_th) + X as in Eq. 7 of the SpikingJelly paper."""
    x = [1.4, 0.3, 0.9]
    spikes, membranes = _run(_neuron("Leaky", beta=0.5), x, 1)
    assert membranes == pytest.approx([1.4, 0.5 * 1.4 + 0.3 - 1.0, 0.5 * 0.0 + 0.9])
    assert spikes == [1.0, 0.0, 0.0]
    ours, potentials = _ours("lif", x, tau=2.0, decay_input=False, v_reset=None)
    assert potentials == pytest.approx([0.4, 0.5, 0.25 + 0.9 - 1.0])
    assert ours == [1.0, 0.0, 1.0]


def _subtracted_again() -> None:
    """Without the delay, a potential that a subtraction leaves above the threshold lowers what the
    next step fires on a second time; the pairs keep potentials below. Ours subtracts once."""
    x = [3.0, 1.0]
    made = _neuron("Leaky", beta=0.4, reset_mechanism="subtract", reset_delay=False)
    assert _run(made, x, 1)[0] == [1.0, 0.0]
    found, _ = _ours("lif", x, tau=1.0 / 0.6, decay_input=False, v_reset=None)
    assert found == [1.0, 1.0]


def _input_lost() -> None:
    """With their default delay a reset to zero takes the next step's input along, as it acts on the
    charged potential: the membrane is 0 whatever arrives. Ours resets at the spike."""
    x = [1.4, 0.6]
    made = _neuron("Synaptic", alpha=0.5, beta=0.5, reset_mechanism="zero")
    assert _run(made, x, 2)[1] == pytest.approx([1.4, 0.0])
    _, potentials = _ours("cuba_lif", x, c_decay=0.5, v_decay=0.5, v_threshold=1.0)
    assert potentials == pytest.approx([0.0, 0.0])
    # Ours charged with 0.5 * 1.4 + 0.6 and fired; below the threshold the charge stays.
    _, kept = _ours("cuba_lif", [1.4, -0.2], c_decay=0.5, v_decay=0.5, v_threshold=1.0)
    assert kept == pytest.approx([0.0, 0.5])
    assert _run(made, [1.4, -0.2], 2)[1] == pytest.approx([1.4, 0.0])


def _input_lost_in_lapicque() -> None:
    """The same leak, 1 - dt / (R C), as `lif` with tau = R C / dt until the first spike; then a
    reset to zero takes the next step's input along. Ours resets at the spike."""
    x = [0.8, 1.5, 1.6, 0.9]
    made = _neuron("Lapicque", R=1.0, C=2.0, time_step=1.0, reset_mechanism="zero")
    spikes, membranes = _run(made, x, 1)
    ours, potentials = _ours("lif", x, tau=2.0, v_threshold=1.0)
    assert spikes == ours == [0.0, 0.0, 1.0, 0.0]
    assert membranes == pytest.approx([0.4, 0.95, 1.275, 0.0])
    assert potentials == pytest.approx([0.4, 0.95, 0.0, 0.45])


def _no_membrane() -> None:
    """Their membrane is the difference of two exponentials itself; ours has it as the current that
    charges a leaky membrane. The current, scaled, is their membrane one step later."""
    x, tau_rise, tau_decay = [0.2, 0.0, 0.0, 0.1, 0.0, 0.0], 1.5, 4.0
    p, q = 1.0 - 1.0 / tau_decay, 1.0 - 1.0 / tau_rise
    made = _neuron("Alpha", alpha=p, beta=q)
    _, membranes = _run(made, x, 3)
    neuron = snn.build("neuron", "synaptic_lif", tau_rise=tau_rise, tau_decay=tau_decay)
    current = [(neuron(torch.full((1, 1), v, dtype=WIDE)), neuron.i.item())[1] for v in x]
    log_p, log_q = torch.tensor([p, q], dtype=WIDE).log().tolist()
    gain = (log_p / (log_q - log_p) + 1.0) * (p - q) / ((1.0 - p) * (1.0 - q))
    assert membranes[0] == pytest.approx(0.0)
    assert membranes[1:] == pytest.approx([gain * i for i in current[:-1]], rel=1e-6)


def _no_triangle() -> None:
    """Their derivative is the threshold below and minus the threshold from it on, whatever the
    distance; ours is the triangle that the name says."""
    x = grid()
    theirs = slope(surrogate("triangular", threshold=1.0), x)
    assert torch.equal(theirs, torch.where(x >= 0, -1.0, 1.0).to(WIDE))
    ours = slope(snn.build("surrogate", "piecewise_quadratic"), x)
    torch.testing.assert_close(ours, (1.0 - x.abs()).clamp(min=0.0))


def _peak_above() -> None:
    """Their derivative, slope exp(-beta |x - 1|), has its top 1 above the threshold: it was written
    for a potential and is given the distance. Shifted back it is ours times 2 slope / beta."""
    x = grid()
    shifted = slope(surrogate("spike_rate_escape", beta=2.0, slope=3.0), x + 1.0)
    ours = slope(snn.build("surrogate", "piecewise_exp", alpha=2.0), x)
    torch.testing.assert_close(shifted, 3.0 * ours)


def _wrong_operator() -> None:
    """Their leaky operator raises: it calls that of the random one. Ours has the slope `leak`
    below the threshold."""
    with pytest.raises(TypeError):
        surrogate("LSO", slope=0.1)(torch.zeros(1))
    x = torch.tensor([-1.0, 1.0], dtype=WIDE)
    assert slope(snn.build("surrogate", "leaky_k_relu", leak=0.1), x).tolist() == [0.1, 1.0]


def differences() -> list[Difference]:
    """All of them."""

    def row(kind: str, name: str, theirs: str, shows: Callable[[], None]) -> Difference:
        return Difference(kind, name, LIBRARY, theirs, shows)

    return [
        row("surrogate", "atan", "atan and all others", _strictly_above),
        row("surrogate", "piecewise_quadratic", "triangular", _no_triangle),
        row("surrogate", "piecewise_exp", "spike_rate_escape", _peak_above),
        row("surrogate", "leaky_k_relu", "LSO", _wrong_operator),
        row("neuron", "lif", "Leaky and all others", _at_the_threshold),
        row("neuron", "lif", "Leaky and all others", _single_precision),
        row("neuron", "lif", "Leaky", _late_subtraction),
        row("neuron", "lif", "Leaky(reset_delay=False)", _subtracted_again),
        row("neuron", "lif", "Lapicque", _input_lost_in_lapicque),
        row("neuron", "cuba_lif", "Synaptic", _input_lost),
        row("neuron", "synaptic_lif", "Alpha", _no_membrane),
    ]
