"""The gated leaky integrate-and-fire neuron."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt, Lt
from torch import Tensor, nn

from snn_neurons.clock import rows
from snncore.config import Numeric, check_numeric
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.surrogate import Surrogate

Gate = Annotated[Numeric, Gt(0), Lt(1)]


def _opened(gate: Tensor) -> Tensor:
    # In float64, so that the parameter made from the value is the same again.
    return gate.detach().double().sigmoid()


def _closed(value: Any) -> Tensor:
    opened = torch.as_tensor(value, dtype=torch.float64).detach()
    return opened.logit().to(torch.get_default_dtype())


class _Value:
    """A constructor parameter read back from the ``nn.Parameter`` that it became."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.gate = name.replace("init_", "w_")

    def __get__(self, module: GLIF | None, owner: type | None = None) -> Any:
        return self if module is None else _opened(getattr(module, self.gate))


class GLIF(Neuron):
    """Gated leaky integrate-and-fire neuron: learnt gates mix two leaks, inputs and resets.

    k = 1 - al (1 - tau);
    H = k V - (1 - al) l + (1 - be (1 - c[t])) X - (k ga V + (1 - ga) r) S_prev;
    S = Theta(H - V_th);  V = H

    The reset acts in the next charge, on the spike of the step before; that spike is a state.
    Each of the values below lies in (0, 1) and is the sigmoid of an ``nn.Parameter``, which
    learns: ``w_alpha`` and so on. c has one value per step, and the step since the last reset is a
    state too: T steps can be run, in whatever chunks, then ``snncore.reset(net)`` is due.
    ``net(x, c)`` takes another course of c, of any length.

    Args:
        T: number of time steps, >= 1.
        init_alpha: gate al between exponential (1) and linear leak (0); None draws sigma(p) with
            p uniform in [-0.1, 0.1), as for the other gates.
        init_beta: gate be of the input, between c[t] (1) and no change (0).
        init_gamma: gate ga between exponential (1) and linear reset (0).
        init_tau: factor tau by which V decays in one step.
        init_linear_decay: l, by which V falls in one step; None takes V_th / (2 T).
        init_v_subreset: r, by which a spike lowers V; None takes V_th.
        init_conduct: c; one number, or [T, *] for a course.
        init_v_threshold: threshold V_th.
        surrogate: spike function.
        step_mode: "s" or "m".
        store_v_seq: keep V of every step of the last call in ``v_seq``.
        backend: kernel backend; None takes the fastest.
    Shape: x [N, *] or [T, N, *]; values but c broadcast against [N, *]; spikes like x; states v, s
        and clock [N, *], float32.
    Raises: ValueError if a value leaves (0, 1) or c has not T steps; StateError after more than T
        steps, and when the held state does not fit the input.
    Example:
        >>> GLIF(4, step_mode="m")(torch.ones(4, 2, 3)).shape
        torch.Size([4, 2, 3])

    Source: Yao et al., GLIF: a unified gated leaky integrate-and-fire neuron for spiking neural
        networks, NeurIPS 2022.
    """

    states: ClassVar[Mapping[str, float]] = {"v": 0.0, "s": 0.0, "clock": 0.0}
    inputs: ClassVar[int] = 2
    conformance: ClassVar[Mapping[str, Any]] = {
        "variants": (
            {"T": 12},
            {"T": 12, "init_alpha": 0.3, "init_beta": 0.6, "init_gamma": 0.7, "init_tau": 0.8},
        ),
    }

    init_alpha = _Value()
    init_beta = _Value()
    init_gamma = _Value()
    init_tau = _Value()
    init_linear_decay = _Value()
    init_v_subreset = _Value()
    init_v_threshold = _Value()

    def __init__(
        self,
        T: Annotated[int, Gt(0)],
        *,
        init_alpha: Gate | None = None,
        init_beta: Gate | None = None,
        init_gamma: Gate | None = None,
        init_tau: Gate = 0.25,
        init_linear_decay: Gate | None = None,
        init_v_subreset: Gate | None = None,
        init_conduct: float | list[Any] | Tensor = 0.5,
        init_v_threshold: Gate = 0.5,
        surrogate: Surrogate | str | dict[str, Any] = "atan",
        step_mode: StepMode = "s",
        store_v_seq: bool = False,
        backend: str | None = None,
    ) -> None:
        super().__init__(
            v_reset=None,
            surrogate=surrogate,
            step_mode=step_mode,
            store_v_seq=store_v_seq,
            backend=backend,
        )
        if T < 1:
            raise ValueError(f"{type(self).__name__}: T must be >= 1, got {T}")
        self.T = T
        self.w_alpha = self._gate("init_alpha", init_alpha)
        self.w_beta = self._gate("init_beta", init_beta)
        self.w_gamma = self._gate("init_gamma", init_gamma)
        self.w_tau = self._gate("init_tau", init_tau)
        self.w_v_threshold = self._gate("init_v_threshold", init_v_threshold)
        threshold = _opened(self.w_v_threshold)
        linear = threshold / (2 * T) if init_linear_decay is None else init_linear_decay
        self.w_linear_decay = self._gate("init_linear_decay", linear)
        subreset = threshold if init_v_subreset is None else init_v_subreset
        self.w_v_subreset = self._gate("init_v_subreset", subreset)
        # One by one they broadcast against [N, *] like every other parameter.
        self.w_conduct = nn.ParameterList(self._course(init_conduct))
        # Neuron's own numbers are functions of parameters here.
        self._numeric = ()

    # What is a stored number in the base is a function of a parameter here.
    @property
    def v_threshold(self) -> Tensor:
        """V_th, which learns."""
        return self.w_v_threshold.sigmoid()

    @v_threshold.setter
    def v_threshold(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, value: Any
    ) -> None:
        """The base stores its default, in place of which the parameter stands."""

    @property
    def conduct(self) -> Tensor:
        """c, one value per step: [T, *]."""
        return torch.stack(tuple(self.w_conduct)).sigmoid()

    @property
    def init_conduct(self) -> Tensor:
        """c as it is now, in float64."""
        return _opened(torch.stack(tuple(self.w_conduct)))

    def forward(self, *inputs: Tensor) -> Any:
        """Spikes for x, with the c of these steps where none is given."""
        if len(inputs) == 1:
            steps = inputs[0].shape[:1].numel() if self.step_mode == "m" else 1
            clock = self.held_states().get("clock")
            conduct = self.conduct
            course = conduct if conduct.dim() > 1 else conduct.unsqueeze(1)
            course = rows(self, course, clock, steps)
            inputs = (*inputs, course if self.step_mode == "m" else course[0])
        return super().forward(*inputs)

    def step(self, *args: Tensor) -> tuple[Tensor, ...]:
        """``(x, c, v, s, clock) -> (spike, v, s, clock)``."""
        x, c, v, before, clock = args
        al, be, ga = self.w_alpha.sigmoid(), self.w_beta.sigmoid(), self.w_gamma.sigmoid()
        kept = v * (1.0 - al * (1.0 - self.w_tau.sigmoid()))
        linear = (1.0 - al) * self.w_linear_decay.sigmoid()
        lowered = kept * ga + (1.0 - ga) * self.w_v_subreset.sigmoid()
        h = kept - linear + (1.0 - be * (1.0 - c)) * x - lowered * before
        s = self.fire(h)
        return s, h, s, clock + 1.0

    def _gate(self, name: str, value: Any) -> nn.Parameter:
        """The parameter whose sigmoid is ``value``; one near 1/2 is drawn for None."""
        if value is None:
            return nn.Parameter(0.2 * (torch.rand(()) - 0.5))
        check_numeric(type(self), name, value)
        return nn.Parameter(_closed(value))

    def _course(self, value: Any) -> list[Tensor]:
        c = torch.as_tensor(value, dtype=torch.float64).detach()
        if not ((c > 0) & (c < 1)).all():
            raise ValueError(f"{type(self).__name__}: init_conduct must lie in (0, 1)")
        if c.dim() and len(c) != self.T:
            raise ValueError(
                f"{type(self).__name__}: init_conduct is one number or [T, *] with T = {self.T}, "
                f"got shape {list(c.shape)}"
            )
        return list(_closed(c if c.dim() else c.expand(self.T)).unbind())
