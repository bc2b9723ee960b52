"""A network as a pure function of input and state."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from snncore.errors import StateError
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Given, one_step
from snncore.state.walks import Snapshot, fit, memory_modules


def functional(
    net: nn.Module,
) -> tuple[Callable[..., tuple[Any, Snapshot]], Callable[..., Snapshot]]:
    """``(call, init)`` of a network, for torch.func, export and CUDA graphs.

    ``init(x) -> states`` gives the initial states for an input of that shape, dtype and device;
    ``call(x, states, params=None) -> (y, states)`` runs the network from explicit states and
    leaves those held by ``net`` alone. ``x`` may be a tuple of inputs; ``params`` replaces
    parameters and buffers by name, as in ``torch.func.functional_call``.

    Raises: StateError from ``call`` for missing or extra states, from ``init`` inside a transform.
    """

    def init(x: Tensor | tuple[Tensor, ...]) -> Snapshot:
        if in_transform():
            raise StateError(
                "init(x) runs the network once to learn its shapes and cannot do so inside a "
                "torch.func transform; call it before and pass the states in."
            )
        shapes = step_inputs(net, x)
        real = dict(memory_modules(net))
        return {
            path: dict(zip(module.states, module.init_states(*shapes[path]), strict=True))
            if path in shapes
            else {}
            for path, module in real.items()
        }

    def call(
        x: Tensor | tuple[Tensor, ...],
        states: Mapping[str, Mapping[str, Tensor]],
        params: Mapping[str, Tensor] | None = None,
    ) -> tuple[Any, Snapshot]:
        with _holding(net, states) as modules:
            if params is None:
                y = net(*_inputs(x))
            else:
                y = torch.func.functional_call(net, dict(params), _inputs(x))
            return y, {path: dict(module._states) for path, module in modules.items()}

    return call, init


def step_inputs(net: nn.Module, x: Tensor | tuple[Tensor, ...]) -> dict[str, tuple[Given, ...]]:
    """One time step of what reaches each stateful module that ``net(x)`` runs, but for its values.

    Only a run tells the shapes inside; a copy of the network makes it, without state or gradient,
    and random generators are put back.
    """
    probe = copy.deepcopy(net)
    shapes: dict[str, tuple[Given, ...]] = {}
    for path, module in memory_modules(probe):
        module._states = {}
        module.register_forward_pre_hook(_note(shapes, path))
    devices = [x.device for x in _inputs(x) if x.is_cuda]
    with torch.no_grad(), torch.random.fork_rng(devices):
        probe(*_inputs(x))
    return shapes


@contextmanager
def _holding(
    net: nn.Module, states: Mapping[str, Mapping[str, Tensor]]
) -> Iterator[dict[str, MemoryModule]]:
    modules = dict(memory_modules(net))
    fit(modules, states, "the states do")
    before = {path: module._states for path, module in modules.items()}
    try:
        for path, module in modules.items():
            module._states = dict(states[path])
            module._explicit = True
        yield modules
    finally:
        for path, module in modules.items():
            module._states = before[path]
            module._explicit = False


def _inputs(x: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return x if isinstance(x, tuple) else (x,)


def _note(shapes: dict[str, tuple[Given, ...]], path: str) -> Callable[..., None]:
    def hook(module: MemoryModule, inputs: tuple[Tensor, ...]) -> None:
        if path not in shapes:
            shapes[path] = inputs if module.step_mode == "s" else tuple(map(one_step, inputs))

    return hook
