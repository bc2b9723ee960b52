"""A linear map of every token, normalised, with spikes of its own: what attention layers repeat."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeAlias

from torch import nn

import snncore
from snncore.errors import ConfigError
from snncore.layers import BatchNorm1d, Conv1d

Spec: TypeAlias = str | dict[str, Any]
"""A component's name, or a table of ``name`` and parameters."""


class Projection(nn.Sequential):
    """S(BN(W x)) at every token; BN(W x) without a neuron.

    Args:
        in_channels, out_channels: rows of a token before and after.
        neuron: S; None for none.
    Shape: ``[N, in_channels, L] -> [N, out_channels, L]``, with T in front in mode "m".
    """

    def __init__(self, in_channels: int, out_channels: int, neuron: nn.Module | None) -> None:
        super().__init__()
        # The bias would be subtracted again by the norm.
        self.add_module("conv", Conv1d(in_channels, out_channels, 1, bias=False))
        self.add_module("norm", BatchNorm1d(out_channels))
        if neuron is not None:
            self.add_module("neuron", neuron)


def make_neuron(spec: Spec, *, v_threshold: float | None = None) -> nn.Module:
    """A fresh neuron layer of an attention, with ``detach_reset`` unless its table says otherwise.

    Args:
        spec: name or table.
        v_threshold: replaces that of the table; None keeps it. A neuron without threshold has none.
    Raises:
        ConfigError: a finished module was given, which several layers would share; else as
            :func:`snncore.build`.
    """
    if not isinstance(spec, (str, Mapping)):
        raise ConfigError(
            f"neuron must be a name or a table with a name, so that each layer gets its own; got "
            f"a {type(spec).__name__}"
        )
    table: dict[str, Any] = {"name": spec} if isinstance(spec, str) else dict(spec)
    if "name" not in table:
        raise ConfigError(f'neuron: the table {table!r} names no neuron; add name = "..."')
    known = inspect.signature(snncore.get("neuron", table["name"])).parameters
    if "detach_reset" in known:
        table.setdefault("detach_reset", True)
    if v_threshold is not None and "v_threshold" in known:
        table["v_threshold"] = v_threshold
    return snncore.from_spec("neuron", table)
