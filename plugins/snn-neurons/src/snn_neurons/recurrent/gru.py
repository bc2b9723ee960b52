"""The spiking gated recurrent unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from torch import Tensor

from snn_neurons.recurrent.gated import GatedCell, GatedStack, GatedUnit
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class GRUUnit(GatedUnit):
    """The gates of a GRU.

    r = Theta(a_r);  z = Theta(a_z);  n = Theta(a_n + r b_n);  h' = (1 - z) n + z h

    Args:
        surrogate: spike function of r and z.
        candidate_surrogate: that of n; None for the same.
    Shape: any; h' like all others.
    Example:
        >>> on, off = torch.ones(1), -torch.ones(1)
        >>> GRUUnit("erf", None).step(on, off, on, on, torch.zeros(1))
        (tensor([1.]),)
    """

    inputs = 5

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(a_r, a_z, a_n, b_n, h) -> (h,)``."""
        a_r, a_z, a_n, b_n, h = args
        r, z = self.surrogate(a_r), self.surrogate(a_z)
        n = self.candidate(a_n + r * b_n)
        return ((1.0 - z) * n + z * h,)


class SpikingGRUCell(GatedCell):
    """Gated recurrent cell whose gates fire.

    r = Theta(W_r x + b_r + U_r h + d_r);  z = Theta(W_z x + b_z + U_z h + d_z);
    n = Theta(W_n x + b_n + r (U_n h + d_n));  h <- (1 - z) n + z h

    Weights are named, ordered (r, z, n) and drawn as in ``torch.nn.GRUCell``. The state h is held
    between calls.

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of h.
        bias: whether there are biases b and d.
        surrogate: spike function of the gates.
        candidate_surrogate: that of n; None for the same.
        step_mode: "s" or "m".
    Shape: ``[N, *, input_size] -> [N, *, hidden_size]``, with T in front in mode "m"; spikes in
        the input's dtype; state h ``[N, *, hidden_size]``, float32. ``hx`` is h to begin with.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingGRUCell(4, 6, step_mode="m")(torch.rand(5, 3, 4)).shape
        torch.Size([5, 3, 6])

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, with
        spikes; SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"input_size": 6, "hidden_size": 5},
            {"input_size": 6, "hidden_size": 5, "bias": False},
            {"input_size": 6, "hidden_size": 5, "candidate_surrogate": "atan"},
        ),
        "gain": 3.0,
    }

    gates = 3
    apart = 1
    reads = ("h",)

    def __init__(
        self,
        input_size: Annotated[int, Gt(0)],
        hidden_size: Annotated[int, Gt(0)],
        *,
        bias: bool = True,
        surrogate: Surrogate | str | dict[str, Any] = "erf",
        candidate_surrogate: Surrogate | str | dict[str, Any] | None = None,
        step_mode: StepMode = "s",
    ) -> None:
        unit = GRUUnit(surrogate, candidate_surrogate)
        super().__init__(input_size, hidden_size, bias, unit, step_mode)


class SpikingGRU(GatedStack):
    """Layers of :class:`SpikingGRUCell`.

    h_l[t] = Cell_l(h_(l-1)[t], h_l[t-1]),  h_0 = x,  output h_L;
    bidirectional: h_l = [Cell_l(h_(l-1)); Cell'_l(h_(l-1) from its end)]

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of each layer's h.
        num_layers: number of layers.
        bias: whether the cells have biases.
        dropout: probability of dropping a value between two layers, anew at each step, in [0, 1).
        bidirectional: whether each layer runs in both directions, which needs whole sequences.
        surrogate: spike function of the gates.
        candidate_surrogate: that of n; None for the same.
    Shape: ``[N, *, input_size] -> [N, *, D hidden_size]``, with T in front in mode "m"; D = 2 and
        only mode "m" when bidirectional, else D = 1. ``hx`` is ``[num_layers D, N, *,
        hidden_size]``, in torch's order.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingGRU(4, 6, num_layers=2)(torch.rand(3, 4)).shape
        torch.Size([3, 6])

    Source: Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, with
        spikes; SpikingJelly (Science Advances 2023).
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
        candidate_surrogate: Surrogate | str | dict[str, Any] | None = None,
    ) -> None:
        def make(width: int) -> GatedCell:
            return SpikingGRUCell(
                width,
                hidden_size,
                bias=bias,
                surrogate=surrogate,
                candidate_surrogate=candidate_surrogate,
            )

        super().__init__(make, input_size, num_layers, dropout, bidirectional)
