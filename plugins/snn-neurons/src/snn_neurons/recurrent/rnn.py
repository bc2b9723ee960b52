"""The plain spiking recurrent network: its hidden state is a layer of spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from torch import Tensor

from snn_neurons.recurrent.cell import SpikingCell, Unit
from snn_neurons.recurrent.stack import SpikingStack
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class RNNUnit(Unit):
    """Fires where its current reaches 0: h = Theta(a).

    Args:
        surrogate: spike function.
    Shape: any; h like a.
    Example:
        >>> RNNUnit("erf").step(torch.tensor([0.0, -1.0]))
        (tensor([1., 0.]),)
    """

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(a,) -> (h,)``."""
        return (self.surrogate(args[0]),)


class SpikingRNNCell(SpikingCell):
    """Plain recurrent cell whose output fires.

    h[t] = Theta(W x[t] + b + U h[t-1] + b_U)

    Weights are named and drawn as in ``torch.nn.RNNCell``. The state h is held between calls.

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of h.
        bias: whether there are b and b_U.
        surrogate: spike function.
        step_mode: "s" or "m".
    Shape: ``[N, *, input_size] -> [N, *, hidden_size]``, with T in front in mode "m"; spikes in
        the input's dtype; state h ``[N, *, hidden_size]``, float32. ``hx`` is h to begin with.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingRNNCell(4, 6, step_mode="m")(torch.rand(5, 3, 4)).shape
        torch.Size([5, 3, 6])

    Source: Elman, Finding structure in time, Cognitive Science 1990, with spikes; SpikingJelly
        (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"input_size": 6, "hidden_size": 5},
            {"input_size": 6, "hidden_size": 5, "bias": False},
        ),
        "gain": 3.0,
    }

    def __init__(
        self,
        input_size: Annotated[int, Gt(0)],
        hidden_size: Annotated[int, Gt(0)],
        *,
        bias: bool = True,
        surrogate: Surrogate | str | dict[str, Any] = "erf",
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__(input_size, hidden_size, bias, RNNUnit(surrogate), step_mode)


class SpikingRNN(SpikingStack):
    """Layers of :class:`SpikingRNNCell`.

    h_l[t] = Cell_l(h_(l-1)[t], h_l[t-1]),  h_0 = x,  output h_L;
    bidirectional: h_l = [Cell_l(h_(l-1)); Cell'_l(h_(l-1) from its end)]

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of each layer's h.
        num_layers: number of layers.
        bias: whether the cells have biases.
        dropout: probability of dropping a value between two layers, anew at each step, in [0, 1).
        bidirectional: whether each layer runs in both directions, which needs whole sequences.
        surrogate: spike function.
    Shape: ``[N, *, input_size] -> [N, *, D hidden_size]``, with T in front in mode "m"; D = 2 and
        only mode "m" when bidirectional, else D = 1. ``hx`` is ``[num_layers D, N, *,
        hidden_size]``, in torch's order.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingRNN(4, 6, num_layers=2)(torch.rand(3, 4)).shape
        torch.Size([3, 6])

    Source: Elman, Finding structure in time, Cognitive Science 1990, with spikes; SpikingJelly
        (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"input_size": 6, "hidden_size": 5},
            {"input_size": 6, "hidden_size": 5, "num_layers": 2, "bias": False},
        ),
        "gain": 3.0,
    }

    def __init__(
        self,
        input_size: Annotated[int, Gt(0)],
        hidden_size: Annotated[int, Gt(0)],
        *,
        num_layers: Annotated[int, Gt(0)] = 1,
        bias: bool = True,
        dropout: Annotated[float, Ge(0), Lt(1)] = 0.0,
        bidirectional: bool = False,
        surrogate: Surrogate | str | dict[str, Any] = "erf",
    ) -> None:
        def make(width: int) -> SpikingCell:
            return SpikingRNNCell(width, hidden_size, bias=bias, surrogate=surrogate)

        super().__init__(make, input_size, num_layers, dropout, bidirectional)
