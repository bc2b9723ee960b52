"""What operations cost: models of energy, each with its source and what it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CAVEAT = (
    "An estimate from operation counts and one published price per operation: no control, no "
    "leakage, no on-chip network. Operations alone flatter spiking networks; one published "
    "comparison found them low by a factor of about 700 once all work was counted (spyx PR 76). "
    "Read them beside memory traffic and the quantised network without time."
)


@dataclass(frozen=True)
class EnergyModel:
    """Prices of operations in picojoule.

    E = MAC * mac + AC * ac + updates * mac + bytes * byte

    An update of a neuron (leak, charge, reset) is priced as one multiply-accumulate. Comparisons
    (max pooling, ReLU) are free.

    Args:
        name: as in :data:`MODELS`.
        mac: one multiply-accumulate, pJ.
        ac: one accumulate, pJ.
        byte: one byte moved, pJ; 0 leaves memory out.
        source: where the prices are published.
        caveat: what they do not cover.
    """

    name: str
    mac: float
    ac: float
    byte: float
    source: str
    caveat: str = CAVEAT

    def energy(self, mac: int, ac: int, updates: int = 0, moved: int = 0) -> float:
        """Picojoule of these counts.

        Example:
            >>> MODELS["float32"].energy(mac=2, ac=10)
            18.2
        """
        return (mac + updates) * self.mac + ac * self.ac + moved * self.byte


_HOROWITZ = "Horowitz, Computing's energy problem, ISSCC 2014, Fig. 1.1.9 (45 nm, 0.9 V)"


def _horowitz(name: str, mac: float, ac: float, byte: float = 0.0) -> EnergyModel:
    return EnergyModel(name, mac, ac, byte, _HOROWITZ)


MODELS: Mapping[str, EnergyModel] = MappingProxyType(
    {
        model.name: model
        for model in (
            # Multiplication and addition: 3.7 + 0.9, 1.1 + 0.4, 0.2 + 0.03 pJ.
            _horowitz("float32", 4.6, 0.9),
            _horowitz("float16", 1.5, 0.4),
            _horowitz("int8", 0.23, 0.03),
            # 64 bit from a cache of 8 KB and of 1 MB: 10 and 100 pJ; from DRAM at least 1300 pJ.
            _horowitz("float32_sram_8kb", 4.6, 0.9, 1.25),
            _horowitz("float32_sram_1mb", 4.6, 0.9, 12.5),
            _horowitz("float32_dram", 4.6, 0.9, 162.5),
        )
    }
)
"""Prices by name. ``float32`` is what the literature quotes: 4.6 pJ a MAC, 0.9 pJ an AC."""
