"""Neurons of this library and of others, ready to run over many steps.

    python benchmarks/peers.py          # do the other libraries import?

Each runs in its default settings and the fastest way over many steps that it offers. A loop that a
library leaves to its user, or writes as ``x[t]``, runs over ``x.unbind(0)`` instead: the backward
of the former costs O(T²). What a benchmark does not ask to learn is frozen.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import torch
from torch import Tensor, nn

import snncore as snn

MODULES = {
    "spikingjelly": (
        "spikingjelly.activation_based.neuron",
        "spikingjelly.activation_based.surrogate",
    ),
    "snntorch": ("snntorch",),
    "norse": ("norse.torch.module.lif_box", "norse.torch.functional.lif_box"),
    "sinabs": (
        "sinabs.layers",
        "sinabs.activation",
        "sinabs.layers.functional.lif",
        "sinabs.layers.functional.alif",
    ),
}
# Of an adaptive threshold: decay per step, and how far it moves.
RHO, BETA = 0.9, 1.8


@dataclass(frozen=True)
class Layer:
    """Neurons ready to run from rest.

    Args:
        call: spikes [T, *] of an input [T, *].
        learned: parameters that receive a gradient.
    """

    call: Callable[[Tensor], Tensor]
    learned: tuple[Tensor, ...] = ()


def ours(name: str, backend: str, settings: dict[str, Any], detach: bool) -> Layer:
    """A neuron of this library by its registered name."""
    neuron = snn.get("neuron", name)(
        **settings, step_mode="m", backend=backend, detach_reset=detach
    )

    def call(x: Tensor) -> Tensor:
        snn.reset(neuron)
        return neuron(x)

    return Layer(call, tuple(neuron.parameters()))


def spikingjelly(name: str, settings: dict[str, Any]) -> Layer:
    module, surrogate = map(importlib.import_module, MODULES["spikingjelly"])
    neuron = getattr(module, name)(**settings, surrogate_function=surrogate.ATan(), step_mode="m")

    def call(x: Tensor) -> Tensor:
        neuron.reset()
        return neuron(x)

    return Layer(call, tuple(neuron.parameters()))


def snntorch(
    tau: Callable[[], Tensor | float] = lambda: 2.0,
    threshold: Callable[[], Tensor | float] = lambda: 1.0,
    *,
    learn_beta: bool = False,
    learn_threshold: bool = False,
) -> Layer:
    leaky = importlib.import_module("snntorch").Leaky(
        beta=1.0 - 1.0 / tau(),
        threshold=threshold(),
        learn_beta=learn_beta,
        learn_threshold=learn_threshold,
        reset_mechanism="zero",
    )

    def call(x: Tensor) -> Tensor:
        v, spikes = x.new_zeros(x.shape[1:]), []
        # This library's input does not decay by itself.
        for now in (x * (1.0 - leaky.beta)).unbind(0):
            s, v = leaky(now, v)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, tuple(leaky.parameters()))


def norse(
    tau: Callable[[], Tensor | float] = lambda: 2.0,
    threshold: Callable[[], Tensor | float] = lambda: 1.0,
    *,
    learn_tau: bool = False,
    learn_threshold: bool = False,
) -> Layer:
    module, functional = map(importlib.import_module, MODULES["norse"])
    # In units of 1/s, with steps of 1 ms.
    rate = nn.Parameter(torch.as_tensor(1000.0 / tau()), requires_grad=learn_tau)
    border = nn.Parameter(torch.as_tensor(threshold()), requires_grad=learn_threshold)
    cell = module.LIFBoxCell(functional.LIFBoxParameters(tau_mem_inv=rate, v_th=border), dt=0.001)

    def call(x: Tensor) -> Tensor:
        # Its own first state is a leaf that wants a gradient, which nobody reads.
        state, spikes = functional.LIFBoxFeedForwardState(v=torch.zeros(())), []
        for now in x.unbind(0):
            s, state = cell(now, state)
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, tuple(p for p in (rate, border) if p.requires_grad))


def sinabs(tau: Callable[[], Tensor | float] = lambda: 2.0, *, learn_tau: bool = False) -> Layer:
    layers, activation, functional, _ = map(importlib.import_module, MODULES["sinabs"])
    lif = layers.LIF(
        tau_mem=-1.0 / torch.log(torch.as_tensor(1.0 - 1.0 / tau())),
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset(),
    )
    lif.requires_grad_(False)
    lif.tau_mem.requires_grad_(learn_tau)

    def call(x: Tensor) -> Tensor:
        state, spikes = {"v_mem": x.new_zeros(x.shape[1:])}, []
        alpha = lif.alpha_mem_calculated
        for now in x.unbind(0):
            s, state = functional.lif_forward_single(
                now,
                alpha_mem=alpha,
                alpha_syn=None,
                state=state,
                spike_threshold=lif.spike_threshold,
                spike_fn=lif.spike_fn,
                reset_fn=lif.reset_fn,
                surrogate_grad_fn=lif.surrogate_grad_fn,
                min_v_mem=None,
                norm_input=True,
            )
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call, (lif.tau_mem,) if learn_tau else ())


def sinabs_alif() -> Layer:
    layers, activation, _, functional = map(importlib.import_module, MODULES["sinabs"])
    alif = layers.ALIF(
        tau_mem=1.0 / math.log(2.0),
        tau_adapt=-1.0 / math.log(RHO),
        adapt_scale=BETA,
        spike_fn=activation.SingleSpike,
        reset_fn=activation.MembraneReset(),
    )
    alif.requires_grad_(False)

    def call(x: Tensor) -> Tensor:
        rest = x.new_zeros(x.shape[1:])
        state, spikes = {"v_mem": rest, "b": rest}, []
        decay, adapt = alif.alpha_mem_calculated, alif.alpha_adapt_calculated
        for now in x.unbind(0):
            s, state = functional.alif_forward_single(
                now,
                alpha_mem=decay,
                alpha_adapt=adapt,
                alpha_syn=None,
                adapt_scale=alif.adapt_scale,
                state=state,
                spike_fn=alif.spike_fn,
                reset_fn=alif.reset_fn,
                surrogate_grad_fn=alif.surrogate_grad_fn,
                min_v_mem=None,
                b0=alif.b0,
                norm_input=True,
            )
            spikes.append(s)
        return torch.stack(spikes)

    return Layer(call)


def failures(names: Sequence[str]) -> dict[str, str]:
    """Which of the other libraries do not import, and what they say."""
    found = {}
    for name in names:
        try:
            for module in MODULES.get(name, ()):
                importlib.import_module(module)
        except Exception as error:  # a library may fail in any way when its own needs are missing
            found[name] = f"{type(error).__name__}: {error}"
    return found


def versions() -> list[str]:
    """Name and version of each library that is installed."""
    found = []
    ours = ("snncore", "snn-neurons", "snn-datasets")
    for name in ("torch", "numba", *ours, *MODULES, "tonic"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            found.append(f"{name} {metadata.version(name)}")
    return found


def main() -> None:
    broken = failures(list(MODULES))
    for name, error in broken.items():
        print(f"{name} cannot be imported: {error}", file=sys.stderr)
    if broken:
        sys.exit(1)
    print(f"all import: {', '.join(versions())}")


if __name__ == "__main__":
    main()
