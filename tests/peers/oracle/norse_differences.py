"""Where Norse departs from a model that it shares with this library."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

import snncore as snn
from oracle.comparison import distance
from oracle.norse import DT, LIBRARY, SURROGATE, adex, function, izhikevich, refractory, threshold
from oracle.pair import Difference, Variant
from oracle.side import Leaves, Side, neuron

WIDE = torch.float64
X = torch.linspace(0.5, 3.0, 24, dtype=WIDE).view(12, 2)


def _strictly_above() -> None:
    """They fire above the threshold, ours from it on: Theta(0) = 1."""
    at = torch.zeros(1)
    for method in ("super", "triangle", "tanh", "heavi_erfc"):
        assert threshold(method, 1.0)(at).item() == 0.0, method
    for name in ("super_spike", "piecewise_quadratic", "sigmoid", "erf"):
        assert snn.build("surrogate", name)(at).item() == 1.0, name


def _at_the_threshold() -> None:
    """A potential that is exactly the threshold does not fire; ours does: Theta(0) = 1."""
    lib = function("lif_box")
    p = lib.LIFBoxParameters(tau_mem_inv=torch.tensor(0.5 / DT, dtype=WIDE))
    state = lib.LIFBoxFeedForwardState(v=torch.zeros(1, dtype=WIDE))
    x = torch.tensor([2.0], dtype=WIDE)
    spikes, state = lib.lif_box_feed_forward_step(x, state, p, DT)
    assert (spikes.item(), state.v.item()) == (0.0, 1.0)
    assert snn.build("neuron", "lif")(x).item() == 1.0


def _gradient(side: Side, start: dict[str, Tensor]) -> Tensor:
    x = X.clone().requires_grad_(True)
    run = side.runs["step by step"]
    weights = torch.linspace(-1.0, 1.0, X.numel(), dtype=WIDE).view_as(X)
    (found,) = torch.autograd.grad((run(x, start).output * weights).sum(), x)
    return found


def _counting_gradient() -> None:
    """Their counter of resting steps passes gradients, through the spike that starts it and a
    surrogate of its sign; ours is a number without, as a count has no derivative."""
    settings: Variant = {"tau": 2.0, "refractory": 2, "v_threshold": 1.0, "v_reset": 0.0}
    learned = ("tau", "v_threshold", "v_reset")
    ours = neuron("refractory_lif", {**SURROGATE, **settings}, learned)
    start = {"v": torch.zeros(2, dtype=WIDE)}
    mine = _gradient(ours, start)
    assert distance(mine, _gradient(refractory(settings, ours.leaves), start)) < 1e-12
    counted = refractory(settings, ours.leaves, counts_freely=False)
    assert distance(mine, _gradient(counted, start)) > 1e-3


def _earlier_potential(
    name: str, peer: Callable[[Variant, Leaves], Side], settings: Variant, learned: tuple[str, ...]
) -> Callable[[], None]:
    def _before_the_step() -> None:
        """Their second state follows the potential of before the step, ours the charged one, as in
        Eq. 37 of the SpikingJelly paper; the pair has a = 0, where both are the same."""
        side = neuron(name, {**SURROGATE, **settings}, learned)
        start = {"v": torch.full((2,), 0.3, dtype=WIDE), "w": torch.zeros(2, dtype=WIDE)}
        ours = side.runs["step by step"](X[:1], start).states["w"]
        theirs = peer(settings, side.leaves)
        other = theirs.runs["step by step"](X[:1], start).states["w"]
        rest = settings["v_rest"] if name == "adex" else 0.0
        expected = settings["a"] * (0.3 - rest) / settings["tau_w"]
        assert distance(other, torch.full((1, 2), expected, dtype=WIDE)) < 1e-12
        assert distance(ours, other) > 0.1

    return _before_the_step


def _euler() -> None:
    """Their membrane takes an Euler step, which a strong conductance drives past its reversal
    potential; ours follows the exponential that solves the step and stays below."""
    lib = function("coba_lif")
    p = lib.CobaLIFParameters(
        tau_syn_exc_inv=torch.tensor(0.0, dtype=WIDE),
        tau_syn_inh_inv=torch.tensor(0.0, dtype=WIDE),
        c_m_inv=torch.tensor(0.5 / DT, dtype=WIDE),
        g_l=torch.tensor(1.0, dtype=WIDE),
        e_rev_E=torch.tensor(0.9, dtype=WIDE),
        v_rest=torch.tensor(0.0, dtype=WIDE),
        v_thresh=torch.tensor(9.0, dtype=WIDE),
    )
    zero = torch.zeros(1, 1, dtype=WIDE)
    for strength, overshoots in ((0.01, False), (20.0, True)):
        x = torch.full((1, 1), strength, dtype=WIDE)
        state = lib.CobaLIFFeedForwardState(zero, zero, zero)
        _, state = lib.coba_lif_feed_forward_step(x, state, p, DT)
        ours = snn.build("neuron", "conductance_lif", tau=2.0, e_e=0.9, v_threshold=9.0)
        ours(x)
        total = 1.0 + strength
        target = strength * 0.9 / total
        exact = target * (1.0 - torch.exp(torch.tensor(-total / 2.0, dtype=WIDE)).item())
        assert abs(ours.v.item() - exact) < 1e-9
        assert abs(state.v.item() - 0.5 * strength * 0.9) < 1e-9
        assert (state.v.item() > 0.9) == overshoots
        assert ours.v.item() < 0.9


def differences() -> list[Difference]:
    """All of them."""

    def row(kind: str, name: str, theirs: str, shows: Callable[[], None]) -> Difference:
        return Difference(kind, name, LIBRARY, theirs, shows)

    shared: Variant = {"tau": 2.0, "v_threshold": 1.1, "v_reset": 0.0, "b": 0.5, "tau_w": 4.0}
    exponential: Variant = {**shared, "delta_t": 0.6, "theta_rh": 1.1, "v_rest": 0.0625, "a": 0.75}
    quadratic: Variant = {**shared, "a0": 0.8, "v_rest": 0.0, "v_c": 0.7, "a": 0.75}
    return [
        row("surrogate", "super_spike", "super and all others", _strictly_above),
        row("neuron", "lif", "LIFBoxCell and all others", _at_the_threshold),
        row("neuron", "refractory_lif", "LIFRefracCell", _counting_gradient),
        row(
            "neuron",
            "adex",
            "LIFAdExCell",
            _earlier_potential(
                "adex",
                adex,
                exponential,
                ("tau", "delta_t", "v_rest", "b", "tau_w", "v_reset"),
            ),
        ),
        row(
            "neuron",
            "izhikevich",
            "IzhikevichCell",
            _earlier_potential(
                "izhikevich",
                izhikevich,
                quadratic,
                ("tau", "a0", "v_rest", "v_c", "b", "tau_w", "v_threshold", "v_reset"),
            ),
        ),
        row("neuron", "conductance_lif", "CobaLIFCell", _euler),
    ]
