"""Turns a plain torch network into a time-aware one."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from torch import nn
from torch.nn.parameter import is_lazy

from snncore.errors import NotSupported
from snncore.layers import time_aware as forms
from snncore.layers.names import TIME_AWARE
from snncore.layers.time_aware import TimeAware
from snncore.step import StepModule

Net = TypeVar("Net", bound=nn.Module)

_FORMS: dict[type[nn.Module], type[nn.Module]] = {
    getattr(nn, name): getattr(forms, name) for name in TIME_AWARE.values()
}
_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def lift(net: Net) -> Net:
    """A time-aware copy of a plain torch network, with equal parameters and the same paths.

    Torch layers become their forms of :mod:`snncore.layers`. A module with a forward of its own
    and no spiking part inside is run whole over merged time; one with a spiking part keeps its
    forward and has its children lifted. The copy starts in mode ``"s"``; ``net`` is untouched.

    Raises: NotSupported for recurrent torch layers and lazy layers that have no shape yet.

    Example:
        >>> import torch; from snncore import set_step_mode
        >>> net = lift(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
        >>> set_step_mode(net, "m")
        >>> net(torch.zeros(5, 3, 2, 2)).shape
        torch.Size([5, 3, 2])
    """
    copied = copy.deepcopy(net)
    _lift(copied, "")
    return copied


def _lift(module: nn.Module, path: str) -> None:
    _refuse(module, path)
    if isinstance(module, StepModule):
        return
    if type(module) in _FORMS:
        _become(module, _FORMS[type(module)])
        return
    spiking = any(isinstance(inner, StepModule) for inner in module.modules())
    if isinstance(module, _CONTAINERS) or spiking:
        for name, child in module.named_children():
            _lift(child, f"{path}.{name}" if path else name)
    else:
        for name, inner in module.named_modules():
            _refuse(inner, f"{path}.{name}" if path else name)
        _become(module, _merged(type(module)))


def _refuse(module: nn.Module, path: str) -> None:
    where = f"cannot lift {path or 'the network'} ({type(module).__name__})"
    if any(is_lazy(parameter) for parameter in module.parameters(recurse=False)):
        raise NotSupported(
            f"{where}: its shape is not known yet; run one batch through the network first"
        )
    if isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
        raise NotSupported(
            f"{where}: it has a time axis of its own; use a recurrent container of snncore.layers"
        )


def _become(module: nn.Module, form: type[nn.Module]) -> None:
    # Another class on the same object keeps parameters, hooks and paths.
    object.__setattr__(module, "__class__", form)


_made: dict[type[nn.Module], type[nn.Module]] = {}


def _merged(cls: type[nn.Module]) -> type[nn.Module]:
    if cls not in _made:
        body = {"__module__": cls.__module__, "__reduce_ex__": _reduce, "_plain": cls}
        _made[cls] = type(f"TimeAware{cls.__name__}", (TimeAware, cls), body)
    return _made[cls]


def _reduce(self: Any, protocol: int) -> tuple[Any, ...]:
    # The class is made at run time; pickle finds it again through the plain one.
    return _rebuild, (self._plain,), self.__getstate__()


def _rebuild(cls: type[nn.Module]) -> nn.Module:
    made = _merged(cls)
    return made.__new__(made)
