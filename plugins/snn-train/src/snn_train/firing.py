"""Firing rates and spikes of the neurons of a network, by hooks that are gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from snncore import Neuron


def neurons(net: nn.Module) -> Iterator[tuple[str, Neuron]]:
    """Every neuron layer with its path."""
    for path, module in net.named_modules():
        if isinstance(module, Neuron):
            yield path or type(module).__name__, module


class FiringRates:
    """Spikes per neuron and time step of each layer, summed as they come.

    Args:
        layers: paths of the layers.
    """

    def __init__(self, layers: list[str]) -> None:
        self.layers = layers
        self.fired = dict.fromkeys(layers, 0)
        self.seen = dict.fromkeys(layers, 0)

    def add(self, layer: str, spikes: Tensor) -> None:
        """Counts the spikes of one call."""
        self.fired[layer] += int(torch.count_nonzero(spikes))
        self.seen[layer] += spikes.numel()

    def rates(self) -> dict[str, float]:
        """Share of neurons that fire in a time step, by layer."""
        return {layer: self.fired[layer] / max(self.seen[layer], 1) for layer in self.layers}

    def mean(self) -> float:
        """The same over all layers together."""
        return sum(self.fired.values()) / max(sum(self.seen.values()), 1)


@contextmanager
def firing_rates(net: nn.Module) -> Iterator[FiringRates]:
    """Measures the firing rates of what runs inside the ``with`` block."""
    found = dict(neurons(net))
    rates = FiringRates(list(found))
    handles = [module.register_forward_hook(_adder(rates, path)) for path, module in found.items()]
    try:
        yield rates
    finally:
        for handle in handles:
            handle.remove()


def _adder(rates: FiringRates, path: str) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        rates.add(path, _spikes(output))

    return hook


def _spikes(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output
