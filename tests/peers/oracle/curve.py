"""A surrogate of two libraries: values, derivatives and primitives over a grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import snncore as snn
from oracle.comparison import distance

# Where masks of the settings that pairs use have their edges, and 0 of both signs.
EDGES = (0.0, 0.25, 0.5, 1.0, 2.0, 3.0)


@dataclass(frozen=True)
class Curve:
    """A surrogate of ours beside one of another library.

    Args:
        name: of ours.
        library, theirs: the other one.
        peer: the other function, from our settings and whether it spikes.
        variants: settings in which both are taken.
        scale: what ours is multiplied by to be theirs, from the settings.
        above: whether theirs spikes strictly above the threshold only; a difference says so.
        primitive: whether theirs has one that is the same.
        mapping: in words, what turns our settings into theirs.
    """

    name: str
    library: str
    theirs: str
    peer: Callable[[Mapping[str, Any], bool], Callable[[Tensor], Tensor]]
    variants: tuple[Mapping[str, Any], ...] = ({},)
    scale: Callable[[Mapping[str, Any]], float] = lambda settings: 1.0
    above: bool = False
    primitive: bool = False
    mapping: str = ""
    kind: str = "surrogate"

    @property
    def label(self) -> str:
        """What names it in a test and on the page."""
        return f"surrogate {self.name} = {self.library} {self.theirs}"


def grid() -> Tensor:
    """[-3, 3], with the edges of masks, without -0.0."""
    edges = torch.tensor(EDGES, dtype=torch.float64)
    spread = torch.linspace(-3.0, 3.0, 601, dtype=torch.float64)
    # 0.0 once, as a sum that cannot be -0.0.
    return torch.cat((spread, edges, -edges[1:])) + 0.0


def compare_curve(curve: Curve, settings: Mapping[str, Any]) -> dict[str, float]:
    """By quantity the largest difference, relative to the largest value of the other side."""
    x = grid()
    if curve.above:
        x = x[x != 0.0]
    ours = snn.build("surrogate", curve.name, **settings).double()
    theirs = curve.peer(settings, True)
    found = {
        "output": distance(ours(x), theirs(x)),
        "derivative": distance(curve.scale(settings) * slope(ours, x), slope(theirs, x)),
    }
    if curve.primitive:
        smooth = snn.build("surrogate", curve.name, **settings, spiking=False).double()
        other = curve.peer(settings, False)
        found["primitive"] = distance(smooth(x), other(x))
    return found


def slope(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What the backward of a function multiplies with, at each x."""
    x = x.clone().requires_grad_(True)
    (found,) = torch.autograd.grad(function(x).sum(), x)
    return found
