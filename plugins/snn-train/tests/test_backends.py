"""A shipped recipe learns the same on the fused kernels as on the eager reference."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import snncore
from snn_train import train
from snncore import registry
from snncore.hookspecs import hookimpl

pytestmark = pytest.mark.slow

STEPS = 20


@dataclass
class Record:
    """What the loss of a run was called with and gave."""

    first: torch.Tensor | None = None
    losses: list[float] = field(default_factory=list)


RECORDS: list[Record] = []


class Recording(torch.nn.Module):
    """The recipe's own loss, written down."""

    def __init__(self, *, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.inner = snncore.build("loss", "rate_cross_entropy", label_smoothing=label_smoothing)
        self.record = Record()
        RECORDS.append(self.record)

    def forward(self, y: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        loss = self.inner(y, labels)
        if self.record.first is None:
            self.record.first = y.detach().clone()
        self.record.losses.append(loss.item())
        return loss


@pytest.fixture(autouse=True)
def recorder(toys: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Registers the loss that writes itself down."""
    module = ModuleType("snn_train_recorder")
    vars(module).update(API=1, Recording=Recording)

    @hookimpl
    def snn_components(register: Any) -> None:
        register("loss", "recording", f"{module.__name__}:Recording", summary="written down")

    vars(module)["snn_components"] = snn_components
    monkeypatch.setitem(sys.modules, module.__name__, module)
    source = registry.Source("recorder", "0", lambda: module)
    with registry.using(registry.Registry([*registry.installed(), source])):
        yield
    RECORDS.clear()


def n_mnist() -> Path:
    root = os.environ.get("SNN_TEST_DATA")
    if not root:
        pytest.skip("SNN_TEST_DATA names no folder of recordings")
    if not (Path(root) / "nmnist").is_dir():
        pytest.skip("SNN_TEST_DATA holds no nmnist")
    return Path(root) / "nmnist"


@pytest.mark.filterwarnings("ignore:.*holds .* recordings")
def test_n_mnist_on_the_default_backend_learns_as_on_eager(tmp_path: Path) -> None:
    words = [f"data.root={n_mnist()}", f"run.root={tmp_path}", "run.seed=0", "run.threads=1"]
    words += ["loss.name=recording"]
    default = train("n_mnist", [*words, "run.name=default"])
    eager = train("n_mnist", [*words, "run.name=eager", "model.neuron.backend=eager"])
    assert "backend" not in default["config"]["model"]["neuron"]
    assert eager["config"]["model"]["neuron"]["backend"] == "eager"

    got, expected = RECORDS
    assert got.first is not None
    assert torch.equal(got.first, expected.first)
    for step, (a, b) in enumerate(zip(got.losses[:STEPS], expected.losses[:STEPS], strict=True)):
        assert abs(a - b) <= 1e-4, f"step {step}: loss {a} on the default backend, {b} on eager"
    assert abs(default["test_accuracy"] - eager["test_accuracy"]) <= 0.03
    for name, run in (("default", default), ("eager", eager)):
        print(f"{name}: {run['seconds']:.1f} s, accuracy {run['test_accuracy']:.3f}")
