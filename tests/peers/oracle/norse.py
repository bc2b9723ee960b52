"""Neurons and surrogates of Norse, in steps of 1 ms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from oracle.curve import Curve
from oracle.pair import Pair, Variant, drive
from oracle.peer import module
from oracle.side import Leaves, Side, States, Step, loop, neuron

LIBRARY = "norse"
DT = 0.001
SURROGATE = {"surrogate": "super_spike"}


def function(name: str) -> Any:
    """A module of theirs, by what it is about."""
    return module(f"norse.torch.functional.{name}")


def rate(tau: float | Tensor) -> Tensor:
    """Their inverse time constant, in 1/s, of ours in steps."""
    return torch.as_tensor(1.0 / (tau * DT), dtype=torch.float64)


def _number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


def _value(settings: Variant, leaves: Leaves, name: str, default: float) -> Any:
    given = settings.get(name)
    return leaves.get(name, _number(default if given is None else given))


def _side(step: Step, leaves: Leaves) -> Side:
    return Side({"step by step": loop(step)}, leaves)


def _box(settings: Variant, leaves: Leaves) -> Side:
    lib, reset = function("lif_box"), function("reset")
    soft = settings["v_reset"] is None
    rest = _value(settings, leaves, "v_reset", 0.0)
    p = lib.LIFBoxParameters(
        tau_mem_inv=rate(leaves["tau"]),
        v_leak=rest,
        v_th=leaves["v_threshold"],
        v_reset=rest,
        reset_method=reset.reset_subtract if soft else reset.reset_value,
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, state = lib.lif_box_feed_forward_step(
            x, lib.LIFBoxFeedForwardState(v=states["v"]), p, DT
        )
        return spikes, {"v": state.v}

    return _side(step, leaves)


def _iaf(settings: Variant, leaves: Leaves) -> Side:
    lib = function("iaf")
    p = lib.IAFParameters(v_th=leaves["v_threshold"], v_reset=leaves["v_reset"])

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        spikes, state = lib.iaf_feed_forward_step(x, lib.IAFFeedForwardState(v=states["v"]), p, DT)
        return spikes, {"v": state.v}

    return _side(step, leaves)


def _synaptic(settings: Variant, leaves: Leaves) -> Side:
    lib = function("lif")
    rest = leaves["v_reset"]
    p = lib.LIFParameters(
        tau_syn_inv=rate(leaves["tau_decay"]),
        tau_mem_inv=rate(leaves["tau"]),
        v_leak=rest,
        v_th=leaves["v_threshold"],
        v_reset=rest,
    )
    share = 1.0 / leaves["tau_decay"]

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        # Their current has decayed already when a step ends, and an input adds to it unscaled.
        state = lib.LIFFeedForwardState(v=states["v"], i=states["i"] * (1.0 - share))
        spikes, state = lib.lif_feed_forward_step(x * share, state, p, DT)
        return spikes, {"v": state.v, "i": state.i / (1.0 - share)}

    return _side(step, leaves)


def refractory(settings: Variant, leaves: Leaves, *, counts_freely: bool = True) -> Side:
    """Their refractory neuron; its counter with or without a gradient."""
    lif, lib = function("lif"), function("lif_refrac")
    p = lib.LIFRefracParameters(
        lif=lif.LIFParameters(
            tau_syn_inv=rate(1.0),
            tau_mem_inv=rate(leaves["tau"]),
            v_leak=leaves["v_reset"],
            v_th=leaves["v_threshold"],
            v_reset=leaves["v_reset"],
        ),
        rho_reset=torch.tensor(float(settings["refractory"])),
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        v, left = states["v"], states.get("r", torch.zeros_like(x))
        state = lib.LIFRefracFeedForwardState(
            lif.LIFFeedForwardState(v=v, i=torch.zeros_like(x)),
            left.detach() if counts_freely else left,
        )
        spikes, state = lib.lif_refrac_feed_forward_step(x, state, p, DT)
        return spikes, {"v": state.lif.v, "r": state.rho}

    return _side(step, leaves)


def _exponential(settings: Variant, leaves: Leaves) -> Side:
    lib = function("lif_ex")
    threshold = _number(settings["v_threshold"])
    p = lib.LIFExParameters(
        delta_T=leaves["delta_t"],
        tau_syn_inv=rate(1.0),
        tau_mem_inv=rate(leaves["tau"]),
        v_leak=leaves["v_rest"],
        v_th=threshold,
        v_reset=leaves["v_reset"],
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        state = lib.LIFExFeedForwardState(states["v"], torch.zeros_like(x))
        spikes, state = lib.lif_ex_feed_forward_step(x, state, p, DT)
        return spikes, {"v": state.v}

    return _side(step, leaves)


def adex(settings: Variant, leaves: Leaves) -> Side:
    """Their adaptive exponential neuron without a synapse."""
    lib = function("lif_adex")
    p = lib.LIFAdExParameters(
        adaptation_current=_number(settings.get("a", 0.0)),
        adaptation_spike=leaves["b"],
        delta_T=leaves["delta_t"],
        tau_ada_inv=rate(leaves["tau_w"]),
        tau_syn_inv=rate(1.0),
        tau_mem_inv=rate(leaves["tau"]),
        v_leak=leaves["v_rest"],
        v_th=_number(settings["v_threshold"]),
        v_reset=leaves["v_reset"],
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        state = lib.LIFAdExFeedForwardState(states["v"], torch.zeros_like(x), states["w"])
        spikes, state = lib.lif_adex_feed_forward_step(x, state, p, DT)
        return spikes, {"v": state.v, "w": state.a}

    return _side(step, leaves)


def izhikevich(settings: Variant, leaves: Leaves) -> Side:
    """Their Izhikevich neuron, whose recovery is u."""
    lib = function("izhikevich")
    tau, a0 = leaves["tau"], leaves["a0"]
    rest, critical = leaves["v_rest"], leaves["v_c"]
    p = lib.IzhikevichParameters(
        a=tau / leaves["tau_w"],
        b=settings.get("a", 0.0),
        c=leaves["v_reset"],
        d=leaves["b"],
        sq=a0,
        mn=-a0 * (rest + critical),
        bias=a0 * rest * critical,
        v_th=leaves["v_threshold"],
        tau_inv=rate(tau),
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        state = lib.IzhikevichState(v=states["v"], u=states["w"])
        spikes, state = lib.izhikevich_feed_forward_step(x, state, p, DT)
        return spikes, {"v": state.v, "w": state.u}

    return _side(step, leaves)


def _lsnn(settings: Variant, leaves: Leaves) -> Side:
    lib = function("lsnn")
    rho, beta, threshold = leaves["rho"], leaves["beta"], leaves["v_threshold"]
    p = lib.LSNNParameters(
        tau_syn_inv=rate(1.0),
        tau_mem_inv=rate(leaves["tau"]),
        tau_adapt_inv=(1.0 - rho) / DT,
        v_leak=leaves["v_reset"],
        v_th=threshold,
        v_reset=leaves["v_reset"],
        beta=beta * (1.0 - rho) / rho,
    )

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        # An input of theirs acts in the next step, from the current that it has become.
        b = threshold + beta * states["b"] / rho
        state = lib.LSNNFeedForwardState(v=states["v"], i=x, b=b)
        spikes, state = lib.lsnn_feed_forward_step(torch.zeros_like(x), state, p, DT)
        return spikes, {"v": state.v, "b": (state.b - threshold) * rho / beta}

    return _side(step, leaves)


def _readout(settings: Variant, leaves: Leaves) -> Side:
    lib = function("leaky_integrator_box")
    p = lib.LIBoxParameters(tau_mem_inv=rate(leaves["tau"]))

    def step(x: Tensor, states: States) -> tuple[Tensor, States]:
        y, state = lib.li_box_feed_forward_step(x, lib.LIBoxState(states["v"]), p, DT)
        return y, {"v": state.v}

    return _side(step, leaves)


def _pair(
    name: str,
    theirs: str,
    peer: Callable[[Variant, Leaves], Side],
    variants: tuple[Variant, ...],
    learned: tuple[str, ...],
    **more: Any,
) -> Pair:
    def ours(settings: Variant) -> Side:
        named = settings if name == "leaky_integrator" else {**SURROGATE, **settings}
        soft = settings.get("v_reset", 0.0) is None
        return neuron(name, named, tuple(n for n in learned if not (soft and n == "v_reset")))

    return Pair("neuron", name, LIBRARY, theirs, ours, peer, variants, **more)


def pairs() -> list[Pair]:
    """All of them."""
    v = {"v": (-0.6, 0.8)}
    low: Variant = {"tau": 2.5, "v_threshold": 1.1, "v_reset": -0.1}
    current = "no synapse: `tau_syn_inv` is 1 / dt"
    return [
        _pair(
            "lif",
            "LIFBoxCell",
            _box,
            tuple({**low, "v_reset": reset} for reset in (0.0, -0.2, None)),
            ("tau", "v_threshold", "v_reset"),
            start=v,
            draws=drive(high=3.0),
            mapping="`tau_mem_inv` = 1 / (tau dt), `v_leak` = `v_reset`; subtractive is soft",
        ),
        _pair(
            "if",
            "IAFCell",
            _iaf,
            tuple({"v_threshold": 1.1, "v_reset": reset} for reset in (0.0, -0.2)),
            ("v_threshold", "v_reset"),
            start=v,
            draws=drive(high=1.2),
        ),
        _pair(
            "synaptic_lif",
            "LIFCell",
            _synaptic,
            ({**low, "tau_rise": 1.0, "tau_decay": 3.0},),
            ("tau", "tau_decay", "v_threshold", "v_reset"),
            start={**v, "i": (0.0, 1.0)},
            draws=drive(low=-1.0, high=6.0),
            mapping="`tau_rise` = 1, `tau_syn_inv` = 1 / (tau_decay dt); the input times "
            "1 / tau_decay; their current after its decay",
        ),
        _pair(
            "refractory_lif",
            "LIFRefracCell",
            refractory,
            tuple({**low, "refractory": n} for n in (1, 3)),
            ("tau", "v_threshold", "v_reset"),
            start=v,
            draws=drive(high=4.0),
            mapping=f"{current}; their counter detached",
            detached=("r",),
        ),
        _pair(
            "eif",
            "LIFExCell",
            _exponential,
            ({**low, "delta_t": 0.6, "theta_rh": 1.1, "v_rest": 0.05},),
            ("tau", "delta_t", "v_rest", "v_reset"),
            start=v,
            draws=drive(low=-1.0, high=2.0),
            mapping=f"`theta_rh` = `v_threshold`; {current}",
        ),
        _pair(
            "adex",
            "LIFAdExCell",
            adex,
            ({**low, "delta_t": 0.6, "theta_rh": 1.1, "v_rest": 0.05, "b": 0.5, "tau_w": 4.0},),
            ("tau", "delta_t", "v_rest", "b", "tau_w", "v_reset"),
            start={**v, "w": (-0.2, 0.5)},
            draws=drive(low=-1.0, high=3.0),
            mapping=f"a = 0, `theta_rh` = `v_threshold`; {current}",
        ),
        _pair(
            "izhikevich",
            "IzhikevichCell",
            izhikevich,
            ({**low, "a0": 0.8, "v_rest": -0.05, "v_c": 0.7, "b": 0.5, "tau_w": 4.0},),
            ("tau", "a0", "v_rest", "v_c", "b", "tau_w", "v_threshold", "v_reset"),
            start={**v, "w": (-0.2, 0.5)},
            draws=drive(high=3.5),
            mapping="a = 0, the quadratic multiplied out, their a = tau / tau_w, d = b",
        ),
        _pair(
            "alif",
            "LSNNCell",
            _lsnn,
            ({**low, "beta": 1.4, "rho": 0.85},),
            ("tau", "beta", "rho", "v_threshold", "v_reset"),
            start={**v, "b": (0.0, 0.5)},
            draws=drive(high=4.0),
            mapping="their threshold is V_th + beta b / rho, its jump beta (1 - rho) / rho; their "
            "input a step earlier",
        ),
        _pair(
            "leaky_integrator",
            "LIBoxCell",
            _readout,
            ({"tau": 2.5},),
            ("tau",),
            start=v,
            mapping="`tau_mem_inv` = 1 / (tau dt)",
            spikes=False,
        ),
    ]


def threshold(method: str, alpha: float) -> Callable[[Tensor], Tensor]:
    """One of their spike functions."""
    found = function("threshold").threshold
    return lambda x: found(x, method, alpha)


def curves() -> list[Curve]:
    """Surrogates with the same derivative up to a factor."""

    def curve(name: str, method: str, **more: Any) -> Curve:
        return Curve(name=name, library=LIBRARY, theirs=method, above=True, **more)

    return [
        curve(
            "super_spike",
            "super",
            peer=lambda _, __: threshold("super", 100.0),
            mapping="alpha = 1; theirs has no effect",
        ),
        curve(
            "piecewise_quadratic",
            "triangle",
            peer=lambda _, __: threshold("triangle", 0.3),
            scale=lambda _: 0.3,
            mapping="our alpha = 1; theirs is ours times alpha",
        ),
        curve(
            "sigmoid",
            "tanh",
            peer=lambda settings, _: threshold("tanh", settings["alpha"] / 2.0),
            variants=({"alpha": 4.0}, {"alpha": 10.0}),
            scale=lambda settings: 4.0 / settings["alpha"],
            mapping="their alpha = half of ours; theirs is ours times 4 / alpha",
        ),
        curve(
            "erf",
            "heavi_erfc",
            peer=lambda settings, _: threshold("heavi_erfc", settings["alpha"]),
            variants=({"alpha": 2.0}, {"alpha": 0.8}),
            scale=lambda settings: 2.0 / settings["alpha"],
            mapping="theirs is ours times 2 / alpha",
        ),
    ]
