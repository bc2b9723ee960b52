"""Kernels written by hand, for what is no neuron: the steps of a loop in C, run like any other.

Tiles, threads, time and vectors are those of the printed kernels, and so are gradients through
time, memory, layouts and the cache; the user's text takes the place of the statements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from snncore.errors import BackendError, NotSupported
from snncore.kernels import function, ops
from snncore.kernels.backends import fall_back, leaves_process
from snncore.kernels.dialect import Text
from snncore.kernels.emit.slots import HALVES
from snncore.kernels.handwritten import Bound, Definition
from snncore.kernels.program import AGAIN, Target
from snncore.state.memory import in_transform
from snncore.state.unroll import Tensors, arithmetic, unroll

_EXPORT = "an exported program holds no kernel of this process"
_TRANSFORM = (
    "no kernel runs inside vmap, grad and other torch.func transforms, nor in forward-mode "
    "differentiation"
)


class Kernel:
    """A function of your own on the CPU and on GPUs, through time or elementwise.

    ``step`` is the body of a C function that runs once per element and time step. It reads inputs,
    parameters and states by name and assigns every output and state. With states, tensors are
    ``[T, *]`` and time runs inside the kernel; without, they have any shape. Names and numbers are
    of the type ``S``: float, or double for float64 tensors. The maths is ``snn_exp(x)``,
    ``snn_max(a, b)`` and so on (:data:`snncore.kernels.dialect.FUNCTIONS`). Outputs begin at 0.
    Choices are best written ``a ? b : c``: not every ``if`` becomes vectors on the CPU.

    ``backward`` is such a body that runs backward in time and makes the kernel differentiable. It
    reads inputs, parameters, outputs, states as they were before the step, ``next_v`` for a state
    v after it, and the gradients ``grad_y`` of an output and ``grad_v`` of that next state. It
    turns ``grad_v`` into that of the old state, and assigns ``grad_x`` of inputs and ``grad_p`` of
    parameters, which begin at 0; the latter are added up over time and elements.

    Args:
        name: for error texts.
        inputs, outputs, params: names of tensors; parameters do not change in time.
        states: names and initial values of what is carried from step to step.
        step, backward: the texts.
        reference: the same step in torch, ``(*inputs, *states, **params) -> (*outputs, *states)``;
            it runs where no kernel can, with one warning, and is what tests compare with.
    Raises: ConfigError when names or texts cannot make a kernel.
    Example:
        >>> leaky = Kernel(
        ...     "leaky",
        ...     inputs=("x",),
        ...     params=("decay",),
        ...     states={"v": 0.0},
        ...     outputs=("y",),
        ...     step="v = decay * v + x; y = v;",
        ...     reference=lambda x, v, decay: (decay * v + x, decay * v + x),
        ... )
        >>> y, v = leaky(torch.ones(3, 1), decay=0.5)
        >>> y.flatten().tolist()
        [1.0, 1.5, 1.75]
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Sequence[str],
        outputs: Sequence[str],
        step: str,
        params: Sequence[str] = (),
        states: Mapping[str, float] | None = None,
        backward: str | None = None,
        reference: Callable[..., Any] | None = None,
    ) -> None:
        self.definition = Definition(
            name,
            inputs,
            outputs,
            params,
            {one: float(start) for one, start in (states or {}).items()},
            Text(f"{name}.step", step),
            None if backward is None else Text(f"{name}.backward", backward),
        )
        self.reference = reference
        self._ready: dict[object, Bound | str] = {}

    def __call__(self, *inputs: Tensor, **values: Tensor | float) -> Any:
        """Runs it.

        Args:
            inputs: of one shape, dtype and device; float32, float64, bfloat16 or float16.
            values: every parameter, a number or a tensor that broadcasts to a step; initial
                states, likewise, where others than those declared are wanted.
        Returns: outputs like the inputs, then final states in float32 (float64 for float64); one
            tensor if there is one output and no state.
        Raises: TypeError, ValueError for what does not fit; NotSupported when a gradient is wanted
            of what has none; BackendError when nothing can run it here.
        """
        return self._called(self._run, inputs, values)

    def plain(self, *inputs: Tensor, **values: Tensor | float) -> Any:
        """The same by its torch reference, step by step.

        Raises: as :meth:`__call__`.
        """
        return self._called(self._plain, inputs, values)

    def missing(self, device: str = "cpu") -> str | None:
        """Why it runs as its reference on a type of device; None if it runs itself.

        Example:
            >>> twice = Kernel("twice", inputs=("x",), outputs=("y",), step="y = x + x;")
            >>> twice.missing("meta")
            'kernels written by hand do not run on meta'
        """
        return self._bound(device, (), None)[2] or None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": {}}

    def __repr__(self) -> str:
        given = ", ".join((*self.definition.outputs, *self.definition.states))
        return f"Kernel {self.definition} -> {given}"

    def _called(
        self,
        run: Callable[[Tensors, Tensors, list[Tensor], tuple[int, ...]], tuple[Tensors, Tensors]],
        inputs: Tensors,
        values: dict[str, Tensor | float],
    ) -> Any:
        own = self.definition
        x = self._check_inputs(inputs)
        if not own.states:
            inputs = tuple(one.unsqueeze(0) for one in inputs)
        starts = {one: values.pop(one, start) for one, start in own.states.items()}
        if values.keys() != set(own.params):
            missing = [one for one in own.params if one not in values]
            strange = [one for one in values if one not in own.params]
            raise TypeError(
                f"kernel {own} "
                + (f"lacks {', '.join(missing)}" if missing else f"takes no {', '.join(strange)}")
            )
        shape = inputs[0].shape[1:]
        params = [self._value(one, values[one], x, shape) for one in own.params]
        states = tuple(self._value(one, v, x, shape).expand(shape) for one, v in starts.items())
        learned = self._check_gradients((*inputs, *params, *states))
        found, after = run(inputs, states, params, learned)
        if not own.states:
            found = tuple(y.squeeze(0) for y in found)
        every = (*found, *after)
        return every[0] if len(every) == 1 else every

    def _check_inputs(self, inputs: Tensors) -> Tensor:
        own = self.definition
        if len(inputs) != len(own.inputs):
            raise TypeError(
                f"kernel {own} takes {len(own.inputs)} input(s), got {len(inputs)}; parameters "
                "and states are named"
            )
        x, first = inputs[0], own.inputs[0]
        if x.dtype not in (torch.float32, torch.float64, *HALVES):
            raise TypeError(
                f"kernel {own} takes floating-point tensors, got {x.dtype} for {first}; "
                f"call {first}.float()"
            )
        for one, other in zip(own.inputs, inputs, strict=True):
            for what in ("shape", "dtype", "device"):
                pair = getattr(x, what), getattr(other, what)
                if pair[0] != pair[1]:
                    ours, theirs = (list(v) if what == "shape" else v for v in pair)
                    raise ValueError(
                        f"kernel {own} takes inputs of one {what}, got {ours} for {first} and "
                        f"{theirs} for {one}"
                    )
        if own.states and not x.dim():
            raise ValueError(
                f"kernel {own} runs through time and takes [T, *], got a tensor without "
                f"dimensions for {first}"
            )
        return x

    def _value(self, name: str, value: Tensor | float, x: Tensor, shape: torch.Size) -> Tensor:
        wide = arithmetic(x.dtype)
        own = self.definition
        if isinstance(value, (int, float)):
            return torch.full((), value, dtype=wide, device=x.device)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"kernel {own}: {name} is a number or a tensor, got {type(value).__name__}"
            )
        if value.device != x.device:
            raise ValueError(
                f"kernel {own}: {name} is on {value.device}, {own.inputs[0]} on {x.device}; call "
                f"{name}.to({str(x.device)!r})"
            )
        # torch.broadcast_shapes would raise words of its own.
        tail = shape[max(len(shape) - value.dim(), 0) :]
        sizes = zip(value.shape, tail, strict=value.dim() <= len(shape))
        if value.dim() > len(shape) or any(size not in (1, full) for size, full in sizes):
            raise ValueError(
                f"kernel {own}: {name} has shape {list(value.shape)}, which does not broadcast to "
                f"one step, {list(shape)}"
            )
        return value.to(wide)

    def _check_gradients(self, tensors: Tensors) -> tuple[int, ...]:
        """Positions of the parameters that learn."""
        if not torch.is_grad_enabled():
            return ()
        own = self.definition
        names = (*own.inputs, *own.params, *own.states)
        wanted = [one for one, value in zip(names, tensors, strict=True) if value.requires_grad]
        for one in wanted:
            if one not in own.differentiable:
                lacks = f"its backward never assigns grad_{one}" if own.backward else "no backward"
                raise NotSupported(
                    f"kernel {own} gives no gradient of {one}, which requires one ({lacks}); pass "
                    f"{one}.detach(), call it under torch.no_grad(), or write that gradient"
                )
        return tuple(i for i, one in enumerate(own.params) if one in wanted)

    def _run(
        self, xs: Tensors, states: Tensors, params: list[Tensor], learned: tuple[int, ...]
    ) -> tuple[Tensors, Tensors]:
        device, road, way = xs[0].device.type, function, AGAIN
        if torch.compiler.is_compiling():
            gone = leaves_process()
            handle, kept, reason = (0, "", _EXPORT) if gone else _ahead(self, device, learned)
            road = ops
        elif in_transform():
            handle, kept, reason = 0, "", _TRANSFORM
        else:
            handle, kept, reason = self._bound(device, learned, xs[0].shape)
        if reason:
            if self.reference is None:
                raise BackendError(
                    f"kernel {self.definition} has no torch reference, and cannot run: {reason}"
                )
            if reason not in (_TRANSFORM, _EXPORT):
                fall_back(
                    f"kernel {self.definition} runs as its torch reference: {reason}", stacklevel=5
                )
            return self._plain(xs, states, params, learned)
        if torch.is_grad_enabled():
            way = kept
        count = len(self.definition.outputs)
        found = road.unroll(handle, xs, states, params, (), count, way)
        return found[0], found[1]

    def _bound(
        self, device: str, learned: tuple[int, ...], shape: torch.Size | None
    ) -> tuple[int, str, str]:
        """A handle for the operations of torch and the way of a training run, or why not.

        Args:
            shape: of the sequences; None for any.
        """
        key = (device, learned)
        bound = self._ready.get(key)
        if bound is None:
            target = _target(device)
            made = target if isinstance(target, str) else Bound(self.definition, target, learned)
            # Another thread may have made one meanwhile.
            bound = self._ready.setdefault(key, made)
        if isinstance(bound, str):
            return 0, "", bound
        target = bound.target
        if shape is None:
            return bound.handle, target.ways[0], ""
        return bound.handle, target.way(shape[0], shape[1:].numel()).name, ""

    def _plain(
        self, xs: Tensors, states: Tensors, params: list[Tensor], learned: tuple[int, ...]
    ) -> tuple[Tensors, Tensors]:
        own, step = self.definition, self.reference
        if step is None:
            raise BackendError(f"kernel {own} has no torch reference; give Kernel(reference=...)")
        given = dict(zip(own.params, params, strict=True))

        def one_step(*values: Tensor) -> Tensors:
            found = step(*values, **given)
            return found if isinstance(found, tuple) else (found,)

        dtype = xs[0].dtype
        wide = tuple(x.to(arithmetic(dtype)) for x in xs)
        found, after, _ = unroll(one_step, wide, states, len(own.outputs))
        return tuple(y.to(dtype) for y in found), after


def _ahead(kernel: Kernel, device: str, learned: tuple[int, ...]) -> tuple[int, str, str]:
    """What a compiled program of any length calls."""
    return kernel._bound(device, learned, None)


# Dynamo runs it while it traces (torch.compiler.assume_constant_result, without its import).
_ahead._dynamo_marked_constant = True  # pyright: ignore[reportFunctionMemberAccess]


def _target(device: str) -> Target | str:
    """What runs kernels on a device, or why nothing does."""
    if device == "cpu":
        from snncore.kernels.cpp import CppBackend, CppTarget

        return CppBackend().available() or CppTarget()
    if device == "cuda":
        from snncore.kernels.cuda import CudaBackend, CudaTarget

        return CudaBackend().available() or CudaTarget()
    return f"kernels written by hand do not run on {device}"
