"""The base of every module with memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor
from torch._C import _len_torch_dispatch_stack
from torch._C._functorch import peek_interpreter_stack
from torch.autograd import forward_ad
from torch.autograd.graph import Node

from snncore.errors import StateError
from snncore.state import checkpointing
from snncore.state.graph import freed, mark
from snncore.state.unroll import Given, Tensors, arithmetic, one_step, take_step, unroll
from snncore.step import StepModule, locate


class MemoryModule(StepModule):
    """A module whose output depends on state kept from earlier time steps.

    A subclass declares ``states = {"v": 0.0}`` and writes the pure :meth:`step`; the base keeps
    the states between calls. Each state is readable under its name (``module.v``), ``None``
    before the first input. State is neither parameter nor buffer; it takes shape and device from
    the input and is float32 (float64 for float64 input).

    ``inputs`` and ``outputs`` say how many tensors a step takes and gives beside the states.

    Shape: ``[N, *]`` in mode ``"s"``, ``[T, N, *]`` in mode ``"m"``.
    Raises: StateError when the held state does not fit the input or its graph was freed.
    """

    states: ClassVar[Mapping[str, float]] = {}
    inputs: ClassVar[int] = 1
    outputs: ClassVar[int] = 1

    _states: Mapping[str, Tensor] = {}
    _graph: Node | None = None
    # Set while snncore.functional runs the module: state is the caller's business then.
    _explicit: bool = False
    # The last initial states that were numbers: making them costs as much as a small kernel.
    _began: tuple[object, Tensors] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.states:
            if not hasattr(cls, name):
                setattr(cls, name, _accessor(name))

    def step(self, *args: Tensor) -> Tensors:
        """One time step: ``(*inputs, *states) -> (*outputs, *new_states)``, mutating nothing."""
        raise TypeError(f"{type(self).__name__} must define step(*inputs, *states)")

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One time step from explicit states."""
        return take_step(self.step, inputs, states, self.outputs)

    def sequence(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """A whole sequence from explicit states."""
        outputs, states, _ = unroll(self.step, inputs, states, self.outputs)
        return outputs, states

    def initial(self, name: str) -> float | Tensor:
        """The value of a state before the first step; a tensor broadcasts to the state."""
        return self.states[name]

    def state_like(self, name: str, *inputs: Given) -> tuple[torch.Size, torch.dtype]:
        """Shape and dtype of a state for inputs of one time step, in all but their values."""
        x = inputs[0]
        return x.shape, arithmetic(x.dtype)

    def init_states(self, *inputs: Given) -> Tensors:
        """Initial states for inputs of one time step, of which the values do not matter."""
        return tuple(self._start(name, inputs).contiguous() for name in self.states)

    def forward(self, *inputs: Tensor) -> Any:
        """Advances the state and returns the output, or a tuple of several."""
        self._check_inputs(inputs)
        if self.step_mode == "s":
            return self._advance(self.single, inputs, inputs)
        return self._advance(self.sequence, inputs, tuple(map(one_step, inputs)))

    def _advance(
        self,
        run: Callable[[Tensors, Tensors], tuple[Tensors, Tensors]],
        inputs: Tensors,
        now: Sequence[Given],
    ) -> Any:
        """What ``run`` makes of inputs and held states; the states that it gives are then held.

        Args:
            now: one time step of the inputs.
        """
        watched = not (self._explicit or torch.compiler.is_compiling())
        region = self._region() if watched else None
        replaying = region is not None and region.replaying
        watched = watched and not replaying
        held = self._states if region is None else region.states(self, dict(self._states))
        if watched and held:
            self._check_graph()
        states = self._begin(now, held or {})
        outputs, after = run(inputs, states)
        self._check_shapes(states, after)
        if not held:
            after = tuple(map(_whole, after))
        if watched:
            marked, graph = mark((*outputs, *after))
            outputs, after = marked[: len(outputs)], marked[len(outputs) :]
        else:
            graph = self._graph
        kept = dict(zip(self.states, after, strict=True))
        if region is not None and replaying:
            region.keep(self, kept)
        else:
            self._hold(kept, graph)
        return outputs[0] if len(outputs) == 1 else outputs

    def _hold(self, states: Mapping[str, Tensor], graph: Node | None) -> None:
        # nn.Module's own way looks for parameters and modules first, each time.
        object.__setattr__(self, "_states", states)
        object.__setattr__(self, "_graph", graph)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)
        moved = {name: _follow(value, fn) for name, value in self._states.items()}
        self._states = moved
        return self

    def __getstate__(self) -> dict[str, Any]:
        # Copies and pickles carry the values; a graph can neither be copied nor saved. No clones:
        # a spawned process is handed the memory itself, which must outlive the pickling.
        kept = {name: value.detach() for name, value in self._states.items()}
        return {**self.__dict__, "_states": kept, "_graph": None, "_began": None}

    def _region(self) -> checkpointing.Region | None:
        if peek_interpreter_stack() is not None:
            raise StateError(
                f"{locate(self)} keeps state and was called inside a torch.func transform, where "
                "that state would leak. Use call, init = snncore.functional(net) and pass states."
            )
        region = checkpointing.region()
        if region is None and checkpointing.in_backward() and torch.is_grad_enabled():
            raise StateError(
                f"{locate(self)} ran inside backward, as re-entrant activation checkpointing "
                "does, where its state would be stepped twice. "
                "Use torch.utils.checkpoint.checkpoint(..., use_reentrant=False)."
            )
        return region

    def _check_graph(self) -> None:
        # A state without a graph needs none, as those of online training.
        tracked = any(value.requires_grad for value in self._states.values())
        if tracked and torch.is_grad_enabled() and freed(self._graph):
            raise StateError(
                f"{locate(self)}: state {', '.join(self.states)} belongs to a graph that backward "
                "has freed. Call snncore.reset(net) before the next sequence, or "
                "snncore.detach(net) to carry the values on without their history."
            )

    def _begin(self, now: Sequence[Given], held: Mapping[str, Tensor]) -> Tensors:
        if not held:
            # Only the values count here, so that one number may stand for all neurons.
            plain = type(self).init_states is MemoryModule.init_states
            return self._starts(now) if plain else self.init_states(*now)
        for name, value in held.items():
            shape, dtype = self.state_like(name, *now)
            if value.shape != shape or value.dtype != dtype or value.device != now[0].device:
                raise StateError(self._misfit(name, value, shape, dtype, now[0]))
        return tuple([held[name] for name in self.states])

    def _misfit(
        self, name: str, value: Tensor, shape: torch.Size, dtype: torch.dtype, x: Given
    ) -> str:
        cure = "Call snncore.reset(net) before the next sequence, or pass states explicitly."
        if value.device != x.device:
            found = f"is on {value.device}, input is on {x.device}"
            cure = "Call snncore.reset(net), or net.to(device) to move the state along."
        elif value.shape[:1] != shape[:1] and value.shape[1:] == shape[1:]:
            found = f"has batch {value.shape[0]}, input has batch {shape[0]}"
        elif value.shape != shape:
            found = f"has shape {list(value.shape)}, input asks for {list(shape)}"
        else:
            found = f"is {value.dtype}, input asks for {dtype}"
        return f"{locate(self)}: state {name} {found}. {cure}"

    def _check_inputs(self, inputs: Tensors) -> None:
        if len(inputs) != self.inputs:
            raise TypeError(f"{locate(self)} takes {self.inputs} input(s), got {len(inputs)}")
        for x in inputs:
            if not x.dtype.is_floating_point:
                raise TypeError(
                    f"{locate(self)} takes floating-point input, got {x.dtype}; call x.float()"
                )
            if self.step_mode == "m" and x.dim() < 2:
                raise ValueError(
                    f"{locate(self)} is in step_mode 'm' and takes [T, N, *], got "
                    f"{list(x.shape)}; call snncore.set_step_mode(net, 's') for single steps"
                )
        if self.inputs > 1:
            self._check_further(inputs)

    def _check_further(self, inputs: Tensors) -> None:
        first = inputs[0]
        lead = 1 if self.step_mode == "m" else 0
        for i, x in enumerate(inputs[1:], 1):
            if x.shape == first.shape:
                continue
            pairs = zip(reversed(x.shape[lead:]), reversed(first.shape[lead:]), strict=False)
            fits = x.dim() <= first.dim() and all(a in (1, b) for a, b in pairs)
            if not fits or x.shape[:lead] != first.shape[:lead]:
                form = "[T, *] with the same T and *" if lead else "a shape"
                raise ValueError(
                    f"{locate(self)}: input {i} is {list(x.shape)}, input 0 is "
                    f"{list(first.shape)}; a further input takes {form} that broadcasts against "
                    "input 0"
                )

    def _check_shapes(self, before: Tensors, after: Tensors) -> None:
        for name, old, new in zip(self.states, before, after, strict=True):
            if old.shape != new.shape:
                raise StateError(
                    f"{locate(self)}: one step turned state {name} from {list(old.shape)} into "
                    f"{list(new.shape)}; parameters must broadcast against [N, *] of the input"
                )

    def _starts(self, now: Sequence[Given]) -> Tensors:
        values = [self._first(name) for name in self.states]
        if any(isinstance(value, Tensor) for value in values) or not _plain():
            return tuple([self._start(name, now) for name in self.states])
        key = (values, [(x.shape, x.dtype, x.device) for x in now])
        if self._began is None or self._began[0] != key:
            made = tuple([self._start(name, now) for name in self.states])
            object.__setattr__(self, "_began", (key, made))
            return made
        return self._began[1]

    def _start(self, name: str, inputs: Sequence[Given]) -> Tensor:
        """The value before the first step; one number in memory may stand for many neurons."""
        value = self._first(name)
        shape, dtype = self.state_like(name, *inputs)
        device = inputs[0].device
        if not isinstance(value, Tensor):
            return torch.full((), value, dtype=dtype, device=device).expand(shape)
        try:
            return value.to(device, dtype).expand(shape)
        except RuntimeError:
            raise StateError(
                f"{locate(self)}: the initial value of state {name} has shape "
                f"{list(value.shape)}, which does not broadcast against the state {list(shape)}"
            ) from None

    def _first(self, name: str) -> float | Tensor:
        return self.initial(name)


