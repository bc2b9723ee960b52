"""What the code of a step may not read, because a kernel would keep the value of one moment."""

from __future__ import annotations

import builtins
import dis
import sys
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from snncore.errors import NotSupported

# Nothing of these modules is the same at every run.
_WHOLE = (
    "datetime",
    "glob",
    "io",
    "_io",
    "numpy.random",
    "pathlib",
    "random",
    "secrets",
    "shutil",
    "socket",
    "subprocess",
    "tempfile",
    "time",
    "urllib",
    "uuid",
)
_PARTS = {
    "builtins": ("open", "input"),
    "numpy": ("fromfile", "genfromtxt", "load", "loadtxt", "memmap", "random"),
    "os": (
        *("cpu_count", "environ", "environb", "getcwd", "getenv", "getenvb", "getpid", "listdir"),
        *("open", "popen", "read", "scandir", "stat", "system", "times", "urandom", "walk"),
    ),
    "posixpath": ("exists", "getmtime", "getsize", "isdir", "isfile"),
    "torch": ("from_file", "load"),
}
# Only files have these, whatever holds them.
_METHODS = frozenset({"read_bytes", "read_text"})

_SUSPECTS = frozenset(_METHODS.union(*_PARTS.values()))
_IMPORT = dis.opmap["IMPORT_NAME"]
_GLOBALS = ("LOAD_GLOBAL", "LOAD_NAME")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM")


class Unsupported(NotSupported):
    """A step that cannot become a kernel; the text names the operation and the source line."""


def refuse(function: FunctionType, names: Mapping[str, None]) -> None:
    """Refuses a function that reads the environment, files, the time or random numbers.

    Args:
        names: that its code mentions.
    Raises: Unsupported naming what it reads, and where.
    """
    table = function.__globals__
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        what = described(contents(cell))
        if what is not None:
            _raise(function, f"{what} as {name}", function.__code__, None)
    suspect = any(
        name in _SUSPECTS or (name in table and described(table[name]) is not None)
        for name in names
    )
    for code in codes(function.__code__):
        if suspect or _IMPORT in code.co_code[::2]:
            for what, line in _reads(code, table):
                _raise(function, what, code, line)


def _raise(function: FunctionType, what: str, code: CodeType, line: int | None) -> None:
    raise Unsupported(
        f"{function.__qualname__} reads {what} at {code.co_filename}, line "
        f"{line or code.co_firstlineno}; a kernel would keep what it read when it was made, so "
        "read it outside the step and hand it in as an attribute, a buffer or an input"
    )


def codes(code: CodeType) -> Iterator[CodeType]:
    """The code of a function and of the functions written inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def contents(cell: CellType) -> Any:
    """What a variable of an outer function holds; None before it is set."""
    try:
        return cell.cell_contents
    except ValueError:
        return None


def described(value: Any) -> str | None:
    """The name of something that no step may read; None for everything else."""
    if isinstance(value, ModuleType):
        return value.__name__ if _within(value.__name__) else None
    if isinstance(value, PurePath):
        return f"the file {value}"
    if (known := _known().get(id(value))) is not None:
        return known
    if not isinstance(value, type) and not callable(value):
        return None
    home = getattr(value, "__module__", None)
    if not isinstance(home, str):
        home = type(getattr(value, "__self__", None)).__module__
    return f"{home}.{getattr(value, '__qualname__', '')}" if _within(home) else None


def _within(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in _WHOLE)


_names: dict[int, str] = {}
_listed: set[str] = set()


def _known() -> dict[int, str]:
    """Names of the refused parts of modules that are loaded by now, by identity."""
    for module in _PARTS.keys() - _listed:
        loaded = sys.modules.get(module)
        if loaded is not None:
            _listed.add(module)
            shown = "os.path." if module == "posixpath" else f"{module}."
            shown = "" if loaded is builtins else shown
            for name in _PARTS[module]:
                # torch 2.6 lacks none of these; other systems lack some of os.
                if name in vars(loaded):
                    _names[id(vars(loaded)[name])] = shown + name
    return _names


_NOTHING = object()


def _reads(code: CodeType, table: Mapping[str, Any]) -> Iterator[tuple[str, int | None]]:
    """What is refused among the globals, imports and attributes of these that code loads."""
    line: int | None = code.co_firstlineno
    inner: dict[Any, Any] = {}
    now: Any = _NOTHING
    for step in dis.get_instructions(code):
        line = _line(step, line)
        name = step.argval
        if step.opname in _GLOBALS:
            now = table.get(name, vars(builtins).get(name, _NOTHING))
        elif step.opname == "IMPORT_NAME":
            now = sys.modules.get(name, _NOTHING)
            if now is _NOTHING and _within(name):
                yield name, line
        elif step.opname in _ATTRIBUTES:
            if name in _METHODS:
                yield f".{name}()", line
            source, now = now, _NOTHING
            if isinstance(source, ModuleType):
                now = vars(source).get(name, _NOTHING)
            if step.opname == "IMPORT_FROM":
                what = described(now)
                if what is not None:
                    yield what, line
                now = source
                continue
        elif step.opname == "STORE_FAST":
            inner[name], now = now, _NOTHING
            continue
        elif step.opname.startswith("LOAD_FAST"):
            now = inner.get(name, _NOTHING) if isinstance(name, str) else _NOTHING
        elif step.opname not in ("CACHE", "PUSH_NULL", "EXTENDED_ARG"):
            now = _NOTHING
        what = None if now is _NOTHING else described(now)
        if what is not None:
            yield _whole(what, code, step.offset), line


def _whole(what: str, code: CodeType, offset: int) -> str:
    """``time`` as ``time.perf_counter`` where the next thing loaded is an attribute of it."""
    for step in dis.get_instructions(code):
        if step.offset > offset and step.opname not in ("CACHE", "EXTENDED_ARG"):
            named = step.opname in _ATTRIBUTES and what in sys.modules
            return f"{what}.{step.argval}" if named else what
    return what


def _line(step: dis.Instruction, before: int | None) -> int | None:
    place = step.positions
    return before if place is None or place.lineno is None else place.lineno
