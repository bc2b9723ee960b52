"""The core's monitors in the variants that the contract suite does not know of."""

from __future__ import annotations

from snncore.testing.monitor import MonitorConformance

EVERY = ({"over": "time"}, {"over": "all"}, {"of": "v_seq"}, {"of": "grad_output", "paths": "*"})


class TestAttribute(MonitorConformance):
    component = "snncore/attribute"
    variants = ({"name": "v"}, {"name": "v", "before": True})
    modes_agree = False
    reason = "one value per call; both modes call equally often for v_seq alone"


class TestMean(MonitorConformance):
    component = "snncore/mean"
    variants = EVERY


class TestMax(MonitorConformance):
    component = "snncore/max"
    variants = EVERY


class TestCount(MonitorConformance):
    component = "snncore/count"
    variants = EVERY


class TestHistogram(MonitorConformance):
    component = "snncore/histogram"
    variants = ({"of": "v_seq", "low": -1.0, "bins": 7},)


class TestInput(MonitorConformance):
    component = "snncore/input"
    variants = ({"component": "linear"}, {"paths": ["stem.*", "head.1"]}, {"paths": ""})


class TestOutput(MonitorConformance):
    component = "snncore/output"
    variants = ({"component": "snncore/linear"}, {"paths": "body.*"})


class TestOperations(MonitorConformance):
    component = "snncore/operations"
    variants = ({"energy": "int8"},)
    transforms = False
    reason = "counts of operations, not a record of values"