def in_transform() -> bool:
    """Whether this code runs under a torch.func transform or forward-mode differentiation."""
    return peek_interpreter_stack() is not None or forward_ad._current_level >= 0


def _plain() -> bool:
    """Whether a tensor made now is an ordinary one that any later call may use."""
    return not (
        torch.compiler.is_compiling()
        or torch.is_inference_mode_enabled()
        or _len_torch_dispatch_stack()
        or in_transform()
    )


def _whole(state: Tensor) -> Tensor:
    # What no step has replaced may still be one number in memory, which nobody can write into.
    if 0 in state.stride():
        return state.clone(memory_format=torch.contiguous_format)
    return state


def _accessor(name: str) -> property:
    def read(self: MemoryModule) -> Tensor | None:
        return self._states.get(name)

    def write(self: MemoryModule, value: Tensor) -> None:
        self._states = {**self._states, name: value}

    return property(read, write, doc=f"State {name}, None before the first input.")


def _follow(value: Tensor, fn: Callable[[Tensor], Tensor]) -> Tensor:
    moved = fn(value)
    wide = torch.float64 if moved.dtype == torch.float64 else torch.float32
    # From the value itself: .half() must not round a float32 state.
    return cast("Tensor", value.to(moved.device, wide if moved.is_floating_point() else None))
