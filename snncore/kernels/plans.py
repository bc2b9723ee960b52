"""The cache of captured steps: a process that finds a step there need not trace it.

A plan holds what was captured as JSON: scalar nodes, the text of the torch graphs around them,
and their constants. Its name is a hash of all that the step depends on. Kernels are printed from
it anew, which takes less than a millisecond. A plan is code: it lies in the private folder of the
compiled kernels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from snncore.kernels.cache import PLAN, folder
from snncore.kernels.content import Content
from snncore.kernels.families import families
from snncore.kernels.ir import Node, Program
from snncore.kernels.library import is_library, versions
from snncore.kernels.trace import witness

if TYPE_CHECKING:
    from snncore.kernels.capture import Captured

_LARGEST = 4096
# Names that the text of a torch graph uses.
_SCOPE: dict[str, Any] = {
    "torch": torch,
    "device": torch.device,
    "inf": math.inf,
    "nan": math.nan,
    "NoneType": type(None),
}
# Names that torch lists for every text; these graphs take and give no nested arguments.
_UNUSED = {"fx_pytree", "pytree"}


class _NotStorable(Exception):
    """Something in a captured step has no place in a plan."""


class Graph:
    """A torch graph from its text.

    Args:
        text: of a function ``forward(self, *tensors)``.
        constants: tensors that it finds on ``self``.
    """

    def __init__(self, text: str, constants: dict[str, Tensor]) -> None:
        scope = dict(_SCOPE)
        exec(compile(text, "<snncore plan>", "exec"), scope)
        self._forward: Callable[..., Sequence[Any]] = scope["forward"]
        self._constants = SimpleNamespace(**constants)

    def __call__(self, *tensors: Tensor) -> Sequence[Any]:
        return self._forward(self._constants, *tensors)


@dataclasses.dataclass(frozen=True)
class Recalled:
    """A captured step, and which values of it the backward needs."""

    captured: Captured
    saves: tuple[Node, ...]


def recall(
    content: Content, shape: torch.Size, dtype: torch.dtype, make: Callable[[torch.Size], Captured]
) -> Recalled:
    """A captured step from the cache, else from ``make``, which is then stored.

    Where the step does the same for another shape, it is stored for all shapes of that family.

    Args:
        content: what the step depends on.
        shape: of one time step.
        dtype: of the arithmetic.
        make: captures it for a shape.
    """
    if content.digest is None:
        return _whole(make(shape))
    around = families(content, shape)
    for name in (*(family.name for family in around), str(tuple(shape))):
        found = _load(_place(content.digest, name, dtype), content.tensors)
        if found is not None:
            return found
    with witness() as ran:
        made = _whole(make(shape))
    # Code that ran but was not found by name could change without a change of the key.
    if all(code in content.codes or is_library(home) for code, home in ran.items()):
        text = _text(made, content.tensors)
        alike = (f.name for f in around if _also(make, f.other, text, content.tensors))
        if text is not None:
            _store(_place(content.digest, next(alike, str(tuple(shape))), dtype), text)
    return made


def _also(
    make: Callable[[torch.Size], Captured], shape: torch.Size, text: str | None, own: list[Tensor]
) -> bool:
    """Whether a step captured for a shape is the one of a text."""
    try:
        return _text(_whole(make(shape)), own) == text
    except Exception:
        # Whatever the step raises for a shape that nobody asked for.
        return False


def _whole(captured: Captured) -> Recalled:
    from snncore.kernels.saving import saved_values

    return Recalled(captured, saved_values(captured))


def _place(digest: str, shapes: str, dtype: torch.dtype) -> Path:
    parts = (digest, shapes, str(dtype), *versions())
    return folder() / (hashlib.sha256("\n".join(parts).encode()).hexdigest() + PLAN)


def _load(place: Path, tensors: list[Tensor]) -> Recalled | None:
    """A plan; None where there is none that is whole."""
    try:
        head, _, body = place.read_bytes().partition(b"\n")
    except OSError:
        return None
    if head != hashlib.sha256(body).hexdigest().encode():
        return None
    return _Reader(tensors).read(json.loads(body))


def _text(made: Recalled, tensors: list[Tensor]) -> str | None:
    """A plan's text; None where something has no place in one."""
    try:
        return json.dumps(_Writer(made.captured.program, tensors).written(made))
    except _NotStorable:
        return None


