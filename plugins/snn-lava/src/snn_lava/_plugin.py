"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl

API = 1


@hookimpl
def snn_components(register: Register) -> None:
    register(
        "neuron",
        "loihi_cuba",
        "snn_lava.cuba:LoihiCUBA",
        summary="current-based LIF in Loihi's integer arithmetic",
    )
    register("chip", "loihi1", "snn_lava.chip:Loihi1", summary="Intel's Loihi, through Lava")
    register("chip", "loihi2", "snn_lava.chip:Loihi2", summary="Intel's Loihi 2, through Lava")
