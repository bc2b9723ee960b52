"""Layers of spiking recurrent cells, one on the other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from snn_neurons.recurrent.bidirectional import Bidirectional
from snn_neurons.recurrent.cell import SpikingCell, State
from snncore.layers import Dropout
from snncore.step import locate
from snncore.surrogate import Surrogate


class SpikingStack(nn.Module):
    """Base of stacks: each layer is a cell, or two in opposite directions, fed by the one below.

    Both step modes run through the layers, which :func:`snncore.set_step_mode` switches; the state
    is that of the cells. Layers of two directions need whole sequences and stay in mode "m".

    Args:
        make: a cell for an input of this size.
        input_size: of the first layer.
        num_layers: number of layers.
        dropout: probability of dropping a value between two layers.
        bidirectional: whether each layer runs in both directions.
    """

    def __init__(
        self,
        make: Callable[[int], SpikingCell],
        input_size: int,
        num_layers: int,
        dropout: float,
        bidirectional: bool,
    ) -> None:
        super().__init__()
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.layers = nn.ModuleList()
        width = input_size
        for _ in range(num_layers):
            cell = make(width)
            layer = Bidirectional(cell, make(width)) if bidirectional else cell
            self.layers.append(layer)
            width = cell.hidden_size * (2 if bidirectional else 1)
        self.between = Dropout(dropout)

    @property
    def cells(self) -> tuple[SpikingCell, ...]:
        """All cells; of each layer that forward in time before that backward."""
        return tuple(cell for cell in self.layers.modules() if isinstance(cell, SpikingCell))

    @property
    def input_size(self) -> int:
        """Size of the last axis of the input."""
        return self.cells[0].input_size

    @property
    def hidden_size(self) -> int:
        """Size of each cell's hidden state."""
        return self.cells[0].hidden_size

    @property
    def bias(self) -> bool:
        """Whether the cells have biases."""
        return self.cells[0].bias

    @property
    def dropout(self) -> float:
        """Probability of dropping a value between two layers."""
        return self.between.p

    @property
    def surrogate(self) -> Surrogate:
        """The spike function of the cells."""
        return self.cells[0].surrogate

    @property
    def hx(self) -> State | None:
        """The states now, as ``forward`` takes them; None before the first input."""
        held = [_several(hx) for cell in self.cells if (hx := cell.hx) is not None]
        if len(held) < len(self.cells):
            return None
        stacked = tuple(torch.stack(values) for values in zip(*held, strict=True))
        return stacked[0] if len(stacked) == 1 else stacked

    def forward(self, x: Tensor, hx: State | None = None) -> Tensor:
        """Runs all layers; ``hx`` replaces their states before, as in torch."""
        starts = [None] * len(self.cells) if hx is None else self._divide(hx)
        for i, layer in enumerate(self.layers):
            start = starts[i]
            if self.bidirectional and hx is not None:
                start = starts[2 * i], starts[2 * i + 1]
            x = layer(x, hx=start)
            if i + 1 < self.num_layers:
                x = self.between(x)
        return x

    def _divide(self, hx: State) -> list[State | None]:
        """Of states ``[num_layers * directions, N, *, hidden_size]``, those of each cell."""
        given = _several(hx)
        count, names = len(self.cells), tuple(self.cells[0].states)
        lead = [value.shape[:1] for value in given]
        if len(given) != len(names) or any(one != (count,) for one in lead):
            shapes = ", ".join(str(list(value.shape)) for value in given)
            raise ValueError(
                f"{locate(self)}: hx is {', '.join(names)}, each [{count}, N, *, "
                f"{self.hidden_size}] (layers times directions first), got {shapes}"
            )
        parts = zip(*(value.unbind(0) for value in given), strict=True)
        return [part[0] if len(part) == 1 else part for part in parts]

    def extra_repr(self) -> str:
        """What the layers do not show."""
        return f"bidirectional={self.bidirectional}"


def _several(state: State) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)
