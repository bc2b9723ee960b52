"""The whole contract of a chip exchange, from the kit that snncore ships."""

from __future__ import annotations

from snncore.testing.chip import ChipConformance


class TestLoihi1(ChipConformance):
    component = "snn-lava/loihi1"


class TestLoihi2(ChipConformance):
    component = "snn-lava/loihi2"
