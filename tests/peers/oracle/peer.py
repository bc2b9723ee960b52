"""What it takes to hand our parameters and states to a module of another library."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from torch import Tensor, nn

LIBRARIES = {"spikingjelly": "SpikingJelly", "snntorch": "snnTorch", "norse": "Norse"}


def module(path: str) -> Any:
    """A module of another library, imported when a pair is built and not before."""
    # What another library warns of while it is imported is nothing that a pair could change.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(path)


def implant(net: nn.Module, path: str, value: Tensor) -> None:
    """Puts a tensor in a parameter's or buffer's place, so that gradients flow on through it."""
    *owners, name = path.split(".")
    owner = net.get_submodule(".".join(owners))
    owner._parameters.pop(name, None)
    owner._buffers.pop(name, None)
    setattr(owner, name, value)
