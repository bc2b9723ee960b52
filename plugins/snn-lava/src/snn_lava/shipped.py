"""The recipes that come with this package: each function returns the path of its TOML file."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "recipes"


def n_mnist_loihi() -> Path:
    """Conv net for Loihi on N-MNIST, 32 x 32 pixels."""
    return _FOLDER / "n_mnist_loihi.toml"


def loihi_dvs_gesture() -> Path:
    """Conv net for Loihi on DVS128 Gesture, 32 x 32 pixels, {C32k3-C32k2s2}x3-FC11."""
    return _FOLDER / "loihi_dvs_gesture.toml"
