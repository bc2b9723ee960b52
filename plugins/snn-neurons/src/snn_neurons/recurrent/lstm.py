"""The spiking long short-term memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt, Lt
from torch import Tensor

from snn_neurons.recurrent.gated import GatedCell, GatedStack, GatedUnit
from snncore.step import StepMode
from snncore.surrogate import Surrogate


class LSTMUnit(GatedUnit):
    """The gates of an LSTM.

    i = Theta(a_i), f, g and o likewise;  c' = min(f c + i g, 1);  h = o c'

    The minimum lets the gradient pass as if it were not there.

    Args:
        surrogate: spike function of i, f and o.
        candidate_surrogate: that of g; None for the same.
    Shape: any; h and c' like all others.
    Example:
        >>> LSTMUnit("erf", None).step(*[torch.ones(1)] * 5)
        (tensor([1.]), tensor([1.]))
    """

    inputs = 5
    outputs = 2

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(a_i, a_f, a_g, a_o, c) -> (h, c)``."""
        a_i, a_f, a_g, a_o, c = args
        i, f, o = self.surrogate(a_i), self.surrogate(a_f), self.surrogate(a_o)
        c = f * c + i * self.candidate(a_g)
        # Exact: between 1 and 2 the difference to 1 is a float.
        c = c + (c.clamp(max=1.0) - c).detach()
        return o * c, c


class SpikingLSTMCell(GatedCell):
    """Long short-term memory cell whose gates fire.

    i = Theta(W_i x + b_i + U_i h + d_i), f, g and o likewise;  c <- min(f c + i g, 1);  h <- o c

    The cell state c stays a spike; the minimum lets the gradient pass as if it were not there.
    Weights are named, ordered (i, f, g, o) and drawn as in ``torch.nn.LSTMCell``. The states h and
    c are held between calls.

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of h and c.
        bias: whether there are biases b and d.
        surrogate: spike function of i, f and o.
        candidate_surrogate: that of g; None for the same.
        step_mode: "s" or "m".
    Shape: ``[N, *, input_size] -> [N, *, hidden_size]``, with T in front in mode "m"; spikes in
        the input's dtype; states h and c ``[N, *, hidden_size]``, float32. ``hx`` is (h, c) to
        begin with.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingLSTMCell(4, 6, step_mode="m")(torch.rand(5, 3, 4)).shape
        torch.Size([5, 3, 6])

    Source: Rezaabad and Vishwanath, Long short-term memory spiking networks and their
        applications, ICONS 2020; SpikingJelly (Science Advances 2023).
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"input_size": 6, "hidden_size": 5},
            {"input_size": 6, "hidden_size": 5, "bias": False},
            {"input_size": 6, "hidden_size": 5, "candidate_surrogate": "atan"},
        ),
        "gain": 3.0,
    }

    states: ClassVar[Mapping[str, float]] = {"h": 0.0, "c": 0.0}
    gates = 4
    reads = ("c",)

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
        unit = LSTMUnit(surrogate, candidate_surrogate)
        super().__init__(input_size, hidden_size, bias, unit, step_mode)


class SpikingLSTM(GatedStack):
    """Layers of :class:`SpikingLSTMCell`.

    h_l[t] = Cell_l(h_(l-1)[t], (h_l, c_l)[t-1]),  h_0 = x,  output h_L;
    bidirectional: h_l = [Cell_l(h_(l-1)); Cell'_l(h_(l-1) from its end)]

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of each layer's h and c.
        num_layers: number of layers.
        bias: whether the cells have biases.
        dropout: probability of dropping a value between two layers, anew at each step, in [0, 1).
        bidirectional: whether each layer runs in both directions, which needs whole sequences.
        surrogate: spike function of i, f and o.
        candidate_surrogate: that of g; None for the same.
    Shape: ``[N, *, input_size] -> [N, *, D hidden_size]``, with T in front in mode "m"; D = 2 and
        only mode "m" when bidirectional, else D = 1. ``hx`` is (h, c), each ``[num_layers D, N, *,
        hidden_size]``, in torch's order.
    Raises: ValueError for an input or ``hx`` of another shape; StateError when the held state does
        not fit the input.
    Example:
        >>> SpikingLSTM(4, 6, num_layers=2)(torch.rand(3, 4)).shape
        torch.Size([3, 6])

    Source: Rezaabad and Vishwanath, Long short-term memory spiking networks and their
        applications, ICONS 2020; SpikingJelly (Science Advances 2023).
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
            return SpikingLSTMCell(
                width,
                hidden_size,
                bias=bias,
                surrogate=surrogate,
                candidate_surrogate=candidate_surrogate,
            )

        super().__init__(make, input_size, num_layers, dropout, bidirectional)
