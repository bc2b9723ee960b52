"""Every registered neuron, as a case for the kernel tests of the core; the rows of their matrix.

Loaded by its path, as test files are no package.
"""

from __future__ import annotations

import importlib.util
import inspect
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

import snncore
from snncore.config import numeric_parameters
from snncore.kernels.capture import capture
from snncore.kernels.ir import needed
from snncore.neuron import Membrane

CORE = Path(__file__).parents[1] / "core" / "kernels"
SHAPE = (4, 3, 2)
LEARNED = "+learned"
"""Ends the name of a neuron whose numbers are parameters, one value per channel."""
# Functions that libraries compute with other last bits.
FREE = {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "atan", "erf", "erfc"}
FREE |= {"pow"}

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
    return [name for name in names if issubclass(snncore.get("neuron", name), Membrane)]


def make(model: str, **options: Any) -> Membrane:
    """A neuron with those of the options that it takes, and what it cannot do without."""
    name = model.removesuffix(LEARNED)
    cls = snncore.get("neuron", name)
    taken = inspect.signature(cls).parameters
    (declared, *_) = getattr(cls, "conformance", {}).get("variants", ({},))
    given = {**declared, **{key: value for key, value in options.items() if key in taken}}
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


def models() -> dict[str, Callable[..., Membrane]]:
    """What makes each neuron, by name, as the tests of the core take it."""
    names = [f"{name}{end}" for name in neurons() for end in ("", LEARNED)]
    return {name: partial(make, name) for name in names}


@cache
def rounds(model: str) -> bool:
    """Whether a step has functions whose last bits are free."""
    captured = capture(make(model), torch.Size(SHAPE), torch.float32)
    return any(node.op in FREE for node in needed(captured.values))


class Rounded:
    """The neurons of which eager and a kernel may differ in the last bits."""

    def __contains__(self, model: str) -> bool:
        return rounds(model)


def surrogates() -> tuple[str, ...]:
    """Registered surrogates whose forward a kernel can compute: those that draw no numbers."""
    found = [component.qualified for component in snncore.components("surrogate")]
    declared = {name: getattr(snncore.get("surrogate", name), "conformance", {}) for name in found}
    return tuple(name for name in found if declared[name].get("deterministic", True))


def columns(variants: Iterable[str]) -> dict[str, tuple[Any, ...]]:
    """The matrix for some variants of kernels."""
    return {
        "model": tuple(models()),
        "v_reset": (0.0, 0.1, None),
        "detach_reset": (False, True),
        "surrogate": surrogates(),
        "precision": ("single", "double"),
        "variant": tuple(variants),
        "store_v_seq": (False, True),
    }


def short(table: Mapping[str, Sequence[Any]]) -> list[str]:
    """The columns of few values. Those of plugins grow, and not all their pairs fit in a sample."""
    return [name for name, values in table.items() if len(values) <= 8]


def covering(
    table: Mapping[str, Sequence[Any]], rows: int = 75, apart: frozenset[str] = frozenset()
) -> list[dict[str, Any]]:
    """Few rows with every value, every pair of values of two short columns, and of the other pairs
    as many as fit; the same at every call.

    Args:
        table: values by column.
        rows: how many rows those other pairs may fill up.
        apart: two columns whose pairs are not looked for.
    """
    pairs = [pair for pair in itertools.combinations(table, 2) if set(pair) != apart]
    few = short(table)
    missing = {
        frozenset({(a, x), (b, y)}): None for a, b in pairs for x in table[a] for y in table[b]
    }
    # Values of the longest column first: each of them needs a row of its own.
    wanted = {
        frozenset({(name, value)}): None
        for name in sorted(table, key=lambda name: -len(table[name]))
        for value in table[name]
    }
    wanted |= {pair: None for pair in missing if all(name in few for name, _ in pair)}
    used: Counter[Any] = Counter()
    found: list[dict[str, Any]] = []
    while wanted or (missing and len(found) < rows):
        row = dict(next(iter(wanted or missing)))
        for name in table:
            if name not in row:
                row[name] = max(table[name], key=partial(_gain, row, name, missing, used))
        for cells in itertools.combinations(row.items(), 2):
            missing.pop(frozenset(cells), None)
            wanted.pop(frozenset(cells), None)
        for cell in row.items():
            wanted.pop(frozenset({cell}), None)
        used.update(row.items())
        found.append({name: row[name] for name in table})
    return found


@cache
def _every_pair(columns: tuple[tuple[str, tuple[Any, ...]], ...]) -> list[dict[str, Any]]:
    table = dict(columns)
    plain = {"model": tuple(neurons())}
    # Steps and surrogates are printed operation by operation, so a pair of them shows nothing that
    # another with the same options does not.
    apart = frozenset({"model", "surrogate"})
    # What learns is printed alike whatever the surrogate.
    learnt = {
        "model": tuple(name for name in table["model"] if name.endswith(LEARNED)),
        "surrogate": ("snncore/atan",),
    }
    return [row for part in (plain, learnt) for row in covering(table | part, 1 << 30, apart)]


def every_pair(table: Mapping[str, tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows with all pairs of values of all columns but neuron and surrogate; learnt numbers with
    one surrogate only.
    """
    return _every_pair(tuple(table.items()))


def _gain(
    row: Row, name: str, missing: Mapping[Any, Any], used: Counter[Any], value: Any
) -> tuple[int, int]:
    """How many missing pairs one more column gives a row; of equal values, the rarer one."""
    cell = (name, value)
    return sum(frozenset({other, cell}) in missing for other in row.items()), -used[cell]


def title(row: Row) -> str:
    """The name of a case."""
    return "-".join(str(value).rpartition("/")[2] for value in row.values())
