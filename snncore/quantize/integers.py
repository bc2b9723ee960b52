"""Quantised weights as integers, for chips and integer arithmetic."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from snncore.errors import ConfigError
from snncore.quantize.quantizer import Quantizer

_TYPES = (torch.int8, torch.int16, torch.int32, torch.int64)


class Integers(NamedTuple):
    """A quantised tensor: value = (codes - zero_point) scale.

    Args:
        codes: whole numbers, in the narrowest of int8, int16, int32 and int64 that holds them.
        scale, zero_point: floats and int64 that broadcast against codes.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor

    def values(self) -> Tensor:
        """The floats that the codes stand for."""
        dtype = self.scale.dtype
        return (self.codes.to(dtype) - self.zero_point.to(dtype)) * self.scale


@torch.no_grad()
def integers_of(quantizer: Quantizer, x: Tensor) -> Integers:
    """Q(x) as integers.

    Raises: NotSupported when the quantiser's values are not evenly spaced or have no codes.

    Example:
        >>> from snncore.quantize import Uniform
        >>> found = integers_of(Uniform(4, scale=0.5), torch.tensor([0.6, -9.0]))
        >>> found.codes.tolist(), found.scale.item()
        ([1, -8], 0.5)
    """
    scale, zero_point = (torch.as_tensor(part, device=x.device) for part in quantizer.grid(x))
    codes = quantizer.encode(x)
    low, high = quantizer.code_range
    if not (math.isfinite(low) and math.isfinite(high)) and codes.numel():
        low, high = codes.min().item(), codes.max().item()
    fits = (t for t in _TYPES if torch.iinfo(t).min <= low and high <= torch.iinfo(t).max)
    return Integers(codes.to(next(fits, torch.int64)), scale.to(x.dtype), zero_point.long())


def export_integers(net: nn.Module) -> dict[str, Integers]:
    """Every quantised weight of a network as integers, by its path.

    ``Integers.values()`` are the weights that the network computes with, to the last bit where the
    quantiser stores its scale (all but ``k_bit``, whose levels are quotients). The network is not
    changed. Observing quantisers are exported with the scale that they have now; freeze them, or
    call ``net.eval()``, first.

    Raises: ConfigError when no weight is quantised or a quantiser is switched off; NotSupported
        when values are not evenly spaced.
    Example:
        >>> from snncore.quantize import quantize_weights
        >>> net = nn.Sequential(nn.Linear(4, 2))
        >>> _ = quantize_weights(net, {"name": "uniform", "scale": 0.125})
        >>> found = export_integers(net)["0.weight"]
        >>> torch.equal(found.values(), net[0].weight), found.codes.dtype
        (True, torch.int8)
    """
    found: dict[str, Integers] = {}
    for path, module in net.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for name, chain in module.parametrizations.items():  # pyright: ignore
            last = chain[-1]
            if not isinstance(last, Quantizer):
                continue
            where = f"{path}.{name}".lstrip(".")
            if not last.enabled:
                raise ConfigError(
                    f"net.{where}: its quantiser is switched off, so the network computes with "
                    "floats; call snncore.quantize.enable(net) first"
                )
            x = chain.original
            for before in list(chain)[:-1]:
                x = before(x)
            found[where] = integers_of(last, x.detach())
    if not found:
        raise ConfigError(
            f"export_integers found no quantised weight in {type(net).__name__}; call "
            "snncore.quantize.quantize_weights(net) first"
        )
    return found