def _store(place: Path, text: str) -> None:
    body = text.encode()
    try:
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            try:
                file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                file.close()
                os.replace(file.name, place)
            except OSError:
                os.unlink(file.name)
                raise
    except OSError:
        # Nothing is lost but time: the next process captures again.
        return


class _Writer:
    """Turns a captured step into plain data."""

    def __init__(self, program: Program, tensors: list[Tensor]) -> None:
        self.program, self.tensors = program, tensors

    def written(self, made: Recalled) -> dict[str, Any]:
        nodes = [self._node(node) for node in self.program.nodes]
        captured = {
            field.name: self._value(getattr(made.captured, field.name))
            for field in dataclasses.fields(made.captured)
        }
        return {"nodes": nodes, "captured": captured, "saves": self._value(made.saves)}

    def _value(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, tuple):
            return [self._value(item) for item in value]
        if isinstance(value, Node):
            return {"node": value.index}
        if value is self.program:
            return {"program": None}
        if isinstance(value, torch.fx.GraphModule):
            return self._graph(value)
        raise _NotStorable

    def _node(self, node: Node) -> dict[str, Any]:
        fields = {field.name: field.default for field in dataclasses.fields(node)}
        held = {name: getattr(node, name) for name in fields if name != "index"}
        # 0.0 == -0.0 == 0, so equality does not tell what may be left out.
        short = {k: v for k, v in held.items() if repr(v) != repr(fields[k])}
        return {**short, "args": [arg.index for arg in node.args]}

    def _graph(self, graph: torch.fx.GraphModule) -> dict[str, Any]:
        code = graph.graph.python_code("self")
        if code.globals.keys() - _SCOPE.keys() - _UNUSED:
            raise _NotStorable
        names = [node.target for node in graph.graph.nodes if node.op == "get_attr"]
        constants = {name: self._constant(getattr(graph, name, None)) for name in names}
        return {"text": code.src, "constants": constants}

    def _constant(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            raise _NotStorable
        for place, tensor in enumerate(self.tensors):
            if tensor is value:
                return place
        if value.numel() > _LARGEST or value.device.type != "cpu" or value.is_complex():
            raise _NotStorable
        name = str(value.dtype).removeprefix("torch.")
        return {"dtype": name, "shape": list(value.shape), "values": value.flatten().tolist()}


class _Reader:
    """Builds a captured step from plain data; every node through its program."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = tensors
        self.program = Program()

    def read(self, data: dict[str, Any]) -> Recalled:
        from snncore.kernels.capture import Captured

        for node in data["nodes"]:
            self._node(**node)
        captured = {name: self._value(value) for name, value in data["captured"].items()}
        return Recalled(Captured(**captured), self._value(data["saves"]))

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(self._value(item) for item in value)
        if not isinstance(value, dict):
            return value
        if "node" in value:
            return self.program.nodes[value["node"]]
        if "program" in value:
            return self.program
        constants = {name: self._constant(item) for name, item in value["constants"].items()}
        return Graph(value["text"], constants)

    def _node(self, *, op: str, args: list[int], **rest: Any) -> None:
        self.program._make(op, tuple(self.program.nodes[place] for place in args), **rest)

    def _constant(self, value: Any) -> Tensor:
        if isinstance(value, int):
            return self.tensors[value]
        flat = torch.tensor(value["values"], dtype=getattr(torch, value["dtype"]))
        return flat.reshape(value["shape"])
