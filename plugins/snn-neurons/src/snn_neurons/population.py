"""Population encoding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snn_neurons.integrate_fire import IF
from snn_neurons.receptive_field import activity, centres
from snn_neurons.surrogates.passes import DeterministicPass, PoissonPass


class Population(nn.Module):
    """A population of neurons with learnable Gaussian receptive fields for each value.

    A_i = exp(-((x - mu_i) / sigma_i)^2 / 2), i = 1 ... pop_dim

    deterministic: an integrate-and-fire neuron with V_th = 0.999 and soft reset is driven by A;
    random: S[t] = 1[r <= A], r uniform in [0, 1); analogue: A itself at each step

    The gradient passes the spikes unchanged, so x, mu and sigma receive theirs. Random spikes are
    drawn from torch's own generator.

    Args:
        T: number of time steps, >= 1.
        pop_dim: neurons for each value, >= 2.
        features: size of the last axis of x, for fields of its own for each; None shares them.
        low: where the first mu starts; the others are spaced evenly.
        high: where the last mu starts.
        std: where every sigma starts, > 0.
        spikes: "deterministic", "random" or "analogue".
    Shape: x [N, *] any real values ([N, *, features]); output [T, N, *, pop_dim] in the dtype of x.
    Raises: ValueError if pop_dim < 2, std <= 0, low >= high, or x has another last axis.
    Example:
        >>> Population(4, pop_dim=3)(torch.zeros(2, 5)).sum(0)[0, 0].tolist()
        [0.0, 4.0, 0.0]

    Source: Tang et al., Deep reinforcement learning with population-coded spiking neural network
        for continuous control, CoRL 2020.
    """

    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": [{}, {"spikes": "analogue"}, {"features": 3, "pop_dim": 4}],
        "spike_values": None,
    }

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        *,
        pop_dim: Annotated[int, Gt(1)] = 10,
        features: Annotated[int, Gt(0)] | None = None,
        low: float = -3.0,
        high: float = 3.0,
        std: Annotated[float, Gt(0)] = 0.15**0.5,
        spikes: Literal["deterministic", "random", "analogue"] = "deterministic",
    ) -> None:
        super().__init__()
        if pop_dim < 2:
            raise ValueError(f"Population: pop_dim must be >= 2, got {pop_dim}")
        if not std > 0:
            raise ValueError(f"Population: std must be > 0, got {std:g}")
        if not low < high:
            raise ValueError(f"Population: low must be < high, got {low:g} and {high:g}")
        self.T = T
        self.pop_dim = pop_dim
        self.features = features
        self.low = low
        self.high = high
        self.std = std
        self.spikes = spikes
        self.mu = nn.Parameter(centres(low, high, pop_dim, features))
        self.sigma = nn.Parameter(torch.full_like(self.mu, std).detach())
        self.neuron = IF(
            v_threshold=0.999, v_reset=None, detach_reset=True, surrogate=DeterministicPass()
        )
        self.chance = PoissonPass()

    def forward(self, x: Tensor) -> Tensor:
        if self.features is not None and x.shape[-1:] != (self.features,):
            raise ValueError(
                f"Population has fields for {self.features} features and takes "
                f"[N, *, {self.features}], got {list(x.shape)}"
            )
        active = activity(x, self.mu, self.sigma).to(x.dtype)
        drive = active.expand(self.T, *active.shape)
        if self.spikes == "analogue":
            return drive
        if self.spikes == "random":
            return self.chance(drive)
        # From rest at each call: the encoder itself remembers nothing.
        (spikes,), _ = self.neuron.sequence((drive,), self.neuron.init_states(active))
        return spikes
