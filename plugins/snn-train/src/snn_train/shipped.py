"""The recipes that come with this package: each function returns the path of its TOML file."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent / "recipes"


def digits() -> Path:
    """Small conv net on scikit-learn's digits, stratified split; no download."""
    return _FOLDER / "digits.toml"


def digits_hard() -> Path:
    """The recipe ``digits``, tested on writers that training has not seen."""
    return _FOLDER / "digits_hard.toml"


def mnist() -> Path:
    """Conv net on MNIST; ``data.protocol = "t10k_8k_2k"`` needs the test files alone."""
    return _FOLDER / "mnist.toml"


def n_mnist() -> Path:
    """Conv net on N-MNIST frames, with random shifts."""
    return _FOLDER / "n_mnist.toml"


def shd_like() -> Path:
    """Recurrent net of LIF neurons on spoken digits as spikes; ``data.root`` says where."""
    return _FOLDER / "shd_like.toml"


def shd_like_alif() -> Path:
    """The recipe ``shd_like`` with adaptive thresholds."""
    return _FOLDER / "shd_like_alif.toml"


def shd_like_heterogeneous() -> Path:
    """The recipe ``shd_like`` with a time constant for each neuron, drawn and then learned."""
    return _FOLDER / "shd_like_heterogeneous.toml"


def dvs_gesture() -> Path:
    """Conv net on DVS128 Gesture frames."""
    return _FOLDER / "dvs_gesture.toml"
