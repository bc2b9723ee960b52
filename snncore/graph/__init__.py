"""The network graph: what converters, chips and interchange formats read.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.graph import ops as ops
    from snncore.graph.network import GraphNetwork as GraphNetwork
    from snncore.graph.network import to_module as to_module
    from snncore.graph.nodes import Graph as Graph
    from snncore.graph.nodes import Node as Node
    from snncore.graph.passes import Note as Note
    from snncore.graph.passes import Pass as Pass
    from snncore.graph.passes import drop_dropout as drop_dropout
    from snncore.graph.passes import drop_identities as drop_identities
    from snncore.graph.passes import fold_batch_norm as fold_batch_norm
    from snncore.graph.passes import rewrite as rewrite
    from snncore.graph.passes import run_passes as run_passes
    from snncore.graph.report import Finding as Finding
    from snncore.graph.report import Report as Report
    from snncore.graph.report import Table as Table
    from snncore.graph.tracing import trace as trace

_HOME = {
    "ops": "ops",
    "GraphNetwork": "network",
    "to_module": "network",
    "Graph": "nodes",
    "Node": "nodes",
    "Note": "passes",
    "Pass": "passes",
    "drop_dropout": "passes",
    "drop_identities": "passes",
    "fold_batch_norm": "passes",
    "rewrite": "passes",
    "run_passes": "passes",
    "Finding": "report",
    "Report": "report",
    "Table": "report",
    "trace": "tracing",
}

__all__ = sorted(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.graph' has no attribute {name!r}")
    module = importlib.import_module(f"snncore.graph.{_HOME[name]}")
    return module if name == "ops" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
