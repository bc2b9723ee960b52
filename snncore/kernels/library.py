"""Which code is known by the version of its package, and those versions."""

from __future__ import annotations

import os
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

_PACKAGES = ("torch", "snncore", "numpy", "builtins")
_STANDARD = os.path.dirname(os.__file__)


@cache
def is_library(module: str | None) -> bool:
    """Whether a module belongs to torch, to numpy, to Python or to the core."""
    root = (module or "").partition(".")[0]
    if root in _PACKAGES:
        return True
    if root not in sys.stdlib_module_names:
        return False
    # A user's own code.py or test.py goes by the name of one of Python's.
    file = getattr(sys.modules.get(root), "__file__", None)
    return file is None or (file.startswith(_STANDARD) and "site-packages" not in file)


@cache
def versions() -> tuple[str, ...]:
    """Versions of Python and torch, and the state of numpy's and the core's own files."""
    # numpy may not be imported yet, and nothing may depend on whether it is.
    numpy = find_spec("numpy")
    found = [] if numpy is None or numpy.origin is None else [os.path.dirname(numpy.origin)]
    return (
        sys.version,
        torch.__version__,
        *(_state(os.path.join(place, "version.py"), place) for place in found),
        *_own_files(),
    )


def _own_files() -> list[str]:
    root = str(Path(__file__).parent.parent)
    return [
        _state(os.path.join(place, name), root)
        for place, _, names in sorted(os.walk(root))
        for name in sorted(names)
        if name.endswith(".py")
    ]


def _state(file: str, root: str) -> str:
    state = os.stat(file)
    return f"{file.removeprefix(root)} {state.st_size} {state.st_mtime_ns}"
