"""Numeric parameters of modules: a float, a buffer or an ``nn.Parameter`` under one name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from snncore.config import check_numeric


class NumericModule(nn.Module):
    """A module whose numeric parameters may each be a float, a buffer or an ``nn.Parameter``."""

    _numeric: tuple[str, ...] = ()

    def set_numeric(self, name: str, value: Any) -> None:
        """Stores a constructor parameter annotated as :data:`snncore.config.Numeric`.

        Args:
            name: attribute name, which is the constructor's parameter name.
            value: a number (kept as a float), a nested list or tensor (a buffer), an
                ``nn.Parameter``, or ``None``. Shapes broadcast against ``[N, *]``.

        Raises: ValueError outside the range that the constructor annotates.
        """
        check_numeric(type(self), name, value)
        if isinstance(value, (list, tuple)):
            value = torch.tensor(value, dtype=torch.get_default_dtype())
        if isinstance(value, nn.Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Tensor):
            self.register_buffer(name, value)
        else:
            setattr(self, name, value if value is None else float(value))
        self._numeric = (*self._numeric, name)

    def make_learnable(self, names: Sequence[str]) -> None:
        """Turns numeric parameters into ``nn.Parameter`` of the same value and shape.

        Raises: ValueError for a name that is no numeric parameter, or one that is ``None``.
        """
        for name in names:
            if name not in self._numeric:
                raise ValueError(
                    f"{type(self).__name__} cannot learn {name!r}; "
                    f"its numeric parameters are {', '.join(self._numeric)}"
                )
            value = getattr(self, name)
            if value is None:
                raise ValueError(f"{type(self).__name__} cannot learn {name!r}: it is None")
            if isinstance(value, nn.Parameter):
                continue
            delattr(self, name)
            start = value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value)
            self.register_parameter(name, nn.Parameter(start))

    def extra_repr(self) -> str:
        """The numeric parameters: values of floats, shapes of tensors."""
        return ", ".join(f"{name}={_show(getattr(self, name))}" for name in self._numeric)


def _show(value: Any) -> str:
    return (
        f"{type(value).__name__}{list(value.shape)}" if isinstance(value, Tensor) else repr(value)
    )
