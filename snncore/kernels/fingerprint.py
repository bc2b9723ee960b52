"""What a captured step depends on beside its tensors' values."""

from __future__ import annotations

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
        key += [cls, *(getattr(cls, name, None) for name in _HOOKS)]
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
