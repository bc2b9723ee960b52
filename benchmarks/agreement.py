"""Whether contenders compute the same neuron: their spikes, and gradients where these are alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from peers import Layer
from subjects import CHANNELS, OURS, Subject
from torch import Tensor

SHAPE = (32, 2, CHANNELS, 32)
# Other orders of operations put a potential within rounding of the threshold on its other side,
# rarely; a neuron with other equations differs in every tenth spike.
RARE = 1e-3
TOLERANCE = {"cpp": 2e-6, "eager": 0.0}
OTHERS_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Seen:
    """Spikes of a layer, and gradients of their weighted sum."""

    spikes: Tensor
    gradient: Tensor
    learned: tuple[Tensor, ...]


def seen(layer: Layer, x: Tensor, weight: Tensor) -> Seen:
    leaf = x.clone().requires_grad_()
    spikes = layer.call(leaf)
    gradients = torch.autograd.grad(spikes, (leaf, *layer.learned), weight)
    return Seen(spikes.detach(), gradients[0], gradients[1:])


HEAD = ["contender", "spikes that differ", "largest difference of gradients"]
WORDS = (
    "On the same input, against the eager backend; gradients relative to the largest one. Other "
    "surrogates give other gradients at about the same cost."
)


def agree(subject: Subject, names: Sequence[str]) -> list[list[str]]:
    """One row per contender; ends the process when one computes something else."""
    torch.manual_seed(0)
    x, weight = torch.randn(SHAPE) * 1.5 + 0.5, torch.randn(SHAPE)
    full = seen(subject.ours("eager"), x, weight)
    references = {"full": full, "detached": seen(subject.ours("eager", detach=True), x, weight)}
    rows = []
    for name in names:
        contender = subject.contender(name)
        found = seen(contender.make(), x, weight)
        differ = found.spikes != full.spikes
        wrong = int(differ.sum())
        if wrong > (0 if name in OURS else RARE * x.numel()):
            sys.exit(f"{name} computes something else: {wrong} of {x.numel()} spikes differ")
        row = [name, f"{wrong} of {x.numel()}"]
        if contender.gradient == "other":
            rows.append([*row, "another surrogate"])
            continue
        reference = references[contender.gradient]
        # A neuron whose spikes differ once has another gradient from there on.
        same = ~differ.any(0)
        off = [apart(found.gradient[:, same], reference.gradient[:, same])]
        if contender.same_parameters and not wrong:
            off += map(apart, found.learned, reference.learned)
        limit = TOLERANCE.get(name, OTHERS_TOLERANCE)
        if max(off) > limit:
            sys.exit(f"{name} has another gradient: it is {max(off):.1e} off, at most {limit:.0e}")
        kind = "" if contender.gradient == "full" else ", with the reset detached as it always does"
        rows.append([*row, f"{max(off):.0e}{kind}"])
    return rows


def apart(found: Tensor, expected: Tensor) -> float:
    """Largest difference, relative to the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())
