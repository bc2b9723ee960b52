"""The folder of a run, and writing into it so that nothing is ever half written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from snn_train.errors import RunError
from snn_train.recipe import Recipe
from snn_train.toml import dumps

CONFIG = "config.toml"
CHECKPOINT = "checkpoint.pt"
BEST = "best.pt"
METRICS = "metrics.csv"
RESULT = "result.json"
REPORT = "report.png"
EVENTS = "tensorboard"

_ALL = (RESULT, CHECKPOINT, BEST, METRICS, REPORT, CONFIG)


def free(recipe: Recipe) -> Path:
    """The folder for a new run; nothing is written yet.

    Raises: RunError when a run is there already and ``run.overwrite`` is not set.
    """
    folder = recipe.folder
    taken = (folder / RESULT).exists() or (folder / CHECKPOINT).exists()
    if taken and not recipe.run.overwrite:
        raise RunError(_occupied(folder))
    return folder


def clear(folder: Path) -> None:
    """Makes the folder of a run, without what an earlier run of that name left there."""
    folder.mkdir(parents=True, exist_ok=True)
    # The result goes first: without it the folder never looks finished.
    for name in _ALL:
        (folder / name).unlink(missing_ok=True)
    for event in (folder / EVENTS).glob("events.*"):
        event.unlink()


def _occupied(folder: Path) -> str:
    again = "to train anew, add --set run.overwrite=true or --set run.name=ANOTHER"
    if (folder / RESULT).exists():
        return f"{folder} holds a finished run; {again}"
    return f"{folder} holds an unfinished run; to go on, type: snn train --resume {folder}; {again}"


def existing(run: str | Path) -> Path:
    """The folder of a run that has a checkpoint.

    Raises: RunError when there is none.
    """
    folder = Path(run).expanduser()
    if (folder / CHECKPOINT).is_file():
        return folder
    if folder.is_dir():
        raise RunError(f"{folder} holds no {CHECKPOINT}, so no epoch of a run was finished there")
    raise RunError(f"there is no run {folder}; give the folder of one, such as runs/digits-seed0")


def write_config(folder: Path, recipe: Recipe) -> None:
    """Writes ``config.toml``, a recipe that gives this run again, but never in its place."""
    tables = {**recipe.tables, "run": {**recipe.tables.get("run", {}), "overwrite": False}}
    text = dumps(tables)
    write(folder / CONFIG, lambda aside: _text(aside, text))


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Writes ``result.json``."""
    text = json.dumps(result, indent=2) + "\n"
    write(folder / RESULT, lambda aside: _text(aside, text))


def write(path: Path, save: Callable[[Path], Any]) -> None:
    """Lets ``save`` write a file beside ``path``, then puts it in place in one move."""
    # The same ending, since some writers choose their format by it.
    aside = path.with_name(f".{path.stem}.part{path.suffix}")
    save(aside)
    with aside.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(aside, path)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
