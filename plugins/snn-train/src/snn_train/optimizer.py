"""The optimisers that a recipe may name, with the course of their learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from torch import nn

from snn_train.settings import read
from snncore.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """What every optimiser's table holds.

    The learning rate is a function of the position in the run alone, so a resumed run needs no
    scheduler state: ``cosine`` falls to 0 as lr (1 + cos(pi e / E)) / 2, ``step`` multiplies by
    ``gamma`` every ``step_epochs``, and the first ``warmup`` epochs rise linearly.

    Args:
        lr: largest learning rate.
        weight_decay: of all parameters.
        schedule: "none", "cosine" or "step".
        warmup: epochs over which the rate rises; may be a fraction.
        step_epochs: epochs between two steps of the "step" schedule.
        gamma: factor of a step.
    """

    lr: Annotated[float, Gt(0)] = 1e-3
    weight_decay: Annotated[float, Ge(0)] = 0.0
    schedule: Literal["none", "cosine", "step"] = "none"
    warmup: Annotated[float, Ge(0)] = 0.0
    step_epochs: Annotated[int, Gt(0)] = 30
    gamma: Annotated[float, Gt(0)] = 0.1

    def rate(self, epoch: float, epochs: int) -> float:
        """The learning rate at ``epoch`` (0 at the start, fractions inside) of ``epochs``."""
        rate = self.lr
        if self.schedule == "cosine":
            rate *= (1 + math.cos(math.pi * min(epoch / epochs, 1.0))) / 2
        elif self.schedule == "step":
            rate *= self.gamma ** (int(epoch) // self.step_epochs)
        if epoch < self.warmup:
            # Not 0 at the very first step, which would waste it.
            rate *= max(epoch / self.warmup, 1e-2)
        return rate

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of these parameters."""
        raise TypeError(f"{type(self).__name__} must define make(parameters)")


@dataclass(frozen=True, kw_only=True)
class Adam(Optimizer):
    """``torch.optim.Adam``."""

    betas: tuple[Annotated[float, Ge(0), Lt(1)], Annotated[float, Ge(0), Lt(1)]] = (0.9, 0.999)

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of these parameters."""
        return torch.optim.Adam(
            parameters, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay
        )


@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """``torch.optim.AdamW``: weight decay apart from the gradient."""

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of these parameters."""
        return torch.optim.AdamW(
            parameters, lr=self.lr, betas=self.betas, weight_decay=self.weight_decay
        )


@dataclass(frozen=True, kw_only=True)
class SGD(Optimizer):
    """``torch.optim.SGD``."""

    momentum: Annotated[float, Ge(0), Lt(1)] = 0.0

    def make(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser of these parameters."""
        return torch.optim.SGD(
            parameters, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay
        )


OPTIMIZERS: Mapping[str, type[Optimizer]] = MappingProxyType(
    {"adam": Adam, "adamw": AdamW, "sgd": SGD}
)
"""The closed table of optimisers."""


def read_optimizer(table: Mapping[str, Any]) -> Optimizer:
    """The table ``[optimizer]``.

    Raises: ConfigError for an unknown name (near ones are named) or a parameter that its optimiser
        does not have.
    """
    params = dict(table)
    name = params.pop("name", "adam")
    if name not in OPTIMIZERS:
        near = get_close_matches(str(name), OPTIMIZERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(OPTIMIZERS)}"
        raise ConfigError(f"recipe table [optimizer]: unknown optimizer {name!r} ({hint})")
    return read(OPTIMIZERS[name], params, f"recipe table [optimizer] ({name})")
