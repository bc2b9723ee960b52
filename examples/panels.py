"""What the examples share: their command line, and a picture of curves over time above spikes."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Inches and points per inch: pictures of 800 by 600 points.
SIZE, DPI = (8, 6), 100


def draw(title: str, panels: Mapping[str, Mapping[str, np.ndarray]], spikes: np.ndarray) -> Figure:
    """One panel of curves below another, and the spikes at the bottom.

    Args:
        title: above all.
        panels: by the label of the vertical axis, curves [T] by their name.
        spikes: [T] of zeros and ones.
    """
    # No pyplot: it opens windows.
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    heights = [*(2 if len(curves) > 1 else 1 for curves in panels.values()), 1]
    *above, last = figure.subplots(len(heights), sharex=True, height_ratios=heights)
    for axes, (label, curves) in zip(above, panels.items(), strict=True):
        for name, curve in curves.items():
            axes.plot(curve, label=name, linewidth=1.2)
        axes.set_ylabel(label)
        if len(curves) > 1:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(curves), frameon=False)
    last.vlines(np.flatnonzero(spikes), 0, 1, linewidth=1.0)
    last.set(xlabel="time step", ylabel="spikes", yticks=[], xlim=(0, len(spikes)))
    return figure


def save(figure: Figure, words: Sequence[str] | None, about: str, default: str) -> None:
    """Writes the picture where the command line says.

    Args:
        words: of the command line; None for those of this process.
        about: shown by ``--help``.
        default: name of the file without ``--out``.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=Path(default), metavar="FILE", help="a .png")
    place: Path = parser.parse_args(words).out
    # Aside, then renamed: an interrupted run leaves no half picture.
    aside = place.with_name(f".{place.name}.part")
    figure.savefig(aside, format="png")
    aside.replace(place)
    print(f"wrote {place}")
