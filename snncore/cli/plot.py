"""``snn plot``."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

import snncore as snn
from snncore import registry
from snncore.cli import settings
from snncore.cli.console import stdout
from snncore.cli.failure import CommandFailed, WrongUsage

app = typer.Typer(no_args_is_help=True, help="Draw a component as a picture.")

_FORMATS = (".png", ".svg", ".pdf")
_POINTS = 1001


@app.callback()
def _plot() -> None:
    """Draw a component as a picture."""


@app.command()
def surrogate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As 'atan' or 'snncore/atan'.")],
    *,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A parameter, as alpha=3."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="A .png, .svg or .pdf; NAME.png by default."),
    ] = None,
    range_: Annotated[
        tuple[float, float],
        typer.Option("--range", metavar="LOW HIGH", help="From where to where."),
    ] = (-2.0, 2.0),
) -> None:
    """Draw a surrogate: its forward, its primitive and its derivative."""
    if find_spec("matplotlib") is None:
        raise CommandFailed('snn plot needs matplotlib: pip install "snncore[plot]"')
    if not range_[0] < range_[1]:
        raise WrongUsage(f"--range expects LOW < HIGH, got {range_[0]:g} and {range_[1]:g}")
    params = settings.parse(set_ or ())
    made = snn.build("surrogate", name, **params)
    component = registry.active().find("surrogate", name)
    place = Path(f"{component.name}.png") if out is None else out
    _check(place)
    shown = ", ".join(f"{key}={value}" for key, value in params.items())
    title = component.qualified + (f" ({shown})" if shown else "")
    _write(_figure(made, title, range_), place)
    stdout().print(f"wrote {place}", markup=False, soft_wrap=True)


def _check(place: Path) -> None:
    if place.suffix.lower() not in _FORMATS:
        raise WrongUsage(f"--out expects a file ending in {', '.join(_FORMATS)}; got {place}")
    if not place.parent.is_dir():
        raise WrongUsage(f"there is no folder {place.parent}; create it, or name another file")


def _figure(made: Any, title: str, ends: tuple[float, float]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    x, curves = _curves(made, ends)
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for label in ("forward", "primitive"):
        if label in curves:
            dashed = "-" if label == "forward" else "--"
            left.plot(x, curves[label], dashed, label=label, gid=label)
    left.legend()
    right.plot(x, curves["derivative"], "C3", label="derivative", gid="derivative")
    right.legend()
    for axes in (left, right):
        axes.set_xlabel("x")
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def _curves(made: Any, ends: tuple[float, float]) -> tuple[Any, dict[str, Any]]:
    """Points, and what is drawn over them; no primitive where the surrogate has none."""
    for key, value in made.tensors().items():
        if value.numel() != 1:
            raise WrongUsage(
                f"{key} has {value.numel()} values; a picture shows one curve, so give one number"
            )
    # By name: the command line itself stays free of torch.
    torch = importlib.import_module("torch")
    x = torch.linspace(*ends, _POINTS, dtype=torch.float64)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        # A random forward gives the same picture again.
        torch.manual_seed(0)
        curves = {"forward": made.spike(x), "derivative": made.derivative(x)}
        if type(made).primitive is not snn.Surrogate.primitive:
            curves["primitive"] = made.primitive(x)
    return x.numpy(), {label: values.numpy() for label, values in curves.items()}


def _write(figure: Any, place: Path) -> None:
    # Aside, then renamed: an interrupted run leaves no half picture.
    aside = place.with_name(f".{place.name}.part")
    try:
        figure.savefig(aside, format=place.suffix[1:].lower(), dpi=150)
        aside.replace(place)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise CommandFailed(f"cannot write {place}: {error.strerror or error}") from error
