"""Traces one time step jointly with its gradient, as PyTorch's own autograd computes it.

The backward is in the same graph as the step, so detach, surrogate gradients and sub-gradients are
right by construction.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

from snncore.kernels.content import Content
from snncore.kernels.refusal import Unsupported as Unsupported
from snncore.kernels.tensors import tensors_of
from snncore.state.memory import MemoryModule

# The tracer patches global functions.
_lock = threading.Lock()


_ran: ContextVar[dict[CodeType, str] | None] = ContextVar("_ran", default=None)


@dataclass(frozen=True)
class Trace:
    """A joint graph.

    Args:
        graph: takes parameters, inputs and states, incoming gradients; gives outputs and new
            states, then gradients of inputs, states and learned parameters.
        learned: positions of the parameters that learn.
        lines: where the user's code calls each operation.
    """

    graph: fx.GraphModule
    learned: tuple[int, ...]
    lines: dict[Any, str]


def trace(module: MemoryModule, shape: torch.Size, dtype: torch.dtype) -> Trace:
    """Traces ``module.step`` and its gradient for inputs and states of one shape.

    Raises: Unsupported when the tracer cannot follow; what the step itself raises.
    """
    ran = _ran.get()
    return _in_fresh_thread(lambda: _trace(module, shape, dtype, ran))


@contextmanager
def witness() -> Generator[dict[CodeType, str]]:
    """Inside a ``with`` block, traces note which code a step runs, and whose module it is of."""
    ran: dict[CodeType, str] = {}
    token = _ran.set(ran)
    try:
        yield ran
    finally:
        _ran.reset(token)


def _compiler() -> AbstractContextManager[Any]:
    # torch.compile patches the same functions; its own lock is taken first, as it is where a
    # capture happens while a compiler traces.
    found = sys.modules.get("torch._dynamo.convert_frame")
    return getattr(found, "compile_lock", None) or nullcontext()


def _in_fresh_thread(work: Callable[[], Any]) -> Any:
    # Inside an op, under autocast, no_grad or a fake mode, thread-local state poisons the trace.
    box: dict[str, Any] = {}

    def run() -> None:
        try:
            box["value"] = work()
        except BaseException as error:  # carried to the caller's thread
            box["error"] = error

    with _compiler(), _lock:
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    if "error" in box:
        raise box["error"]
    return box["value"]


def _trace(
    module: MemoryModule,
    shape: torch.Size,
    dtype: torch.dtype,
    ran: dict[CodeType, str] | None,
) -> Trace:
    from torch._decomp import core_aten_decompositions, get_decompositions
    from torch.fx.experimental.proxy_tensor import make_fx

    module = _twin(module, {})
    named = tensors_of(module)
    learned = tuple(i for i, tensor in enumerate(named.values()) if tensor.requires_grad)

    def step(params: Sequence[Tensor], *arguments: Tensor) -> tuple[Tensor, ...]:
        table = {f"inner.{name}": value for name, value in zip(named, params, strict=True)}
        return torch.func.functional_call(_Step(module), table, arguments)

    def joint(
        params: list[Tensor], inner: list[Tensor], outer: list[Tensor]
    ) -> tuple[list[Tensor], list[Tensor | None]]:
        params = [p.detach().requires_grad_(i in learned) for i, p in enumerate(params)]
        inner = [x.detach().requires_grad_() for x in inner]
        values = step(params, *inner)
        pairs = [(y, g) for y, g in zip(values, outer, strict=True) if y.requires_grad]
        leaves = [*inner, *(params[i] for i in learned)]
        grads = torch.autograd.grad(
            [y for y, _ in pairs], leaves, [g for _, g in pairs], allow_unused=True
        )
        return list(values), list(grads)

    def watched(*given: list[Tensor]) -> tuple[list[Tensor], list[Tensor | None]]:
        with nullcontext() if ran is None else _Witness(ran):
            return joint(*given)

    # One tensor each: the tracer takes the same object for the same value.
    # Where the module's own tensors are, so that what the step makes of them is there, too.
    device = next((tensor.device for tensor in named.values()), None)
    ones = partial(torch.ones, shape, dtype=dtype, device=device)
    inner = [ones() for _ in range(module.inputs + len(module.states))]
    outer = [ones() for _ in range(module.outputs + len(module.states))]
    # A fault of the step itself is raised as it is, not as a fault of the tracer.
    before = Content(module)
    with _Lines() as lines:
        step(list(named.values()), *inner)
    if not before.holds():
        raise Unsupported(
            "its step changes attributes of the module; what a step remembers must be a state"
        )
    table: dict[Any, Callable[..., Any]] = dict(core_aten_decompositions())
    # Torch counts these among its core, for which it has no smaller parts.
    aten = torch.ops.aten
    table.update(get_decompositions([aten.elu, aten.gelu, aten.hardtanh, aten.leaky_relu]))
    table.pop(torch.ops.aten._to_copy.default, None)
    try:
        graph = make_fx(watched, table, tracing_mode="fake", _allow_non_fake_inputs=True)(
            list(named.values()), inner, outer
        )
    except Exception as error:
        raise Unsupported(f"its step cannot be traced: {_first_line(error)}") from error
    return Trace(graph, learned, lines.of)


def _twin(module: Any, made: dict[nn.Module, Any]) -> Any:
    """A module with the same values in tables of its own.

    The tracer puts its own tensors in the place of parameters, which a thread that runs the module
    meanwhile must not see.
    """
    if module not in made:
        made[module] = twin = object.__new__(type(module))
        vars(twin).update(vars(module))
        for table in ("_parameters", "_buffers"):
            vars(twin)[table] = dict(vars(module)[table])
        parts = module._modules.items()
        vars(twin)["_modules"] = {name: part and _twin(part, made) for name, part in parts}
    return made[module]


class _Step(nn.Module):
    def __init__(self, inner: MemoryModule) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        return self.inner.step(*arguments)


class _Lines(TorchDispatchMode):
    """Notes the line of the user's code that calls each operation."""

    def __init__(self) -> None:
        super().__init__()
        self.of: dict[Any, str] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        frame = sys._getframe(1)
        while frame is not None and _is_ours(frame.f_code.co_filename):
            frame = frame.f_back
        if frame is not None:
            place = f"{frame.f_code.co_filename}, line {frame.f_lineno}"
            self.of[func.overloadpacket] = place
        return func(*args, **(kwargs or {}))


class _Witness(TorchDispatchMode):
    """Notes the code that runs between operations; what is inside them is torch's and slow."""

    def __init__(self, ran: dict[CodeType, str]) -> None:
        super().__init__()
        self.ran = ran

    def __enter__(self) -> _Witness:
        super().__enter__()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        sys.setprofile(None)
        super().__exit__(*error)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            self.ran[frame.f_code] = frame.f_globals.get("__name__", "")

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        sys.setprofile(None)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            sys.setprofile(self._note)


_TORCH = os.path.dirname(torch.__file__)


def _is_ours(file: str) -> bool:
    return file.startswith((_TORCH, "<")) or file == __file__


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
