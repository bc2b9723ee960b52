"""Validated construction: the parameters of a component are its constructor's signature.

No list of parameters is written twice. :func:`model_of` derives a pydantic model from the
signature, :func:`build` validates against it, :func:`info` shows it, :func:`config_of` reads it
back from an instance.
"""

from __future__ import annotations

import difflib
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeAlias

from snncore import docstring, kinds, registry
from snncore.errors import ConfigError
from snncore.registry import Component

if TYPE_CHECKING:
    from pydantic import BaseModel


class ArrayLike(Protocol):
    """What a tensor offers to this torch-free module."""

    def min(self) -> Any: ...
    def max(self) -> Any: ...
    def tolist(self) -> Any: ...


class _NumericMark:
    """Marks a parameter that may be a number, a nested list or a tensor."""


Numeric: TypeAlias = Annotated[float | Sequence[Any] | ArrayLike, _NumericMark()]
"""A number, a nested list (kept as a buffer) or a tensor or ``nn.Parameter`` of any shape that
broadcasts against ``[N, *]``. Ranges are said beside it: ``Annotated[Numeric, Gt(1)]``."""

_RANGES: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
}


@dataclass(frozen=True)
class Parameter:
    """One constructor parameter, as ``snn info --params`` shows it."""

    name: str
    type: str
    default: Any
    required: bool
    range: str


@dataclass(frozen=True)
class Info:
    """All that is known of a component."""

    component: Component
    doc: str
    equation: str
    source: str
    parameters: tuple[Parameter, ...]


def build(kind: str, name: str, /, **params: Any) -> Any:
    """Constructs a component by name from plain, validated values.

    A numeric parameter may be a number or a nested list; ``learnable=["tau", ...]`` turns the
    named ones into ``nn.Parameter``. ``initial={"v": 0.5}`` says where states start, by
    ``set_initial``; ``learnable=["initial_v"]`` makes that learn. The text ``none`` stands for
    ``None`` where a parameter may be that: TOML has no null.

    Raises:
        UnknownComponent, AmbiguousComponent, PluginLoadError: as :func:`snncore.get`.
        ConfigError: an unknown or missing parameter, or a value of wrong type or range.

    Example:
        >>> build("surrogate", "atan", alpha=3.0).alpha
        3.0
    """
    cls = registry.get(kind, name)
    label = f"{kind} {registry.active().find(kind, name).qualified}"
    learnable = params.pop("learnable", ()) if "learnable" not in _hints(cls) else ()
    initial: Mapping[str, Any] = {} if "initial" in _hints(cls) else params.pop("initial", {})
    instance = cls(**validate(cls, params, label))
    if initial and not hasattr(instance, "set_initial"):
        raise ConfigError(f"{label}: 'initial' is not supported by {cls.__name__}")
    for state, value in initial.items():
        instance.set_initial(state, value)
    if learnable:
        if not hasattr(instance, "make_learnable"):
            raise ConfigError(f"{label}: 'learnable' is not supported by {cls.__name__}")
        instance.make_learnable(learnable)
    return instance


def from_spec(kind: str, spec: Any) -> Any:
    """A component from a name, a table ``{"name": ..., **params}``, or a finished object.

    Raises: ConfigError for a table without ``name``; else as :func:`build`.

    Example:
        >>> from_spec("surrogate", {"name": "atan", "alpha": 3.0}).alpha
        3.0
    """
    if isinstance(spec, str):
        return build(kind, spec)
    if not isinstance(spec, Mapping):
        return spec
    table = dict(typing.cast("Mapping[str, Any]", spec))
    if "name" not in table:
        raise ConfigError(f'{kind}: the table {table!r} names no component; add name = "..."')
    return build(kind, table.pop("name"), **table)


def info(kind: str, name: str) -> Info:
    """What is known of a component; imports it to read its docstring and parameters.

    Raises: as :func:`snncore.get`.
    """
    target = registry.get(kind, name)
    doc = inspect.getdoc(target) or ""
    said = (docstring.equation(doc) if kinds.KINDS[kind].equations else "", docstring.source(doc))
    parameters = tuple(_parameters(target)) if callable(target) else ()
    return Info(registry.active().find(kind, name), doc, *said, parameters)


