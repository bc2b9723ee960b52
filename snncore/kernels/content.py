"""Everything that a captured step depends on beside its tensors' values: one walk over it.

The walk starts at the module and follows attributes, and the code that a step can reach: methods
by the names that reached code mentions, globals, closures, defaults, attributes of the user's
modules. Torch, numpy, Python and the core itself count by their versions. It gives two renderings:
a hash that is the same in every process, and a watch that tells within microseconds whether
anything has changed in this one.
"""

from __future__ import annotations

import functools
import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from enum import Enum
from functools import cached_property, partial
from types import (
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, Generic, Protocol

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from snncore.kernels.library import is_library
from snncore.kernels.refusal import codes, contents, refuse
from snncore.kernels.tensors import held, places_of, sharing
from snncore.kernels.watch import Watch

MOST = 64
"""Tensors of more elements are not compared by value where a step holds them itself."""

# What the core calls by itself, so that no code of the user's mentions it.
_ROOTS = (
    *("step", "charge", "fire", "reset", "forward", "derivative", "primitive", "tensors"),
    *("states", "inputs", "outputs", "backward", "setup_context", "spike"),
    *("quantize", "encode", "relax", "decode", "grid", "code_range"),
)
_MAKING = ("__init__", "__new__", "__post_init__")
# Methods with these names are called by the language, but not within a step.
_IDLE = {
    *_MAKING,
    *("__repr__", "__str__", "__format__", "__getstate__", "__setstate__", "__reduce__"),
    *("__reduce_ex__", "__copy__", "__deepcopy__", "__del__", "__init_subclass__"),
}
# What the bases keep for themselves; no step reads it.
_OWN = frozenset(
    {
        *vars(nn.Module()),
        *("_began", "_explicit", "_graph", "_kernels", "_numeric", "_states", "_step_mode"),
        *("_used", "_v_seq"),
    }
) - {"training"}
_PLAIN = frozenset(
    {
        *(int, float, bool, complex, str, bytes, range, type(None), type(...)),
        *(torch.dtype, torch.device, torch.Size, torch.layout, torch.memory_format),
    }
)
_MAPPINGS = (dict, OrderedDict, MappingProxyType)
# What somebody may have set on a class of a library.
_CHANGEABLE = _PLAIN | {FunctionType, *_MAPPINGS}
_WITHOUT_CODE = (object, Generic, Protocol, nn.Module)


class Content:
    """What a module's step depends on now.

    Args:
        module: whose ``step`` is meant.
    Raises: Unsupported when the step reads the environment, files, the time or random numbers.
    """

    def __init__(self, module: nn.Module) -> None:
        self.codes: set[CodeType] = set()
        """All code of the user's that was found."""
        self.tensors: list[Tensor] = []
        """Those that the step holds beside parameters and buffers."""
        self.unknown: str | None = None
        """What cannot be compared between processes."""
        self._watch = Watch()
        self._tokens: list[str] = []
        self._seen: dict[int, int] = {}
        self._alive: list[object] = []
        self._names: dict[str, None] = dict.fromkeys(_ROOTS)
        self._owners: list[type | ModuleType] = []
        self._inside = {id(part) for part in module.modules()}
        self._places = places_of(module)
        if len(self._places) > 1:
            self._write(self._watch.fact(partial(sharing, self._places)))
        self._write(str(self._watch.fact(torch.get_default_dtype)))
        self._value(module)
        self.digest: str | None = None
        """A hash that is the same in every process; None where something cannot be compared."""
        if self.unknown is None:
            self.digest = hashlib.sha256("\n".join(self._tokens).encode()).hexdigest()
        # Only the walk needs them, and they may hold much memory.
        for used in (self._tokens, self._seen, self._alive):
            used.clear()

    def holds(self) -> bool:
        """Whether nothing of it has changed since."""
        return self._watch.holds()

    def mentions(self, names: Iterable[str]) -> bool:
        """Whether code of the user's mentions any of these names."""
        return not self._names.keys().isdisjoint(names)

    @property
    def holds_tensors(self) -> bool:
        """Whether the step reads parameters, buffers or other tensors of the module's."""
        return bool(self._places or self.tensors)

    def given(self) -> list[Tensor]:
        """What :func:`tensors_of` gives now, while this holds."""
        return held(self._places)

    def _write(self, *tokens: object) -> None:
        self._tokens += map(repr, tokens)

    def _give_up(self, value: object) -> None:
        self.unknown = self.unknown or f"a {type(value).__name__}"

    def _value(self, value: Any) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self._write(kind.__name__, value)
        elif kind in (tuple, frozenset):
            self._series(value)
        elif kind in (staticmethod, classmethod):
            self._write(kind.__name__)
            self._value(value.__func__)
        elif kind is MethodType:
            self._write(kind.__name__)
            self._value(value.__func__)
            self._value(value.__self__)
        elif self._is_new(value):
            self._write(kind.__qualname__)
            self._visit(value, kind)

    def _is_new(self, value: object) -> bool:
        # That two names mean one object counts as well, hence its number is written.
        place = self._seen.get(id(value))
        self._write(len(self._seen) if place is None else place)
        if place is None:
            self._seen[id(value)] = len(self._seen)
            self._alive.append(value)
        return place is None

    def _visit(self, value: Any, kind: type) -> None:
        if kind is FunctionType:
            self._function(value)
        elif isinstance(value, nn.Module):
            self._module(value)
        elif isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, type):
            self._class(value)
            self._methods(value, _MAKING)
        elif isinstance(value, ModuleType):
            self._file(value)
        elif kind is list or kind is set:
            self._series(self._watch.row(partial(tuple, value)), ordered=kind is list)
        elif kind in _MAPPINGS:
            self._series(self._watch.row(partial(_pairs, value)))
        elif kind is property:
            self._value(value.fget)
        elif kind is functools.partial:
            self._series((value.func, value.args, value.keywords))
        elif kind is cached_property:
            self._value(value.func)
        elif isinstance(value, Enum):
            self._class(kind)
            self._write(value.name)
            self._value(value.value)
        else:
            self._object(value, kind)

    def _series(self, values: Iterable[Any], *, ordered: bool = True) -> None:
        self._write("(")
        if ordered and not isinstance(values, frozenset):
            for value in values:
                self._value(value)
        elif all(type(value) in _PLAIN for value in values):
            self._write(*sorted((type(value).__name__, repr(value)) for value in values))
        else:
            self._give_up(values)
        self._write(")")

    def _object(self, value: Any, kind: type) -> None:
        home = kind.__module__
        # An array has no version, so a later change inside would not be seen: it is unknown.
        if getattr(value, "shape", None) == () and kind.__name__ != "ndarray":
            self._write(str(value.dtype), value.item())
        elif is_library(home) and callable(value):
            self._named(value)
        elif kind is SimpleNamespace or not is_library(home):
            bases = [base for base in kind.__mro__ if is_library(base.__module__)]
            if any(base not in (*_WITHOUT_CODE, SimpleNamespace) for base in bases):
                self._give_up(value)
            self._class(kind)
            self._series(self._watch.row(partial(_pairs, getattr(value, "__dict__", {}))))
            for name in (name for base in kind.__mro__ for name in _slots(base)):
                self._write(name)
                self._value(self._watch.attribute(value, name))
        else:
            self._give_up(value)

    def _named(self, value: Any) -> None:
        """A function of a library that is written in C, an operation of torch, or a wrapper."""
        inner = getattr(value, "__wrapped__", None)
        owner = getattr(value, "__self__", None)
        if inner is not None:
            self._value(inner)
        elif owner is not None and not isinstance(owner, (type, ModuleType)):
            self._write(getattr(value, "__name__", ""))
            self._value(owner)
        elif hasattr(value, "__name__"):
            home = getattr(value, "__objclass__", owner)
            home = home or SimpleNamespace(__name__=getattr(value, "__module__", None))
            self._write(str(value.__name__), str(home.__name__))
        else:
            self._give_up(value)
        if type(value).__module__ == "torch._ops":
            self._write(str(value))

    def _module(self, module: nn.Module) -> None:
        self._class(type(module))
        self._watch.row(partial(_public, vars(module)))
        for name in sorted(vars(module).keys() - _OWN):
            self._write(name)
            self._value(vars(module)[name])
        for table in (module._parameters, module._buffers):
            if id(module) in self._inside:
                self._watch.fact(partial(_facts, table))
                for name, tensor in table.items():
                    self._write(name)
                    if tensor is not None and self._is_new(tensor):
                        self._write(*map(str, _fact(tensor)))
            else:
                self._series(self._watch.row(partial(_pairs, table)))
        self._series(self._watch.row(partial(_pairs, module._modules)))

    def _tensor(self, tensor: Tensor) -> None:
        self.tensors.append(tensor)
        self._watch.fact(partial(_version, tensor))
        self._write(*map(str, _fact(tensor)))
        if tensor.numel() > MOST or tensor.device.type != "cpu":
            self._give_up(tensor)
        else:
            # A walk may start inside an operation that a compiler looks at.
            with _disable_current_modes():
                self._write(tensor.detach().tolist())

    def _class(self, cls: type) -> None:
        """A class whose instances a step uses."""
        self._write(cls.__qualname__)
        if is_library(cls.__module__):
            self._write(cls.__module__)
            if not issubclass(cls, nn.Module):
                return
        if cls in self._owners:
            return
        self._owners.append(cls)
        for base in cls.__mro__:
            if base in _WITHOUT_CODE:
                continue
            self._write(base.__qualname__)
            for name, value in () if is_library(base.__module__) else tuple(vars(base).items()):
                dunder = name.startswith("__") and name.endswith("__")
                if isinstance(value, (FunctionType, property)) and dunder and name not in _IDLE:
                    self._names.setdefault(name)
                elif type(value) in _PLAIN and not dunder:
                    self._entry(vars(base), name)
        self._methods(cls, self._names)

    def _methods(self, cls: type, names: Iterable[str]) -> None:
        for name in tuple(names):
            self._find(cls, name)

    def _find(self, owner: type | ModuleType, name: str) -> None:
        """What a class or a file of the user's has under a name that reached code mentions."""
        if isinstance(owner, ModuleType):
            if name in vars(owner):
                self._entry(vars(owner), name)
            return
        bases = [base for base in owner.__mro__ if base not in _WITHOUT_CODE]
        if any(name in vars(base) for base in bases):
            for base in bases:
                if name in vars(base) or not is_library(base.__module__):
                    self._entry(vars(base), name, known=is_library(base.__module__))

    def _entry(self, table: Mapping[str, Any], name: str, *, known: bool = False) -> None:
        """What stands under a name; a class of a library has it by its version, if unchanged."""
        self._write(name)
        value = self._watch.entry(table, name)
        if not known or type(value) in _CHANGEABLE:
            self._value(value)

    def _file(self, module: ModuleType) -> None:
        self._write(module.__name__)
        if not is_library(module.__name__):
            self._owners.append(module)
            for name in tuple(self._names):
                self._find(module, name)

    def _function(self, function: FunctionType) -> None:
        self._write(function.__qualname__)
        table = function.__globals__
        if is_library(table.get("__name__")):
            self._write(table["__name__"])
            inner = getattr(function, "__wrapped__", None)
            if inner is not None:
                self._series([inner, *map(contents, function.__closure__ or ())])
            return
        code = self._watch.attribute(function, "__code__")
        names = {name: None for part in codes(code) for name in _mentioned(part)}
        refuse(function, names)
        self._code(code)
        self._value(self._watch.attribute(function, "__defaults__"))
        self._value(self._watch.attribute(function, "__kwdefaults__"))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            value = self._watch.reading(partial(contents, cell))
            # The cell of super().
            if name == "__class__" and isinstance(value, type):
                self._class(value)
            else:
                self._value(value)
        for name in names:
            if name in table:
                self._entry(table, name)
        new = [name for name in names if name not in self._names]
        self._names.update(dict.fromkeys(new))
        for owner in tuple(self._owners):
            for name in new:
                self._find(owner, name)

    def _code(self, code: CodeType) -> None:
        self.codes.add(code)
        self._write(
            *(code.co_code, code.co_exceptiontable, code.co_flags, code.co_names),
            *(code.co_varnames, code.co_freevars, code.co_cellvars),
            *(code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount),
        )
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                self._code(constant)
            else:
                self._value(constant)


def _mentioned(code: CodeType) -> Iterable[str]:
    yield from code.co_names
    # getattr(self, "name")
    yield from (text for text in code.co_consts if isinstance(text, str) and text.isidentifier())


def _public(table: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple([part for item in table.items() if item[0] not in _OWN for part in item])


def _pairs(table: Mapping[Any, Any]) -> tuple[Any, ...]:
    return (*table, *table.values())


def _facts(table: Mapping[str, Tensor | None]) -> tuple[Any, ...]:
    return tuple([tensor if tensor is None else _fact(tensor) for tensor in table.values()])


def _fact(tensor: Tensor) -> tuple[Any, ...]:
    strides = tensor.stride() if tensor.layout is torch.strided else ()
    return tensor.shape, strides, tensor.dtype, tensor.device, tensor.requires_grad


def _version(tensor: Tensor) -> tuple[Any, ...]:
    return _fact(tensor), 0 if tensor.is_inference() else tensor._version


def _slots(cls: type) -> tuple[str, ...]:
    named: Any = vars(cls).get("__slots__", ())
    return (named,) if isinstance(named, str) else tuple(named)
