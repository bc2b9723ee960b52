"""Loaded by every pytest run of the environment; imports no torch until a fixture is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from torch import Tensor

    from snncore.testing.isolation import Isolation

pytest.register_assert_rewrite("snncore.testing")


@pytest.fixture
def isolated_registry() -> Isolation:
    """``with isolated_registry.plugin(module): ...`` sees the core and that plugin alone."""
    from snncore.testing.isolation import Isolation

    return Isolation()


@pytest.fixture
def nan_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills what torch allocates uninitialised with NaN, so that a read of it shows."""
    import torch

    def poisoned(allocate: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def empty(*args: Any, **kwargs: Any) -> Tensor:
            tensor = allocate(*args, **kwargs)
            if tensor.is_floating_point() and not tensor.is_meta:
                with torch.no_grad():
                    tensor.fill_(float("nan"))
            return tensor

        return empty

    for owner, name in (
        (torch, "empty"),
        (torch, "empty_like"),
        (torch, "empty_strided"),
        (torch.Tensor, "new_empty"),
        (torch.Tensor, "new_empty_strided"),
    ):
        monkeypatch.setattr(owner, name, poisoned(getattr(owner, name)))
