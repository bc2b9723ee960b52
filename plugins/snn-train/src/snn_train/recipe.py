"""Recipes: TOML tables that say what to train, on what, and how."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, cast

import snncore
from snn_train.settings import Run, Train, read, read_train
from snn_train.toml import dumps
from snncore.cli.settings import merge, parse
from snncore.config import validate
from snncore.errors import ConfigError

Tables: TypeAlias = dict[str, dict[str, Any]]

COMPONENTS = {"data": "dataset", "encoder": "encoder", "model": "model", "loss": "loss"}
"""Table of a recipe -> kind of the component that it names."""

_TABLES = (*COMPONENTS, "optimizer", "train", "run")
_DEFAULTS: Tables = {
    "data": {},
    "model": {},
    "loss": {"name": "rate_cross_entropy"},
    "optimizer": {"name": "adam"},
    "train": {},
    "run": {},
}
# What the trainer itself says to a dataset or model when the recipe does not.
_GIVEN = {"data": ("split",)}


@dataclass(frozen=True)
class Recipe:
    """What to train, on what, and how.

    Args:
        name: of the recipe, which names runs.
        tables: the seven tables as plain values, after ``extends`` and overrides.
    """

    name: str
    tables: Tables

    @property
    def train(self) -> Train:
        """The table ``[train]``."""
        return read_train(self.tables["train"])

    @property
    def run(self) -> Run:
        """The table ``[run]``."""
        return read(Run, self.tables["run"], "recipe table [run]")

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        run = self.run
        return Path(run.root).expanduser() / (run.name or f"{self.name}-seed{run.seed}")

    def replace(self, table: str, values: Mapping[str, Any]) -> Recipe:
        """The same recipe with some values of one table set."""
        return Recipe(self.name, {**self.tables, table: {**self.tables[table], **values}})


def load_recipe(source: str | Path | Mapping[str, Any], overrides: Sequence[str] = ()) -> Recipe:
    """A recipe by name, from a TOML file, or from tables, with overrides.

    Args:
        source: name of a registered recipe, path of a ``.toml`` file, or the tables themselves;
            numbers and arrays of NumPy and torch, and paths, become plain values.
        overrides: ``table.key=value`` with TOML values; a text needs no quotes.

    A table that names another component than the one below it (in ``extends`` or before the
    override) starts empty: parameters of one component mean nothing to another.

    Raises:
        ConfigError: a file that cannot be read, an unknown table or key (near ones are named), a
            value of wrong type or range, ``extends`` in a circle.
        UnknownComponent: no recipe or component has this name.

    Example:
        >>> load_recipe("digits", ["train.epochs=3"]).train.epochs
        3
    """
    if isinstance(source, Mapping):
        name, tables = "custom", _extended(source, "the recipe", None, ())
    else:
        path = _locate(str(source), Path())
        name, tables = path.stem, _read(path, ())
    return override(Recipe(name, tables), overrides)


def override(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """The recipe with ``table.key=value`` overrides, complete and checked.

    Raises: as :func:`load_recipe`.
    """
    tables = _overlay(_overlay(_DEFAULTS, recipe.tables), _sections(parse(overrides), "--set"))
    complete = Recipe(recipe.name, _plain(tables))
    _check(complete)
    return complete


def _plain(value: Any) -> Any:
    """``value`` as what ``config.toml`` and a checkpoint can hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _check(recipe: Recipe) -> None:
    """Raises ConfigError or UnknownComponent for whatever is wrong before any work is done."""
    from snn_train.optimizer import read_optimizer

    for table in ("data", "model"):
        if "name" not in recipe.tables[table]:
            kind = COMPONENTS[table]
            raise ConfigError(
                f'recipe {recipe.name!r}: the table [{table}] names no {kind}; add name = "..." '
                f"('snn list {kind}' shows them)"
            )
    try:
        dumps(recipe.tables)
    except TypeError as error:
        raise ConfigError(f"recipe {recipe.name!r}: {error}") from None
    _ = recipe.train, recipe.run
    read_optimizer(recipe.tables["optimizer"])
    for table in ("data", "encoder", "loss"):
        if recipe.tables.get(table):
            _check_component(table, recipe.tables[table])


def _check_component(table: str, params: Mapping[str, Any]) -> None:
    kind = COMPONENTS[table]
    plain = dict(params)
    name = plain.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f'recipe table [{table}] names no {kind}; add name = "..."')
    for key in _GIVEN.get(table, ()):
        if key in plain:
            raise ConfigError(f"recipe table [{table}]: {key!r} is chosen by snn train; remove it")
    target = snncore.get(kind, name)
    plain.pop("learnable", None)
    validate(target, plain, f"recipe table [{table}] ({name})")


def _locate(source: str, folder: Path) -> Path:
    # A slash alone says nothing: ``provider/name`` has one too.
    if source.endswith(".toml"):
        path = folder / Path(source).expanduser()
        if not path.is_file():
            raise ConfigError(f"there is no recipe file {path}")
        return path
    found = snncore.get("recipe", source)
    return Path(found())


def _read(path: Path, seen: tuple[Path, ...]) -> Tables:
    if path.resolve() in seen:
        chain = " -> ".join(str(p) for p in (*seen, path.resolve()))
        raise ConfigError(f"recipe {path} extends itself: {chain}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"recipe {path} cannot be read: {error}") from None
    return _extended(content, str(path), path.parent, (*seen, path.resolve()))


def _extended(
    content: Mapping[str, Any], where: str, folder: Path | None, seen: tuple[Path, ...]
) -> Tables:
    rest = dict(content)
    below = rest.pop("extends", None)
    tables = _sections(rest, where)
    if below is None:
        return tables
    if not isinstance(below, str):
        raise ConfigError(f"{where}: extends takes the name or path of a recipe, got {below!r}")
    return _overlay(_read(_locate(below, folder or Path()), seen), tables)


def _sections(content: Mapping[str, Any], where: str) -> Tables:
    for key, value in content.items():
        if key not in _TABLES:
            near = get_close_matches(key, _TABLES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"tables are {', '.join(_TABLES)}"
            raise ConfigError(f"{where}: unknown table {key!r} ({hint})")
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: {key!r} is a table, got {value!r}; write {key}.name")
    return {key: dict(value) for key, value in content.items()}


def _overlay(below: Tables, above: Tables) -> Tables:
    components = {key: below[key] for key in below if key not in ("train", "run")}
    settings = {key: below[key] for key in below if key in ("train", "run")}
    return cast("Tables", merge({**_pruned(components, above), **settings}, above))


def _pruned(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``below`` without the tables whose component ``above`` replaces by another."""
    kept: dict[str, Any] = {}
    for key, value in below.items():
        new = above.get(key)
        if isinstance(value, Mapping) and isinstance(new, Mapping):
            if "name" in new and new["name"] != value.get("name"):
                continue
            value = _pruned(value, new)
        kept[key] = value
    return kept
