"""Parameters and buffers of a module: what a kernel is given anew at each call."""

from __future__ import annotations

from typing import Any, TypeAlias

from torch import Tensor, nn

Places: TypeAlias = list[tuple[dict[str, Any], str]]
"""Tables and names under which tensors stand."""


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Them by name."""
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def places_of(module: nn.Module) -> Places:
    """Where they stand, in the order of :func:`tensors_of`; shared ones at each place."""
    return [
        (vars(part)[kind], name)
        for kind in ("_parameters", "_buffers")
        for part in module.modules()
        for name, tensor in vars(part)[kind].items()
        if tensor is not None
    ]


def held(places: Places) -> list[Tensor]:
    """What stands there now, each tensor once."""
    return list(dict.fromkeys([table[name] for table, name in places]))


def sharing(places: Places) -> tuple[int, ...]:
    """Which places hold one and the same tensor."""
    found = [id(table.get(name)) for table, name in places]
    return tuple(map(found.index, found))
