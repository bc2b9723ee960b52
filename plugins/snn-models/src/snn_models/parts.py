"""The parts that networks are made of: neurons, norms and pools from their specifications."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

import snncore
from snncore.errors import ConfigError

Spec: TypeAlias = str | dict[str, Any]
"""A component's name, or a table of ``name`` and parameters."""

Readout: TypeAlias = Literal["current", "rate"]

NONE = "none"
"""What a TOML file, which has no null, says for no norm or no pool."""

_WIDTH = ("num_features", "num_channels")
_DRAWN = {"gamma", "mean", "low"}


def make_neuron(spec: Spec, shape: Sequence[int]) -> nn.Module:
    """A fresh neuron layer.

    A numeric parameter that is a table ``{gamma = k, mean = m, low = l}`` is drawn anew for each
    neuron: l + (m - l) g with g from a gamma distribution of shape k and mean 1, by torch's
    generator; l is 0 if not given.

    Args:
        spec: name or table of the neuron.
        shape: of what is drawn; broadcasts against ``[N, *]``.

    Raises:
        ConfigError: a finished module was given, which every layer would share, or a draw that
            cannot be; else as :func:`snncore.build`.

    Example:
        >>> neuron = {"name": "lif", "tau": {"gamma": 3.0, "mean": 10.0, "low": 1.0}}
        >>> make_neuron(neuron, [5]).tau.shape
        torch.Size([5])

    Source: Perez-Nieves et al., Neural heterogeneity promotes robust learning, Nature
        Communications 12, 2021.
    """
    if not isinstance(spec, (str, Mapping)):
        raise ConfigError(
            f"neuron must be a name or a table with a name, so that each layer gets its own; got "
            f"a {type(spec).__name__}"
        )
    if isinstance(spec, str):
        return snncore.from_spec("neuron", spec)
    drawn = {
        name: _draw(name, value, shape)
        for name, value in spec.items()
        if isinstance(value, Mapping) and "gamma" in value
    }
    return snncore.from_spec("neuron", {**spec, **drawn})


def make_norm(spec: Spec, width: int) -> nn.Module:
    """A normalisation layer for ``width`` channels or features.

    Raises: ConfigError when the layer takes no number of channels; else as :func:`snncore.build`.
    """
    table = _table("norm", spec)
    names = inspect.signature(snncore.get("layer", table["name"])).parameters
    found = [name for name in _WIDTH if name in names]
    if not found:
        raise ConfigError(
            f"norm {table['name']!r} takes no number of channels ({' or '.join(_WIDTH)}); choose "
            "batch_norm1d, batch_norm2d, instance_norm2d or group_norm"
        )
    return snncore.from_spec("layer", {**table, found[0]: width})


def make_pool(spec: Spec) -> nn.Module:
    """A pooling layer that halves height and width unless its table says otherwise.

    Raises: as :func:`snncore.build`.
    """
    return snncore.from_spec("layer", {"kernel_size": 2, **_table("pool", spec)})


def _draw(name: str, table: Mapping[str, Any], shape: Sequence[int]) -> Tensor:
    unknown = ", ".join(sorted(set(table) - _DRAWN))
    if unknown or "mean" not in table:
        raise ConfigError(
            f"neuron: {name} is drawn by a table {{gamma = 3.0, mean = 10.0, low = 1.0}}, of which "
            f"low may be left out; got {dict(table)}"
        )
    gamma, mean, low = (float(table.get(key, 0.0)) for key in ("gamma", "mean", "low"))
    if not gamma > 0 or not mean > low:
        raise ConfigError(
            f"neuron: {name} is drawn with gamma > 0 and mean > low, got {dict(table)}"
        )
    one = torch.distributions.Gamma(gamma, gamma).sample(torch.Size(shape))
    return low + (mean - low) * one


def _table(what: str, spec: Spec) -> dict[str, Any]:
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    if "name" not in table:
        raise ConfigError(f'{what}: the table {table!r} names no layer; add name = "..."')
    return table
