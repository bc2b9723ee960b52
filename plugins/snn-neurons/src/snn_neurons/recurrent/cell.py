"""What the spiking recurrent cells share: weights, the loop over time, and given states."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from snncore.kernels.fused import FusedModule
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors, arithmetic, one_step, unroll
from snncore.state.walks import hold
from snncore.step import StepMode, locate
from snncore.surrogate import Surrogate, as_surrogate

State: TypeAlias = Tensor | tuple[Tensor, ...]
"""What torch calls ``hx``: the hidden state, or a tuple of it and others."""


class Unit(FusedModule):
    """The part of a cell that works element by element; it runs on the kernel backends.

    Args:
        surrogate: spike function of the gates.
    """

    def __init__(self, surrogate: Surrogate | str | dict[str, Any]) -> None:
        super().__init__()
        self.surrogate = as_surrogate(surrogate)


class SpikingCell(MemoryModule):
    """Base of recurrent cells: gates from the input and the last hidden state, then a unit.

    The first state is the hidden one, h, which is the output. A subclass says how many ``gates``
    there are, of how many (the last ones) the shares of input and h are wanted ``apart``, and
    which states its unit ``reads``. The unit takes the sum of both shares for each gate, for those
    apart the shares of the input, then those of h, and those states; it gives the new states.

    Of a sequence, the shares of the input are one product for all time steps; only those of h are
    in the loop.

    Args:
        input_size: size of the last axis of the input.
        hidden_size: size of the last axis of h.
        bias: whether both products have a bias.
        unit: the part that works element by element.
        step_mode: "s" or "m".
    Shape: ``[N, *, input_size] -> [N, *, hidden_size]``, with T in front in mode "m".
    Raises: ValueError for an input or ``hx`` of another shape; StateError as
        :class:`snncore.MemoryModule`.
    """

    states: ClassVar[Mapping[str, float]] = {"h": 0.0}
    # What is inside runs step by step.
    inner_step_mode: ClassVar[StepMode | None] = "s"
    gates: ClassVar[int] = 1
    apart: ClassVar[int] = 0
    reads: ClassVar[tuple[str, ...]] = ()

    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, unit: Unit, step_mode: StepMode
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = self.gates * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows)) if bias else None
        self.bias_hh = nn.Parameter(torch.empty(rows)) if bias else None
        self.unit = unit
        self.step_mode = step_mode
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws weights and biases from U(-1/sqrt(hidden_size), 1/sqrt(hidden_size))."""
        bound = self.hidden_size**-0.5
        for parameter in self.parameters(recurse=False):
            nn.init.uniform_(parameter, -bound, bound)

    @property
    def surrogate(self) -> Surrogate:
        """The spike function of the gates."""
        return self.unit.surrogate

    @property
    def hx(self) -> State | None:
        """The states now, as ``forward`` takes them; None before the first input."""
        if not self._states:
            return None
        held = tuple(self._states[name] for name in self.states)
        return held[0] if len(held) == 1 else held

    def forward(self, *inputs: Tensor, hx: State | None = None) -> Tensor:
        """Advances the state; ``hx`` replaces it before, as in torch."""
        if len(inputs) == 1:
            self._check(inputs[0])
            if hx is not None:
                self._begin_with(hx, inputs[0])
        return super().forward(*inputs)

    def continues(self) -> bool:
        """Whether the next call goes on from a call before."""
        if self._explicit or not self._states:
            return False
        region = None if torch.compiler.is_compiling() else self._region()
        return region is None or not region.replaying

    def step(self, *args: Tensor) -> Tensors:
        """``(x, h, ...) -> (h, h, ...)``."""
        outputs, states = self.single(args[:1], args[1:])
        return *outputs, *states

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One time step from explicit states: a sequence of one."""
        (y,), states = self.sequence((inputs[0].unsqueeze(0),), states)
        return (y.squeeze(0),), states

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """A whole sequence from explicit states."""
        x = inputs[0]
        weights, biases = self._divided(self.weight_hh), self._divided(self.bias_hh)
        joint, apart = Product(weights[0], None), Product(weights[1], biases[1])
        advance = partial(self._cell_step, joint, apart)
        (y,), states, _ = unroll(advance, self._shares_of_input(x), states, self.outputs)
        return (y.to(x.dtype),), states

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """``[N, *, hidden_size]``, float32 or float64."""
        x = inputs[0]
        return torch.Size((*x.shape[:-1], self.hidden_size)), arithmetic(x.dtype)

    def extra_repr(self) -> str:
        """Sizes and mode."""
        parts = f"input_size={self.input_size}, hidden_size={self.hidden_size}"
        return f"{parts}, bias={self.bias}, step_mode={self.step_mode!r}"

    def _cell_step(self, joint: Product, apart: Product, *args: Tensor) -> Tensors:
        """From shares of the input and the states: the output and the new states.

        Args:
            joint, apart: the products of h, of gates that add the shares and of the others.
        """
        shares, states = args[: 1 + self.apart], args[1 + self.apart :]
        h = states[0]
        rows = h.reshape(-1, self.hidden_size).to(self.weight_hh.dtype)
        sums, of_h = joint(rows, shares[0]), apart(rows) if self.apart else ()
        taken = (*sums, *shares[1:], *of_h)
        named = dict(zip(self.states, states, strict=True))
        found, _ = self.unit.single(
            (
                *(share.reshape(h.shape).to(h.dtype) for share in taken),
                *(named[name] for name in self.reads),
            ),
            (),
        )
        return found[0], *found

    def _shares_of_input(self, x: Tensor) -> Tensors:
        """Of gates that add the shares ``[T, gates, rows, hidden_size]``, of others one by one."""
        sizes = x.shape[0], x.shape[1:-1].numel()
        rows = x.reshape(-1, self.input_size)
        weights, biases = self._divided(self.weight_ih), self._divided(self.bias_ih)
        first = biases[0]
        if first is not None:
            # Both biases at once, as the sum of the shares needs no more.
            first = first + self._divided(self.bias_hh)[0]
        sums = Product(weights[0], first)(rows).unflatten(1, sizes).movedim(1, 0)
        if not self.apart:
            return (sums,)
        others = Product(weights[1], biases[1])(rows).unflatten(1, sizes)
        return sums, *others.unbind(0)

    def _divided(self, parameter: Tensor | None) -> tuple[Any, Any]:
        """A weight or bias ``[gates, ...]`` of the gates that add the shares, and of the others."""
        if parameter is None:
            return None, None
        gates = parameter.unflatten(0, (self.gates, -1))
        return gates[: self.gates - self.apart], gates[self.gates - self.apart :]

    def _check(self, x: Tensor) -> None:
        lead = 2 if self.step_mode == "m" else 1
        if x.dim() <= lead or x.shape[-1] != self.input_size:
            layout = "[T, N, *, {}]" if self.step_mode == "m" else "[N, *, {}]"
            raise ValueError(
                f"{locate(self)} is in step_mode {self.step_mode!r} and takes "
                f"{layout.format(self.input_size)}, got {list(x.shape)}"
            )

    def _begin_with(self, hx: State, x: Tensor) -> None:
        """Replaces the state that the next call begins with."""
        given = (hx,) if isinstance(hx, Tensor) else tuple(hx)
        if len(given) != len(self.states):
            names = ", ".join(self.states)
            raise ValueError(
                f"{locate(self)}: hx holds {len(given)} tensor(s), the states are {names}; pass "
                f"{'one tensor' if len(self.states) == 1 else f'hx=({names})'}"
            )
        now = x if self.step_mode == "s" else one_step(x)
        states: dict[str, Tensor] = {}
        for name, value in zip(self.states, given, strict=True):
            shape, dtype = self.state_like(name, now)
            if value.shape != shape or value.device != x.device:
                raise ValueError(
                    f"{locate(self)}: {name} of hx is {list(value.shape)} on {value.device}, the "
                    f"input asks for {list(shape)} on {x.device}"
                )
            states[name] = value.to(dtype)
        region = None
        if not (self._explicit or torch.compiler.is_compiling()):
            region = self._region()
        if region is not None and region.replaying:
            # Inside backward the live state is left alone.
            region.keep(self, states)
        else:
            hold(self, states)


class Product:
    """``W x + b`` for several gates, each dense in memory, as kernels read it.

    Of one product for all gates they would be slices.

    Args:
        weight: ``[gates, hidden_size, input_size]``.
        bias: ``[gates, hidden_size]`` or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        # Made once for all steps, so that their gradients add up in this shape.
        self.weight = weight.mT
        self.bias = None if bias is None else bias.unsqueeze(1)

    def __call__(self, rows: Tensor, more: Tensor | None = None) -> Tensor:
        """``[rows, input_size] -> [gates, rows, hidden_size]``; ``more`` is added, or the bias."""
        given = rows.expand(self.weight.shape[0], *rows.shape)
        added = self.bias if more is None else more
        if added is None:
            return torch.bmm(given, self.weight)
        return torch.baddbmm(added, given, self.weight)
