"""What becomes sharp while a network learns."""

from __future__ import annotations

from typing import Any, cast

from torch import nn


def anneal(net: nn.Module, epoch: int, epochs: int) -> None:
    """Calls ``anneal(done)`` of each module that has one, such as those of learnable delays.

    Args:
        net: the network.
        epoch: the one that begins, from 0.
        epochs: how many there are; done is 0 in the first and 1 in the last.

    Example:
        >>> import snncore
        >>> delay = snncore.build("layer", "learnable_delay", channels=2, max_delay=4)
        >>> anneal(nn.Sequential(delay), 0, 5)
        >>> wide = delay.sigma.item()
        >>> anneal(nn.Sequential(delay), 4, 5)
        >>> wide > delay.sigma.item()
        True
    """
    done = epoch / (epochs - 1) if epochs > 1 else 1.0
    for module in net.modules():
        if callable(getattr(module, "anneal", None)):
            cast("Any", module).anneal(done)
