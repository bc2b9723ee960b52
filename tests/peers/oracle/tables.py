"""Everything that is compared. Nothing here imports another library."""

from __future__ import annotations

from oracle import (
    norse,
    norse_differences,
    snntorch,
    snntorch_differences,
    spikingjelly_differences,
    spikingjelly_layers,
    spikingjelly_neurons,
    spikingjelly_recurrent,
    spikingjelly_surrogates,
    spikingjelly_values,
)
from oracle.curve import Curve
from oracle.pair import Difference, Pair


def pairs() -> list[Pair]:
    """Models that two libraries define."""
    return [
        *spikingjelly_neurons.pairs(),
        *spikingjelly_surrogates.pairs(),
        *snntorch.pairs(),
        *norse.pairs(),
        *spikingjelly_layers.pairs(),
        *spikingjelly_recurrent.pairs(),
        *spikingjelly_values.pairs(),
    ]


def curves() -> list[Curve]:
    """Surrogates that two libraries define."""
    return [*spikingjelly_surrogates.curves(), *snntorch.curves(), *norse.curves()]


def differences() -> list[Difference]:
    """Where the others depart."""
    return [
        *spikingjelly_differences.differences(),
        *snntorch_differences.differences(),
        *norse_differences.differences(),
    ]
