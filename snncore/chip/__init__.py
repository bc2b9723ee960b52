"""Exchange with neuromorphic chips: what a chip can do, what it says of a network, what it runs.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.chip.capabilities import Between as Between
    from snncore.chip.capabilities import Capabilities as Capabilities
    from snncore.chip.capabilities import FloatGrid as FloatGrid
    from snncore.chip.capabilities import IntGrid as IntGrid
    from snncore.chip.capabilities import Limit as Limit
    from snncore.chip.capabilities import OneOf as OneOf
    from snncore.chip.capabilities import Rule as Rule
    from snncore.chip.checking import check as check
    from snncore.chip.checking import resources as resources
    from snncore.chip.comparison import Difference as Difference
    from snncore.chip.comparison import ParityReport as ParityReport
    from snncore.chip.comparison import compare as compare
    from snncore.chip.exchange import Artefact as Artefact
    from snncore.chip.exchange import Chip as Chip
    from snncore.chip.exchange import Program as Program
    from snncore.chip.exchange import Toolchain as Toolchain
    from snncore.chip.exchange import examine as examine
    from snncore.chip.exchange import export as export
    from snncore.chip.exchange import parity as parity
    from snncore.chip.exchange import prepare as prepare
    from snncore.chip.exchange import save as save
    from snncore.chip.exchange import validate as validate
    from snncore.chip.files import digest as digest
    from snncore.chip.files import written_aside as written_aside
    from snncore.chip.trace import Trace as Trace
    from snncore.chip.trace import run_source as run_source

_HOME = {
    **dict.fromkeys(
        ("Between", "Capabilities", "FloatGrid", "IntGrid", "Limit", "OneOf", "Rule"),
        "capabilities",
    ),
    **dict.fromkeys(("check", "resources"), "checking"),
    **dict.fromkeys(("Artefact", "Chip", "Program", "Toolchain"), "exchange"),
    **dict.fromkeys(("examine", "export", "parity", "prepare", "save", "validate"), "exchange"),
    **dict.fromkeys(("digest", "written_aside"), "files"),
    **dict.fromkeys(("Difference", "ParityReport", "compare"), "comparison"),
    **dict.fromkeys(("Trace", "run_source"), "trace"),
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.chip' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snncore.chip.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