def validate(target: Callable[..., Any], params: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Keyword arguments for ``target``, checked and converted.

    Raises: ConfigError naming ``label`` and every fault.
    """
    from pydantic import ValidationError

    try:
        model = model_of(target)(**params)
    except ValidationError as error:
        raise ConfigError(f"{label}: {_faults(error, target)}") from None
    return {name: getattr(model, name) for name in model.model_fields_set}


def _without_null(value: Any) -> Any:
    """TOML has no null: where None is allowed, the text ``none`` says it."""
    return None if isinstance(value, str) and value == "none" else value


def _may_be_none(hint: Any) -> bool:
    if typing.get_origin(hint) is Annotated:
        return _may_be_none(typing.get_args(hint)[0])
    union = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return union and type(None) in typing.get_args(hint)


@cache
def model_of(target: Callable[..., Any]) -> type[BaseModel]:
    """A frozen pydantic model of the parameters of ``target`` (a class or function).

    Raises: ConfigError when an annotation cannot be evaluated or ``**kwargs`` is declared.
    """
    from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model

    fields: dict[str, Any] = {}
    for parameter in _signature(target):
        hint = _hints(target).get(parameter.name, Any)
        spec = _numeric(hint)
        if spec is not None:
            # pydantic cannot compare lists and tensors with bounds; our own check can.
            optional, bounds = spec
            check = _numeric_validator(optional, bounds)
            hint = Annotated[Any, BeforeValidator(check) if optional else AfterValidator(check)]
            if optional:
                hint = Annotated[hint, BeforeValidator(_without_null)]
        elif _may_be_none(hint):
            hint = Annotated[hint, BeforeValidator(_without_null)]
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (hint, Field(default))
    config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, protected_namespaces=()
    )
    return create_model(getattr(target, "__name__", "Config"), __config__=config, **fields)


def check_numeric(owner: type, name: str, value: Any) -> None:
    """Checks ``value`` against the range that the constructor of ``owner`` annotates for ``name``.

    Raises: ValueError naming class, parameter, range and value.
    """
    for cls in owner.__mro__:
        if "__init__" not in vars(cls):
            continue
        spec = _numeric(_hints(cls).get(name))
        if spec is not None:
            try:
                _numeric_validator(*spec)(value)
            except ValueError as error:
                raise ValueError(f"{owner.__name__}: {name} {error}") from None
            return


def numeric_parameters(target: Callable[..., Any]) -> tuple[str, ...]:
    """The constructor parameters of ``target`` that are annotated as :data:`Numeric`."""
    hints = _hints(target)
    return tuple(p.name for p in _signature(target) if _numeric(hints.get(p.name)) is not None)


def config_of(obj: Any) -> dict[str, Any]:
    """Plain parameters from which :func:`build` makes an equal object.

    Every constructor parameter is kept as an attribute of the same name. Tensors become nested
    lists, learnable ones are listed under ``learnable``, components become tables with ``name``.
    Where states were told to start is listed under ``initial``.

    Raises: ConfigError for an attribute that is no plain value.
    """
    own = dict(obj.named_parameters(recurse=False)) if hasattr(obj, "named_parameters") else {}
    result: dict[str, Any] = {}
    cls: Any = obj.__class__
    for parameter in _signature(cls):
        if not hasattr(obj, parameter.name):
            raise ConfigError(
                f"{cls.__name__} keeps no attribute {parameter.name!r}; "
                "store every constructor parameter under its own name"
            )
        result[parameter.name] = _plain(obj, parameter.name)
    names = {state: f"initial_{state}" for state in getattr(obj, "states", ())}
    initial = {state: _plain(obj, name) for state, name in names.items() if hasattr(obj, name)}
    learnable = [name for name in (*result, *names.values()) if name in own]
    if initial:
        result["initial"] = initial
    return {**result, "learnable": learnable} if learnable else result


def _plain(obj: Any, name: str) -> Any:
    value: Any = getattr(obj, name)
    cls: Any = value.__class__
    component = registry.active().of_class(cls)
    if component is not None:
        return {"name": component.qualified, **config_of(value)}
    if hasattr(value, "tolist"):
        return value.tolist()
    if value is None or cls in (bool, int, float, str, list, tuple, dict):
        return value
    raise ConfigError(
        f"{type(obj).__name__}.{name} holds a {cls.__name__}, which is no plain value "
        "and no registered component"
    )


_STARS = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


def _signature(
    target: Callable[..., Any], *, variadic: bool = False
) -> Iterator[inspect.Parameter]:
    # torch's own *args and **kwargs are placeholders: a module without __init__ takes nothing.
    inherited = getattr(getattr(target, "__init__", None), "__module__", "").startswith("torch.")
    for parameter in inspect.signature(target).parameters.values():
        if parameter.kind in _STARS and inherited:
            continue
        # So are torch's parameters with an underscore, for its own use.
        if parameter.name.startswith("_") and inherited:
            continue
        if parameter.kind in _STARS and not variadic:
            raise ConfigError(
                f"{getattr(target, '__name__', target)} declares "
                f"{_STARS[parameter.kind]}{parameter.name}; components "
                "list their parameters one by one"
            )
        yield parameter


@cache
def _hints(target: Any) -> dict[str, Any]:
    function = target.__init__ if isinstance(target, type) else target
    if not inspect.isfunction(function):
        return {}
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigError(
            f"{target.__module__}.{target.__qualname__}: annotation uses {error.name!r}, which is "
            "not imported at run time"
        ) from None


def _numeric(hint: Any) -> tuple[bool, tuple[Any, ...]] | None:
    """(may be None, bounds) of a :data:`Numeric` annotation; None for any other."""
    if typing.get_origin(hint) is Annotated:
        inner, *metadata = typing.get_args(hint)
        bounds = tuple(m for m in metadata if any(hasattr(m, key) for key in _RANGES))
        if any(isinstance(m, _NumericMark) for m in metadata):
            return False, bounds
        found = _numeric(inner)
        return found and (found[0], (*found[1], *bounds))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        found = [spec for arm in typing.get_args(hint) if (spec := _numeric(arm)) is not None]
        return (type(None) in typing.get_args(hint), found[0][1]) if found else None
    return None


def _numeric_validator(optional: bool, bounds: Sequence[Any]) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if value is None and optional:
            return value
        low, high = _extremes(value)
        for bound in bounds:
            for key, (sign, holds) in _RANGES.items():
                limit = getattr(bound, key, None)
                worst = low if key in ("gt", "ge") else high
                if limit is not None and not holds(worst, limit):
                    raise ValueError(f"must be {sign} {limit:g}, got {worst:g}")
        return value

    return check


def _extremes(value: object) -> tuple[float, float]:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value), float(value)
    if isinstance(value, (list, tuple)) and value:
        pairs = [_extremes(item) for item in typing.cast("list[Any]", value)]
        return min(low for low, _ in pairs), max(high for _, high in pairs)
    array = typing.cast("Any", value)
    if hasattr(array, "tolist") and hasattr(array, "min"):
        return float(array.min().item()), float(array.max().item())
    raise ValueError(f"must be a number, a nested list of numbers or a tensor, got {value!r}")


def _faults(error: Any, target: Callable[..., Any]) -> str:
    names = [parameter.name for parameter in _signature(target)]
    lines: list[str] = []
    for fault in error.errors():
        name = ".".join(str(part) for part in fault["loc"]) or "parameters"
        if fault["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, names, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(names)}"
            lines.append(f"unknown parameter {name!r} ({known})")
        elif fault["type"] == "missing":
            lines.append(f"parameter {name!r} is required")
        elif fault["type"] == "value_error":
            lines.append(f"{name} {fault['msg'].removeprefix('Value error, ')}")
        else:
            message = fault["msg"][0].lower() + fault["msg"][1:]
            lines.append(f"{name}: {message}, got {fault['input']!r}")
    return "; ".join(lines)


def _parameters(target: Callable[..., Any]) -> Iterator[Parameter]:
    for parameter in _signature(target, variadic=True):
        hint = _hints(target).get(parameter.name, Any)
        stars = _STARS.get(parameter.kind, "")
        required = not stars and parameter.default is inspect.Parameter.empty
        yield Parameter(
            stars + parameter.name,
            _type_text(hint),
            None if required or stars else parameter.default,
            required,
            _range_text(hint),
        )


def _type_text(hint: Any) -> str:
    spec = _numeric(hint)
    if spec is not None:
        return "number or list" + (" or None" if spec[0] else "")
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return _type_text(args[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_type_text(arm) for arm in args)
    if origin is typing.Literal:
        return " or ".join(repr(value) for value in args)
    if hint is type(None):
        return "None"
    return hint.__name__ if isinstance(hint, type) and not args else inspect.formatannotation(hint)


def _range_text(hint: Any) -> str:
    spec = _numeric(hint)
    bounds: Sequence[Any] = spec[1] if spec else ()
    if spec is None and _may_be_none(hint):
        return ", ".join(filter(None, map(_range_text, typing.get_args(hint))))
    if spec is None and typing.get_origin(hint) is Annotated:
        bounds = [b for m in typing.get_args(hint)[1:] for b in (m, *getattr(m, "metadata", ()))]
    texts = [
        f"{sign} {getattr(bound, key):g}"
        for bound in bounds
        for key, (sign, _) in _RANGES.items()
        if getattr(bound, key, None) is not None
    ]
    return ", ".join(texts)
