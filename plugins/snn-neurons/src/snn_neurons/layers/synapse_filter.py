"""The synapse filter: spikes become currents that decay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snncore.config import Numeric, check_numeric
from snncore.kernels import FusedModule
from snncore.numeric import NumericModule
from snncore.state.unroll import Tensors
from snncore.step import StepMode


class SynapseFilter(NumericModule, FusedModule):
    """A synapse whose current decays, but not while a spike arrives.

    I <- I - (1 - X) I / tau + X;  output I.  ``learnable``: 1 / tau = sigma(w)

    Args:
        tau: time constant of the current in steps, > 1; where it is learnt, to start from.
        learnable: whether w = -ln(tau - 1) is learnt.
        step_mode: "s" or "m".
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *], spikes; output like x; state i [N, *], float32.
    Raises: ValueError if tau <= 1; StateError when the held state does not fit the input.
    Example:
        >>> SynapseFilter(tau=2.0, step_mode="m")(torch.tensor([[1.0], [0.0], [1.0]])).tolist()
        [[1.0], [0.5], [1.5]]

    Source: SpikingJelly (Science Advances 2023), synapse models; Fang et al., Exploiting neuron
        and synapse filter dynamics in spatial temporal learning of deep SNNs, IJCAI 2020.
    """

    states: ClassVar[Mapping[str, float]] = {"i": 0.0}
    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": ({"tau": 3.0}, {"tau": 3.0, "learnable": True}, {"tau": [2.0, 5.0, 9.0]}),
        "shape": (2, 3),
    }
    _tau: float | Tensor

    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 100.0,
        *,
        learnable: bool = False,
        step_mode: StepMode = "s",
        backend: str | None = None,
    ) -> None:
        super().__init__(backend=backend)
        check_numeric(type(self), "tau", tau)
        self.learnable = learnable
        self.step_mode = step_mode
        if learnable:
            start = torch.as_tensor(tau, dtype=torch.float64).detach()
            self.w = nn.Parameter(-torch.log(start - 1.0).to(torch.get_default_dtype()))
        else:
            self.set_numeric("_tau", tau)

    @property
    def tau(self) -> float | Tensor:
        """The time constant now, in steps."""
        if not self.learnable:
            return self._tau
        # In float64, so that a filter built with it has the same w.
        found = 1.0 + torch.exp(-self.w.detach().double())
        return found.item() if found.dim() == 0 else found

    def step(self, *args: Tensor) -> Tensors:
        """``(x, i) -> (i, i)``."""
        x, i = args
        decay = i * self.w.sigmoid() if self.learnable else i / self._tau
        i = i - (1.0 - x) * decay + x
        return i, i

    def extra_repr(self) -> str:
        """The time constant, and whether it is learnt."""
        tau = self.tau
        shown = f"tensor{list(tau.shape)}" if isinstance(tau, Tensor) else f"{tau:.4g}"
        return f"tau={shown}, learnable={self.learnable}, step_mode={self.step_mode!r}"
