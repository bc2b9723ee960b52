"""Hooks that see the calls of one network, say which step is which, and leave no trace."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from threading import local
from typing import Any

from torch import Tensor, nn

from snncore.errors import NotSupported
from snncore.monitor.selection import places
from snncore.registry import label
from snncore.state.checkpointing import in_backward
from snncore.state.memory import in_transform
from snncore.step import StepModule

Before = Callable[[tuple[Any, ...]], Any]
After = Callable[[tuple[Any, ...], Any], None]


_here = local()


def observing() -> bool:
    """Whether a monitor itself is at work in this thread."""
    return getattr(_here, "depth", 0) > 0


@contextmanager
def at_work() -> Generator[None]:
    """Marks work as the monitor's own, so that no other monitor takes it for the network's."""
    _here.depth = getattr(_here, "depth", 0) + 1
    try:
        yield
    finally:
        _here.depth -= 1


class Hook:
    """A hook of one module. Copies and pickles of the module carry one that does nothing."""

    def __init__(self, module: Any = None, call: Callable[..., Any] | None = None) -> None:
        self._module, self._call = module, call

    def __call__(self, module: nn.Module, *values: Any) -> Any:
        # Activation checkpointing runs a forward again inside backward: the same calls once more.
        if self._call is None or module is not self._module or in_backward():
            return None
        with at_work():
            return self._call(*values)

    def __reduce__(self) -> tuple[Any, ...]:
        return Hook, ()


class Site:
    """One place of a network while it is watched: hooks, and the shape of time.

    Args:
        net: the network.
        stack: closes the hooks.
    """

    def __init__(self, net: nn.Module, stack: ExitStack) -> None:
        self._stack = stack
        self._paths = places(net)
        self._calls: dict[nn.Module, int] = {}
        self._leads: dict[nn.Module, Sequence[int]] = {}
        self._outer: dict[nn.Module, StepModule] = {}
        self._first = next((m for m in net.modules() if isinstance(m, StepModule)), None)
        self._note_outer(net, None)
        for module in set(self._outer.values()):
            self.before(module, self._leader(module))
        self.before(net, lambda _: self._calls.clear())

    def before(self, module: nn.Module, call: Before) -> None:
        """Runs ``call(inputs)`` before each forward; what it returns replaces the inputs."""
        handle = module.register_forward_pre_hook(Hook(module, call))
        self._stack.callback(handle.remove)

    def after(self, module: nn.Module, call: After, *, always: bool = False) -> None:
        """Runs ``call(inputs, output)`` after each forward; ``always`` even where it raises."""
        handle = module.register_forward_hook(Hook(module, call), always_call=always)
        self._stack.callback(handle.remove)

    def name(self, module: nn.Module) -> str:
        """How error texts name a module of the network."""
        path = self._paths[module][0]
        return f"net.{path} ({label(module)})" if path else label(module)

    def path(self, module: nn.Module) -> str:
        """The path of the call that runs now.

        A module that stands at several paths is taken to run once for each in a step, in the
        order in which the network lists them.
        """
        paths = self._paths[module]
        if len(paths) == 1:
            return paths[0]
        count = self._calls.get(module, 0)
        self._calls[module] = count + 1
        return paths[count % len(paths)]

    def time_first(self, module: nn.Module, shape: Sequence[int]) -> Sequence[int]:
        """The shape ``[T, N, *]`` of what ``module`` takes or gives; T is 1 for a single step.

        Inside a layer that merges time into the batch, the two are told apart again.
        """
        if self._mode(module) == "m":
            return shape
        outer = self._outer.get(module)
        while outer is not None and outer.step_mode == "s":
            outer = self._outer.get(outer)
        lead = self._leads.get(outer) if outer is not None else None
        if outer is not None and lead is not None and shape:
            if outer.inner_step_mode is None and list(shape[:2]) == list(lead):
                return shape
            if shape[0] == lead[0] * lead[1]:
                return (*lead, *shape[1:])
        return (1, *shape)

    def _mode(self, module: nn.Module) -> str:
        if isinstance(module, StepModule):
            return module.step_mode
        inside = next((m for m in module.modules() if isinstance(m, StepModule)), None)
        if inside is None and module not in self._outer:
            inside = self._first
        return inside.step_mode if inside is not None else "s"

    def _note_outer(self, module: nn.Module, outer: StepModule | None) -> None:
        for child in module.children():
            mine = module if isinstance(module, StepModule) else outer
            if mine is not None and child not in self._outer:
                self._outer[child] = mine
            self._note_outer(child, mine)

    def _leader(self, module: StepModule) -> Before:
        def note(inputs: tuple[Any, ...]) -> None:
            x = next((x for x in inputs if isinstance(x, Tensor)), None)
            if x is not None and module.step_mode == "m":
                self._leads[module] = tuple(x.shape[:2])

        return note


def value_of(values: Any, index: int, what: str) -> Tensor:
    """Tensor number ``index`` of what a module takes or gives.

    Raises: NotSupported when there is none; inside a torch.func transform.
    """
    if in_transform():
        raise NotSupported(
            f"{what} is recorded inside a torch.func transform, whose tensors mean nothing outside "
            "of it; watch a call of the network itself"
        )
    several: Sequence[Any] = values if isinstance(values, (tuple, list)) else (values,)
    if index >= len(several) or not isinstance(several[index], Tensor):
        found = ", ".join(type(value).__name__ for value in several) or "nothing by position"
        raise NotSupported(f"{what} has no tensor number {index}, it has: {found}")
    return several[index]


def not_compiled(net: nn.Module) -> None:
    """Raises NotSupported for what ``torch.compile`` made: its code calls no hooks of ours."""
    if any(type(m).__name__ == "OptimizedModule" for m in net.modules()):
        raise NotSupported(
            "a network compiled by torch.compile calls no hooks; watch the network that was "
            "given to torch.compile"
        )


def own(value: Tensor, of: Tensor) -> Tensor:
    """A record that later changes in place cannot reach: a copy where memory is shared."""
    shared = value.untyped_storage().data_ptr() == of.untyped_storage().data_ptr()
    return value.clone() if shared else value
