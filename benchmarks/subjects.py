"""The neurons that are compared, each with the libraries that compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from peers import BETA, RHO, Layer, norse, ours, sinabs, sinabs_alif, snntorch, spikingjelly
from torch import Tensor, nn

OURS = ("cpp", "eager")
CHANNELS = 64


@dataclass(frozen=True)
class Contender:
    """One library's form of a neuron.

    Args:
        make: imports the library and builds the layer.
        gradient: which gradient of ours its own equals: with or without the path through the
            reset; "other" where its surrogate or its reset is of another kind.
        same_parameters: whether its learned parameters are ours too, not a function of them.
    """

    make: Callable[[], Layer]
    gradient: Literal["full", "detached", "other"] = "other"
    same_parameters: bool = False


def per_channel(low: float, high: float) -> Tensor:
    """One number per channel of an input [..., CHANNELS, positions]."""
    return torch.linspace(low, high, CHANNELS)[:, None]


def taus() -> Tensor:
    return per_channel(1.5, 4.0)


def thresholds() -> Tensor:
    return per_channel(0.8, 1.2)


@dataclass(frozen=True)
class Subject:
    """A neuron, and who has it.

    Args:
        component: its registered name here.
        settings: what it is built with, made anew each time.
        others: the other libraries that compute the same.
        absent: why the rest is missing.
    """

    component: str
    settings: Callable[[], dict[str, Any]]
    others: dict[str, Contender]
    absent: dict[str, str] = field(default_factory=dict)

    def names(self) -> list[str]:
        return [*OURS, *self.others]

    def ours(self, backend: str, *, detach: bool = False) -> Layer:
        return ours(self.component, backend, self.settings(), detach)

    def contender(self, name: str) -> Contender:
        if name in OURS:
            return Contender(partial(self.ours, name), "full", True)
        return self.others[name]


ADAPTING = {"a": 0.3, "b": 0.2}
NEURONS = {
    "lif": Subject(
        "lif",
        lambda: {"tau": 2.0},
        {
            "spikingjelly": Contender(partial(spikingjelly, "LIFNode", {"tau": 2.0}), "full"),
            "snntorch": Contender(snntorch, "detached"),
            "norse": Contender(norse),
            "sinabs": Contender(sinabs),
        },
    ),
    "plif": Subject(
        "plif",
        lambda: {"init_tau": 3.0},
        {
            "spikingjelly": Contender(
                partial(spikingjelly, "ParametricLIFNode", {"init_tau": 3.0}), "full", True
            ),
            "snntorch": Contender(partial(snntorch, lambda: 3.0, learn_beta=True), "detached"),
            "norse": Contender(partial(norse, lambda: 3.0, learn_tau=True)),
            "sinabs": Contender(partial(sinabs, lambda: 3.0, learn_tau=True)),
        },
    ),
    "alif": Subject(
        "alif",
        lambda: {"rho": RHO, "beta": BETA},
        {"sinabs": Contender(sinabs_alif)},
        {
            "spikingjelly": "it has none",
            "snntorch": "it has none",
            "norse": "its LSNN has a synaptic current too, and its threshold moves otherwise",
        },
    ),
    "izhikevich": Subject(
        "izhikevich",
        lambda: ADAPTING,
        {"spikingjelly": Contender(partial(spikingjelly, "IzhikevichNode", ADAPTING), "full")},
        {
            "snntorch": "it has none",
            "norse": "it has that of 2003 in millivolts, with other equations",
            "sinabs": "it has none",
        },
    ),
    "channel_tau": Subject(
        "lif",
        lambda: {"tau": taus()},
        {
            "snntorch": Contender(partial(snntorch, taus), "detached"),
            "norse": Contender(partial(norse, taus)),
            "sinabs": Contender(partial(sinabs, taus)),
        },
        {"spikingjelly": "it takes one float"},
    ),
    "learned_threshold": Subject(
        "lif",
        lambda: {"v_threshold": nn.Parameter(thresholds())},
        {
            "snntorch": Contender(
                partial(snntorch, threshold=thresholds, learn_threshold=True), "detached", True
            ),
            "norse": Contender(partial(norse, threshold=thresholds, learn_threshold=True)),
        },
        {"spikingjelly": "it takes one float", "sinabs": "its threshold has no gradient"},
    ),
}
