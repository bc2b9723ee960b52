"""Membrane-potential batch normalisation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor

from snn_neurons.layers.channel_norm import ChannelNorm
from snncore.config import from_spec
from snncore.errors import NotSupported
from snncore.neuron import Neuron
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors
from snncore.step import StepMode, locate


class MPBN(MemoryModule):
    """A neuron whose potential is normalised between charge and fire.

    H[t] = charge(X[t], V[t-1]);  S[t] = Theta(BN(H[t]) - V_th);  V[t] = reset(H[t], S[t])

    The norm takes part in firing only, so after training it is a threshold per channel:
    :meth:`fold` gives the plain neuron. Statistics are those of each time step, because a potential
    depends on the spikes before it; running statistics average over all steps.

    Args:
        num_features: number of channels C.
        neuron: name, table or neuron with one state v whose step is charge, fire, reset.
        eps: added to the variance.
        momentum: of the running statistics; None for their plain average.
        step_mode: "s" or "m".
    Shape: x [N, C, *] or [T, N, C, *]; spikes like x; state v [N, C, *], float32.
    Raises: ValueError for a neuron of another kind; StateError when the held state does not fit
        the input.
    Example:
        >>> net = MPBN(2).eval()
        >>> net.fold(dims=0).v_threshold.tolist()
        [1.0000050067901611, 1.0000050067901611]

    Source: Guo et al., Membrane potential batch normalization for spiking neural networks, ICCV
        2023.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0}
    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"num_features": 3},
            {"num_features": 3, "neuron": {"name": "snn-neurons/lif", "v_reset": None}},
        ),
        "shape": (3, 4),
        "gain": 3.0,
    }

    def __init__(
        self,
        num_features: Annotated[int, Gt(0)],
        *,
        neuron: Neuron | str | dict[str, Any] = "snn-neurons/lif",
        eps: Annotated[float, Gt(0)] = 1e-5,
        momentum: float | None = 0.1,
        step_mode: StepMode = "s",
    ) -> None:
        super().__init__()
        made = from_spec("neuron", neuron)
        own = ("step", "fire", "reset")
        if not isinstance(made, Neuron) or any(
            getattr(type(made), name) is not getattr(Neuron, name) for name in own
        ):
            raise ValueError(
                "MPBN normalises the potential between charge and fire, and takes a neuron with "
                f"one state v that defines charge alone, such as lif; {type(made).__name__} "
                "defines more"
            )
        self.num_features = num_features
        self.neuron = made
        self.eps = eps
        self.momentum = momentum
        self.norm = ChannelNorm(num_features, eps, momentum)
        self.step_mode = step_mode

    def init_states(self, *inputs: Given) -> Tensors:
        """As the neuron's."""
        return self.neuron.init_states(*inputs)

    def step(self, *args: Tensor) -> Tensors:
        """``(x, v) -> (spike, v)``."""
        x, v = args
        h = self.neuron.charge(x.to(v.dtype), v)
        normed = self.norm(h.to(self.norm.weight.dtype)).to(h.dtype)
        s = self.neuron.fire(normed)
        return s.to(x.dtype), self.neuron.reset(h, s)

    def fold(self, dims: Annotated[int, Gt(-1)] = 2) -> Neuron:
        """The neuron that fires as this one does in evaluation, without a norm.

        V_th' = mu + (V_th - beta) sqrt(var + eps) / gamma, for each channel

        Args:
            dims: number of axes after the channels: 2 for images, 0 for features.
        Returns: a new neuron with its parameters, threshold ``[C, 1, ...]``, and no state.
        Raises: NotSupported for soft reset, which would subtract the new threshold, and where
            gamma <= 0, which turns the inequality round.
        """
        if self.neuron.v_reset is None:
            raise NotSupported(
                f"{locate(self)} cannot be folded: soft reset subtracts the threshold that fold "
                "changes; use a neuron with a v_reset, or keep the norm"
            )
        gamma, beta, mu, var = (
            value.detach().view(-1, *(1,) * dims)
            for value in (
                self.norm.weight,
                self.norm.bias,
                self.norm.running_mean,
                self.norm.running_var,
            )
            if value is not None
        )
        if not (gamma > 0).all():
            raise NotSupported(
                f"{locate(self)} cannot be folded: gamma is not positive in "
                f"{int((gamma <= 0).sum())} of {self.num_features} channels, where a neuron would "
                "have to fire below its threshold; keep the norm"
            )
        neuron = copy.deepcopy(self.neuron)
        threshold = mu + (neuron.v_threshold - beta) * torch.sqrt(var + self.eps) / gamma
        del neuron.v_threshold
        neuron.register_buffer("v_threshold", threshold.detach())
        neuron.step_mode = self.step_mode
        return neuron
