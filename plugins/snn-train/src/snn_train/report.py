"""``report.png``: the course of a run, its spikes and its firing rates in one picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

import snncore
from snn_train.data import Items
from snn_train.firing import neurons
from snn_train.folder import REPORT, write
from snn_train.parts import encoder_of
from snn_train.progress import Row
from snn_train.recipe import Recipe
from snncore.monitor import Output, raster


def spikes_of_first(
    net: nn.Module, items: Items, recipe: Recipe, fabric: Fabric
) -> tuple[dict[str, Tensor], int]:
    """The spikes ``[T, 1, *]`` of each layer for the first item, and that item's label."""
    items.set_epoch(0)
    x, y, _ = items[int(items.indices[0])]
    encoder = encoder_of(recipe, items.source)
    net.eval()
    if not any(True for _ in neurons(net)):
        return {}, int(y[0])
    with torch.no_grad(), fabric.autocast(), Output().watch(net) as trains:
        snncore.reset(net)
        net(encoder(x.to(fabric.device)))
        snncore.reset(net)
    return {layer: train[:, :1].cpu() for layer, train in trains.items()}, int(y[0])


def write_report(
    folder: Path,
    history: list[Row],
    result: Mapping[str, Any],
    trains: Mapping[str, Tensor],
    label: int,
) -> None:
    """Draws the picture."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy, raster, rates = figure.subplots(2, 2).flat
    _curves(loss, history, "loss")
    _curves(accuracy, history, "accuracy")
    _raster(raster, trains, label)
    _rates(rates, result["firing_rates"])
    figure.suptitle(
        f"{result['recipe']}, seed {result['seed']}: "
        f"test accuracy {result['test_accuracy']:.2%} after {result['epochs']} epochs"
    )
    write(folder / REPORT, lambda aside: figure.savefig(aside, dpi=110))


def _curves(axes: Axes, history: list[Row], metric: str) -> None:
    epochs = [row["epoch"] for row in history]
    for part in ("train", "validation", "test"):
        if f"{part}_{metric}" in history[0]:
            axes.plot(epochs, [row[f"{part}_{metric}"] for row in history], ".-", label=part)
    axes.set(xlabel="epoch", ylabel=metric, title=metric.capitalize())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    axes.legend()


def _raster(axes: Axes, trains: Mapping[str, Tensor], label: int) -> None:
    axes.set(title=f"Spikes for a test item of class {label}")
    if not trains:
        axes.text(0.5, 0.5, "the network has no neuron layer", ha="center")
        return
    raster(trains, axes=axes)


def _rates(axes: Axes, rates: Mapping[str, float]) -> None:
    axes.barh(list(rates), list(rates.values()))
    axes.set(xlabel="share of neurons that fire in a time step", title="Firing rates (test)")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
