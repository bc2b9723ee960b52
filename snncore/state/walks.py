"""Walks over the memory of one network. Nothing is cached: a walk sees the network as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from torch import Tensor, nn

from snncore.errors import StateError
from snncore.state.memory import MemoryModule

Snapshot: TypeAlias = dict[str, dict[str, Tensor]]


def memory_modules(net: nn.Module) -> Iterator[tuple[str, MemoryModule]]:
    """Every stateful module of ``net`` with its path; ``""`` is ``net`` itself."""
    for path, module in net.named_modules():
        if isinstance(module, MemoryModule):
            yield path, module


def reset(net: nn.Module) -> None:
    """Forgets the state of ``net``; the next input starts from the initial values.

    Example:
        >>> reset(nn.Linear(2, 2))
    """
    for module in _parts(net):
        hold(module, {})


def detach(net: nn.Module) -> None:
    """Cuts the state of ``net`` from its autograd graph and keeps the values (truncated BPTT)."""
    for module in _parts(net):
        hold(module, {name: value.detach() for name, value in module._states.items()})


def memories(net: nn.Module) -> Iterator[tuple[str, str, Tensor | None]]:
    """Yields ``(path, name, value)`` of every state; None before the first input."""
    for path, module in memory_modules(net):
        for name in module.states:
            yield path, name, module._states.get(name)


def snapshot(net: nn.Module) -> Snapshot:
    """The state of ``net`` as ``{path: {name: Tensor}}``, detached clones.

    It can be saved with ``torch.save`` and loaded with ``weights_only=True``. A module without
    state yet has an empty table.
    """
    return {
        path: {name: value.detach().clone() for name, value in module._states.items()}
        for path, module in memory_modules(net)
    }


def restore(net: nn.Module, snap: Mapping[str, Mapping[str, Tensor]]) -> None:
    """Puts a :func:`snapshot` back; the snapshot stays untouched.

    Raises: StateError when paths or names are missing or extra. Nothing is changed then.
    """
    modules = dict(memory_modules(net))
    fit(modules, snap, "the snapshot does")
    for path, module in modules.items():
        hold(module, {name: value.detach().clone() for name, value in snap[path].items()})


def fit(
    modules: Mapping[str, MemoryModule], given: Mapping[str, Mapping[str, Tensor]], what: str
) -> None:
    """Raises StateError unless ``given`` names exactly the states of ``modules``."""
    missing = [path for path in modules if path not in given]
    extra = [path for path in given if path not in modules]
    for path, module in modules.items():
        names = set(given.get(path, {}))
        if names and names != set(module.states):
            missing += [f"{path}.{name}" for name in set(module.states) - names]
            extra += [f"{path}.{name}" for name in names - set(module.states)]
    if missing or extra:
        parts = [f"missing {', '.join(map(repr, missing))}"] if missing else []
        parts += [f"extra {', '.join(map(repr, extra))}"] if extra else []
        raise StateError(f"{what} not fit this network: {'; '.join(parts)}")


def hold(module: MemoryModule, states: Mapping[str, Tensor]) -> None:
    """Replaces the state of one module, whatever graph the old one had."""
    module._hold(states, None)


def _parts(net: nn.Module) -> list[MemoryModule]:
    """As :func:`memory_modules`, without the paths, which would take longer than the rest."""
    found = {net: None}
    queue = [net]
    for module in queue:
        new = [part for part in module._modules.values() if part is not None and part not in found]
        found.update(dict.fromkeys(new))
        queue += dict.fromkeys(new)
    return [module for module in queue if isinstance(module, MemoryModule)]
