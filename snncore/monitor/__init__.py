"""Looks into a running network: probes, streaming aggregates, pictures, reports, operation counts.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snncore.monitor.aggregate import Count as Count
    from snncore.monitor.aggregate import Histogram as Histogram
    from snncore.monitor.aggregate import Max as Max
    from snncore.monitor.aggregate import Mean as Mean
    from snncore.monitor.aggregate import Rate as Rate
    from snncore.monitor.counter import OperationCounter as OperationCounter
    from snncore.monitor.energy import MODELS as MODELS
    from snncore.monitor.energy import EnergyModel as EnergyModel
    from snncore.monitor.firing import Firing as Firing
    from snncore.monitor.operations import OperationReport as OperationReport
    from snncore.monitor.operations import Operations as Operations
    from snncore.monitor.plot import membrane as membrane
    from snncore.monitor.plot import raster as raster
    from snncore.monitor.probe import Attribute as Attribute
    from snncore.monitor.probe import GradInput as GradInput
    from snncore.monitor.probe import GradOutput as GradOutput
    from snncore.monitor.probe import Input as Input
    from snncore.monitor.probe import Monitor as Monitor
    from snncore.monitor.probe import Output as Output
    from snncore.monitor.profiling import profile as profile
    from snncore.monitor.profiling import random_input as random_input
    from snncore.monitor.records import Records as Records

_HOME = {
    "Attribute": "probe",
    "Count": "aggregate",
    "EnergyModel": "energy",
    "Firing": "firing",
    "GradInput": "probe",
    "GradOutput": "probe",
    "Histogram": "aggregate",
    "Input": "probe",
    "MODELS": "energy",
    "Max": "aggregate",
    "Mean": "aggregate",
    "Monitor": "probe",
    "OperationCounter": "counter",
    "OperationReport": "operations",
    "Operations": "operations",
    "Output": "probe",
    "Rate": "aggregate",
    "Records": "records",
    "membrane": "plot",
    "profile": "profiling",
    "random_input": "profiling",
    "raster": "plot",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snncore.monitor' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snncore.monitor.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
