"""The parts that networks are made of: neurons, norms and pools from their specifications."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from torch import nn

import snncore
from snncore.errors import ConfigError

Spec: TypeAlias = str | dict[str, Any]
"""A component's name, or a table of ``name`` and parameters."""

Readout: TypeAlias = Literal["current", "rate"]

NONE = "none"
"""What a TOML file, which has no null, says for no norm or no pool."""

_WIDTH = ("num_features", "num_channels")


def make_neuron(spec: Spec) -> nn.Module:
    """A fresh neuron layer.

    Raises:
        ConfigError: a finished module was given, which every layer would share; else as
            :func:`snncore.build`.
    """
    if not isinstance(spec, (str, Mapping)):
        raise ConfigError(
            f"neuron must be a name or a table with a name, so that each layer gets its own; got "
            f"a {type(spec).__name__}"
        )
    return snncore.from_spec("neuron", spec)


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


def _table(what: str, spec: Spec) -> dict[str, Any]:
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    if "name" not in table:
        raise ConfigError(f'{what}: the table {table!r} names no layer; add name = "..."')
    return table
