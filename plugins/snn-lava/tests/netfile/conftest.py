"""Files laid out as slayer's ``export_hdf5`` lays them out, made by hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

Laid = Callable[..., Path]


def _single(value: Any) -> np.ndarray:
    return np.array(value, np.float32)


def _layer(kind: str, shape: tuple[int, ...], **datasets: Any) -> dict[str, Any]:
    return {"type": np.array([kind.encode()], "S10"), "shape": np.array(shape), **datasets}


def _neuron() -> dict[str, Any]:
    return {
        "neuron/type": "CUBA",
        "neuron/iDecay": 1024,
        "neuron/vDecay": 123,
        "neuron/vThMant": 80,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }


def _as_slayer() -> dict[str, Any]:
    rng = np.random.default_rng(0)

    def weight(*shape: int) -> np.ndarray:
        return _single(2 * rng.integers(-128, 128, shape))

    conv = {
        "inChannels": 2,
        "outChannels": 4,
        "kernelSize": (3, 2),
        "stride": (1, 1),
        "padding": (0, 0),
        "dilation": (1, 1),
        "groups": 1,
        "weight": weight(4, 2, 3, 2),
        "bias": _single([0, -64, 64, 128]),
    }
    one = {"inFeatures": 32, "outFeatures": 3, "weight": weight(3, 32), "delay": _single([0, 5, 9])}
    two = {"inFeatures": 3, "outFeatures": 2, "weight": weight(2, 3), "weight_rec": weight(2, 2)}
    per_channel = {"neuron/iDecay": np.array([0, 1, 2047, 4096])}
    layers = [
        _layer("input", (2, 4, 5)),
        _layer("conv", (4, 2, 4), **conv, **{**_neuron(), **per_channel}),
        _layer("flatten", (32, 1, 1)),
        _layer("dense", (3,), **one, **_neuron()),
        _layer("dense_rec", (2,), **two, **_neuron()),
    ]
    return {f"{i}/{name}": value for i, layer in enumerate(layers) for name, value in layer.items()}


@pytest.fixture
def slayers() -> dict[str, Any]:
    """The datasets of a file of slayer, below ``layer``."""
    return _as_slayer()


@pytest.fixture
def lay(tmp_path: Path) -> Laid:
    """Makes a file of slayer, with other datasets for some, and without those that are None."""

    def make(changed: Mapping[str, Any] | None = None, name: str = "a.net") -> Path:
        path = tmp_path / name
        with h5py.File(path, "w") as h5:
            for place, value in {**_as_slayer(), **(changed or {})}.items():
                if value is not None:
                    h5[f"layer/{place}"] = value
        return path

    return make
