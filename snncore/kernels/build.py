"""Compiles kernel texts into shared libraries, once per text, compiler and processor."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from snncore.errors import BackendError
from snncore.kernels.cache import folder

# -ffast-math would set flush-to-zero for the whole process and break NaN; contraction would make
# a recomputed forward differ; PRE turns selects into branches and scalarises the loop.
FLAGS = (
    "-std=c++17",
    "-O3",
    "-march=native",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    # Integers wrap as torch's do.
    "-fwrapv",
    "-fopenmp",
    "-fPIC",
)
_GCC_FLAGS = ("-fno-tree-pre",)

_locks: dict[str, threading.Lock] = {}
_loaded: dict[str, Callable[..., Any]] = {}


@cache
def compiler() -> str | None:
    """Path of the C++ compiler: ``CXX``, else g++, clang++ or c++; None if there is none."""
    named = shlex.split(os.environ.get("CXX", ""))[:1]
    for name in (*named, "g++", "clang++", "c++"):
        found = shutil.which(name)
        if found:
            return found
    return None


@cache
def _identity() -> str:
    path = compiler() or ""
    version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
    return "\n".join((path, version, platform.machine(), _processor()))


def _processor() -> str:
    # -march=native: a home folder shared by different machines must not share binaries.
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    return next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")


def flags() -> tuple[str, ...]:
    """The flags that the compiler is called with; first those that ``CXX`` brings."""
    brought = tuple(shlex.split(os.environ.get("CXX", ""))[1:])
    return (*brought, *FLAGS) if "clang" in _identity() else (*brought, *FLAGS, *_GCC_FLAGS)


def load(text: str) -> Callable[..., Any]:
    """The function ``snn_kernel`` of a text, compiled at the first request on this machine.

    Raises: BackendError with the compiler's words.
    """
    key = hashlib.sha256("\n".join((text, *flags(), _identity())).encode()).hexdigest()
    with _locks.setdefault(key, threading.Lock()):
        if key not in _loaded:
            _loaded[key] = _open(_library(key, text))
    return _loaded[key]


def _library(key: str, text: str) -> Path:
    place = folder() / f"{key}.so"
    if place.exists():
        return place
    with tempfile.TemporaryDirectory(dir=folder()) as work:
        source, made = Path(work) / "kernel.cpp", Path(work) / "kernel.o"
        source.write_text(text)
        _run([*flags(), "-c", str(source), "-o", str(made)])
        library = Path(work) / "kernel.so"
        # Linked without -fopenmp: the symbols are those of the runtime that torch has loaded, so
        # that there is one pool of threads and not two.
        _run(["-shared", str(made), "-o", str(library)])
        os.replace(library, place)
    return place


def _run(arguments: list[str]) -> None:
    ran = subprocess.run([str(compiler()), *arguments], capture_output=True, text=True)
    if ran.returncode:
        raise BackendError(f"{compiler()} failed on a generated kernel:\n{ran.stderr[:2000]}")


def _open(path: Path) -> Callable[..., Any]:
    function = ctypes.CDLL(str(path)).snn_kernel
    function.argtypes = [ctypes.c_void_p] * 3
    function.restype = None
    return function
