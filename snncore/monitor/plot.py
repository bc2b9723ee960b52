"""Pictures of spikes and potentials. Needs ``snncore[plot]``, which is matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from snncore.errors import NotSupported

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ticker import Locator


def raster(
    spikes: Mapping[str, Tensor] | Tensor,
    *,
    axes: Axes | None = None,
    item: int = 0,
    most: int = 150,
) -> Axes:
    """A mark for every spike of one item: time from left to right, layers from top to bottom.

    Args:
        spikes: ``[T, N, *]`` by layer, as the monitor ``output`` records them, or of one layer.
        axes: where to draw; a new figure by default.
        item: which of the batch.
        most: neurons shown per layer; of a larger one an even choice.
    Raises: NotSupported without matplotlib; ValueError for a sequence without batch.
    """
    axes = axes or _new_axes()
    trains = {"": spikes} if isinstance(spikes, Tensor) else spikes
    bottom, middles, steps = 0, [], 1
    for layer, train in trains.items():
        fired = _of_item(train, item) != 0
        steps = len(fired)
        # Evenly spread over the layer: its first neurons may all lie on the image's border.
        count = fired.shape[1]
        chosen = np.linspace(0, count - 1, min(most, count)).astype(int)
        times, units = np.nonzero(fired[:, chosen])
        axes.scatter(times, units + bottom, s=14, marker="|", linewidths=1.5)
        middles.append((bottom + len(chosen) / 2, f"{layer}\n{len(chosen)}/{count}".strip()))
        bottom += len(chosen) + max(most // 10, 1)
    axes.set_yticks([middle for middle, _ in middles], [text for _, text in middles])
    axes.set(xlabel="time step", xlim=(-0.5, steps - 0.5))
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.invert_yaxis()
    return axes


def membrane(
    potential: Tensor,
    spikes: Tensor | None = None,
    *,
    threshold: float | None = None,
    axes: Axes | None = None,
    item: int = 0,
    most: int = 5,
) -> Axes:
    """Potentials of a few neurons of one layer over time.

    Args:
        potential: ``[T, N, *]``, as the monitor ``attribute`` records ``v_seq``.
        spikes: ``[T, N, *]`` of the same neurons; their steps are marked above the curves.
        threshold: drawn as a line where given.
        axes: where to draw; a new figure by default.
        item: which of the batch.
        most: neurons shown; of a larger layer an even choice.
    Raises: NotSupported without matplotlib; ValueError for a sequence without batch, or spikes of
        another shape.
    """
    axes = axes or _new_axes()
    if spikes is not None and spikes.shape != potential.shape:
        raise ValueError(
            f"spikes are {list(spikes.shape)}, potentials {list(potential.shape)}; both must be "
            "of the same neurons and time steps"
        )
    curves = _of_item(potential, item)
    chosen = np.linspace(0, curves.shape[1] - 1, min(most, curves.shape[1])).astype(int)
    top = float(curves[:, chosen].max(initial=threshold or 0.0))
    for place, unit in enumerate(chosen):
        (line,) = axes.plot(curves[:, unit], label=f"neuron {unit}")
        if spikes is not None:
            (times,) = np.nonzero(_of_item(spikes, item)[:, unit])
            height = np.full(len(times), top * (1.05 + 0.05 * place))
            axes.scatter(times, height, marker="|", color=line.get_color())
    if threshold is not None:
        axes.axhline(threshold, linestyle="--", linewidth=0.8, color="gray", label="threshold")
    axes.set(xlabel="time step", ylabel="potential")
    axes.xaxis.set_major_locator(_whole_numbers())
    axes.legend()
    return axes


def _of_item(sequence: Tensor, item: int) -> np.ndarray:
    """``[T, neurons]`` of one item."""
    if sequence.dim() < 2:
        raise ValueError(f"a record has shape [T, N, *], got {list(sequence.shape)}")
    one = sequence.detach().cpu()[:, item]
    return one.float().reshape(len(one), -1).numpy()


def _whole_numbers() -> Locator:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


def _new_axes() -> Axes:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise NotSupported(
            'pictures need matplotlib, which is not installed: pip install "snncore[plot]"'
        ) from error
    # No pyplot: it opens windows and keeps every figure alive.
    figure = Figure(figsize=(8, 4), layout="constrained")
    FigureCanvasAgg(figure)
    return figure.subplots()
