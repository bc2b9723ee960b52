"""Every registered neuron, as a case for the kernel tests of the core; the rows of their matrix.

Loaded by its path, as test files are no package.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

import snncore
from snncore.config import numeric_parameters
from snncore.neuron import Neuron

CORE = Path(__file__).parents[1] / "core" / "kernels"
SHAPE = (4, 3, 2)
LEARNED = "+learned"
"""Ends the name of a neuron whose numbers are parameters, one value per channel."""

Row = Mapping[str, Any]


def load(path: Path) -> ModuleType:
    """A test file of its own, whatever pytest has loaded."""
    spec = importlib.util.spec_from_file_location(f"shared_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def neurons() -> list[str]:
    """Registered neurons that have a step, which kernels are made of."""
    names = [component.qualified for component in snncore.components("neuron")]
    return [name for name in names if issubclass(snncore.get("neuron", name), Neuron)]


def make(model: str, **options: Any) -> Neuron:
    """A neuron with those of the options that it takes."""
    name = model.removesuffix(LEARNED)
    cls = snncore.get("neuron", name)
    taken = inspect.signature(cls).parameters
    given = {key: value for key, value in options.items() if key in taken}
    if "v_reset" in given and given["v_reset"] is None and not _may_be_none(name):
        del given["v_reset"]
    if model != name:
        given |= {key: _channels(taken[key].default) for key in _numbers(name)}
    return snncore.build("neuron", name, **given)


def _may_be_none(name: str) -> bool:
    found = {p.name: p.type for p in snncore.info("neuron", name).parameters}
    return found["v_reset"].endswith("or None")


def _numbers(name: str) -> list[str]:
    cls = snncore.get("neuron", name)
    taken = inspect.signature(cls).parameters
    # The reset value stays a number: the matrix has a column for it.
    return [
        key
        for key in numeric_parameters(cls)
        if key != "v_reset" and isinstance(taken[key].default, float)
    ]


def _channels(value: float) -> nn.Parameter:
    return nn.Parameter(value * torch.tensor([[1.0], [0.95], [0.9]]))


def models() -> dict[str, Callable[..., Neuron]]:
    """What makes each neuron, by name, as the tests of the core take it."""
    names = [f"{name}{end}" for name in neurons() for end in ("", LEARNED)]
    return {name: partial(make, name) for name in names}


def columns(variants: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """The matrix for some variants of kernels."""
    return {
        "model": tuple(models()),
        "v_reset": (0.0, 0.1, None),
        "detach_reset": (False, True),
        "surrogate": tuple(c.qualified for c in snncore.components("surrogate")),
        "precision": ("single", "double"),
        "variant": tuple(variants),
        "store_v_seq": (False, True),
    }


def covering(table: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Few rows in which every pair of values of two columns occurs; the same at every call."""
    pairs = itertools.combinations(table, 2)
    missing = {
        frozenset({(a, x), (b, y)}): None for a, b in pairs for x in table[a] for y in table[b]
    }
    used: Counter[Any] = Counter()
    rows: list[dict[str, Any]] = []
    while missing:
        row = dict(next(iter(missing)))
        for name in table:
            if name not in row:
                row[name] = max(table[name], key=partial(_gain, row, name, missing, used))
        for cells in itertools.combinations(row.items(), 2):
            missing.pop(frozenset(cells), None)
        used.update(row.items())
        rows.append({name: row[name] for name in table})
    return rows


def _gain(
    row: Row, name: str, missing: Mapping[Any, Any], used: Counter[Any], value: Any
) -> tuple[int, int]:
    """How many missing pairs one more column gives a row; of equal values, the rarer one."""
    cell = (name, value)
    return sum(frozenset({other, cell}) in missing for other in row.items()), -used[cell]


def title(row: Row) -> str:
    """The name of a case."""
    return "-".join(str(value).rpartition("/")[2] for value in row.values())
