"""What a captured step depends on beside its tensors' values."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from torch import Tensor, nn

_HOOKS = ("step", "charge", "fire", "reset", "forward", "derivative", "primitive")
_PLAIN = (int, float, bool, str, type(None))


def fingerprint(module: nn.Module) -> tuple[tuple[Any, ...], bool]:
    """A key that changes with every plain attribute, method, tensor shape and training flag.

    Returns: the key, and whether another module with the same key may share what was captured
        (False where the key holds objects that only identity can compare).
    """
    key: list[Any] = []
    shareable = True
    for part in module.modules():
        cls = type(part)
        key.append(cls)
        for hook in (getattr(cls, name, None) for name in _HOOKS):
            key.append(hook)
            if isinstance(hook, FunctionType):
                key += _outer_values(hook)
        for name, value in vars(part).items():
            if name.startswith("_"):
                continue
            known = _value(value)
            shareable = shareable and not isinstance(known, _Identity)
            key += [name, known]
        for name, tensor in (*part._parameters.items(), *part._buffers.items()):
            if tensor is not None:
                key += [name, tensor.shape, tensor.dtype, tensor.requires_grad]
    return tuple(key), shareable


def _outer_values(function: FunctionType) -> Iterator[Any]:
    """Values of the globals and closures that a function and its helpers read, as they are now."""
    names, cells = _outer_names(function)
    for table, name in names:
        yield _value(table.get(name))
    for cell in cells:
        yield _value(cell.cell_contents)


@cache
def _outer_names(
    function: FunctionType,
) -> tuple[tuple[tuple[dict[str, Any], str], ...], tuple[CellType, ...]]:
    names: dict[tuple[int, str], tuple[dict[str, Any], str]] = {}
    cells: list[CellType] = []
    seen: set[FunctionType] = set()
    stack = [function]
    while stack:
        current = stack.pop()
        if current in seen or _is_library(current.__module__):
            continue
        seen.add(current)
        cells += [cell for cell in current.__closure__ or () if _is_filled(cell)]
        found: list[Any] = [cell.cell_contents for cell in cells]
        table, mentioned = current.__globals__, set(_mentioned(current.__code__))
        for name in mentioned & table.keys():
            names[id(table), name] = table, name
            found.append(table[name])
        for module in found:
            if isinstance(module, ModuleType) and not _is_library(module.__name__):
                inside = vars(module)
                names |= {(id(inside), n): (inside, n) for n in mentioned & inside.keys()}
                found += [inside[n] for n in mentioned & inside.keys()]
        stack += [value for value in found if isinstance(value, FunctionType)]
    return tuple(names.values()), tuple(cells)


def _mentioned(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant)


def _is_library(module: str | None) -> bool:
    # Library code is known by its version, which does not change while a process runs.
    return (module or "").partition(".")[0] in ("torch", "snncore", "math", "numpy", "builtins")


def _is_filled(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return False
    return True


class _Identity:
    """Compares by identity and keeps its object alive, so that no other takes its place."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _value(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        # 1 == 1.0 == True, but they may compute differently.
        return type(value), value
    if isinstance(value, (tuple, list)) and all(isinstance(item, _PLAIN) for item in value):
        return type(value), tuple(value)
    if isinstance(value, Tensor) and not value.requires_grad and value.numel() == 0:
        return value.shape
    return _Identity(value)
