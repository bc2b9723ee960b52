from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import torch
from annotated_types import Ge

from snncore import registry
from snncore.hookspecs import hookimpl

_COUNTS = {"train": 50, "test": 24}


class Toy:
    """Images of three classes, each with its own bright row, and noise."""

    temporal = False
    classes = ("a", "b", "c")
    sample_shape = (1, 4, 4)

    def __init__(
        self,
        *,
        split: Literal["train", "test"] = "train",
        seed: Annotated[int, Ge(0)] = 0,
        noise: float = 0.3,
    ) -> None:
        count = _COUNTS[split]
        generator = np.random.default_rng([len(split), count])
        self.targets = generator.integers(0, 3, count)
        images = generator.uniform(0, noise, (count, 1, 4, 4))
        images[np.arange(count), 0, self.targets] += 0.7
        self.images = torch.from_numpy(images.astype(np.float32))
        self.seed = seed
        self.reads = 0
        # Called with the number of items read so far: lets a test act in the middle of an epoch.
        self.on_read: Callable[[int], None] | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.reads += 1
        if self.on_read is not None:
            self.on_read(self.reads)
        return self.images[index], int(self.targets[index])


class ToySequence(Toy):
    """The same as sequences, with noise drawn by (seed, epoch, index)."""

    temporal = True
    sample_shape = (3, 1, 4, 4)

    def __init__(
        self,
        *,
        split: Literal["train", "test"] = "train",
        seed: Annotated[int, Ge(0)] = 0,
        noise: float = 0.3,
    ) -> None:
        super().__init__(split=split, seed=seed, noise=noise)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        x, y = super().__getitem__(index)
        generator = np.random.default_rng([self.seed, self.epoch, index])
        noise = torch.from_numpy(generator.uniform(0, 0.1, (3, 1, 4, 4)).astype(np.float32))
        return x + noise, y


class Noise(torch.nn.Module):
    """An encoder that adds noise from a generator of its own, whose state it saves."""

    def __init__(self, T: int) -> None:
        super().__init__()
        self.T = T
        self.generator = torch.Generator().manual_seed(5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.rand(self.T, *x.shape, generator=self.generator)

    def get_extra_state(self) -> torch.Tensor:
        return self.generator.get_state()

    def set_extra_state(self, state: torch.Tensor) -> None:
        self.generator.set_state(state)


class Diverging(torch.nn.Module):
    """A loss that is not a number."""

    def forward(self, y: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return y.sum() * float("nan")


def _plugin() -> ModuleType:
    plugin = ModuleType("snn_train_toys")
    for cls in (Toy, ToySequence, Noise, Diverging):
        cls.__module__ = plugin.__name__
        setattr(plugin, cls.__name__, cls)
    vars(plugin)["API"] = 1

    @hookimpl
    def snn_components(register: Any) -> None:
        register("dataset", "toy", "snn_train_toys:Toy", summary="images")
        register("dataset", "toy_sequence", "snn_train_toys:ToySequence", summary="sequences")
        register("encoder", "noise", "snn_train_toys:Noise", summary="noise")
        register("loss", "diverging", "snn_train_toys:Diverging", summary="nan")

    vars(plugin)["snn_components"] = snn_components
    return plugin


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything that is installed, and the toys."""
    plugin = _plugin()
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
    source = registry.Source("toys", "0", lambda: plugin)
    with registry.using(registry.Registry([*registry.installed(), source])):
        yield


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these runs; one test looks at the picture."""
    monkeypatch.setattr("snn_train.training.write_report", lambda *args: None)


@pytest.fixture
def tables(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Tables of a small recipe; keyword arguments are laid over them, table by table."""

    def make(**over: Any) -> dict[str, Any]:
        made: dict[str, Any] = {
            "data": {"name": "toy"},
            "encoder": {"name": "constant_current", "T": 3},
            "model": {"name": "mlp", "hidden": [8]},
            "optimizer": {"name": "adam", "lr": 0.02, "schedule": "cosine"},
            "train": {"epochs": 3, "batch_size": 16},
            "run": {"root": str(tmp_path / "runs"), "name": "toy", "threads": 1},
        }
        for table, values in over.items():
            if values is None:
                made.pop(table)
            elif "name" in values and table != "run":
                made[table] = values
            else:
                made[table] = {**made.get(table, {}), **values}
        return made

    return make
