"""``snn train`` and ``snn eval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from snncore.errors import ConfigError

_DEFAULT = "digits"

Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Override a value of the recipe."),
]


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="Name of a recipe ('snn list recipe') or a .toml file; 'digits' if not given."
        ),
    ] = None,
    set_: Sets = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with the run in this folder.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="Processes that share every batch.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of the run.")] = None,
) -> None:
    """Train a network from a recipe, or go on with an interrupted run.

    Writes config.toml, checkpoint.pt, best.pt, metrics.csv, result.json and report.png into
    runs/<recipe>-seed<seed>.
    """
    from snn_train import training
    from snn_train.recipe import load_recipe

    overrides = list(set_ or ())
    if resume is not None:
        if recipe is not None or devices is not None or seed is not None:
            raise ConfigError(
                "--resume takes recipe, devices and seed from the run; leave them out"
            )
        result, folder = training.resume(resume, overrides), Path(resume)
    else:
        if devices is not None:
            overrides.append(f"run.devices={devices}")
        if seed is not None:
            overrides.append(f"run.seed={seed}")
        loaded = load_recipe(recipe or _DEFAULT, overrides)
        result, folder = training.train(loaded), loaded.folder
    typer.echo(
        f"test accuracy {result['test_accuracy']:.2%} on {result['test_items']:,} items, "
        f"{result['seconds']:.1f} s; see {folder}/result.json and report.png"
    )


def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Folder of the run.")],
    set_: Sets = None,
) -> None:
    """Test the network of a run, on the data that it was trained for or as --set data.* says."""
    from snn_train import training

    score = training.evaluate(run, list(set_ or ()))
    typer.echo(
        f"test accuracy {score.accuracy:.2%} on {score.items:,} items, loss {score.loss:.4f}, "
        f"firing rate {score.rate:.2%}"
    )
