"""State under ``torch.utils.checkpoint``, which runs the forward again inside backward.

Run naively, the second forward would start from the final state and step it once more. So the
first forward inside a checkpointed region notes the state with which it began, and the forward
inside backward works on that note and leaves the live state alone. A region is the frame object
of torch's non-reentrant implementation; the note dies with it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor
from torch._C import _autograd, _current_graph_task_id

States = dict[str, Tensor]


@dataclass
class _Note:
    entry: dict[Any, States] = field(default_factory=dict[Any, States])
    replays: dict[Any, dict[Any, States]] = field(default_factory=dict[Any, dict[Any, States]])


_notes: WeakKeyDictionary[Any, _Note] = WeakKeyDictionary()


@dataclass(frozen=True)
class Region:
    """One pass of a forward through a checkpointed region."""

    note: _Note
    replay: Any = None

    def states(self, module: Any, live: States) -> States | None:
        """The states with which ``module`` starts; None if the first pass never ran it."""
        if self.replay is None:
            self.note.entry.setdefault(module, live)
            return live
        return self.note.replays.get(self.replay, {}).get(module, self.note.entry.get(module))

    @property
    def replaying(self) -> bool:
        """Whether this is the second pass, inside backward."""
        return self.replay is not None

    def keep(self, module: Any, states: States) -> None:
        """Keeps the states of a replay aside."""
        self.note.replays.setdefault(self.replay, {})[module] = states


def saved_tensor_hooks_active() -> bool:
    """Whether any default hooks on saved tensors are set."""
    return _autograd._top_saved_tensors_default_hooks(True) is not None


def in_backward() -> bool:
    """Whether this thread is inside a backward pass."""
    return _current_graph_task_id() != -1


def region() -> Region | None:
    """The checkpointed region that the current forward belongs to."""
    if in_backward():
        return _replayed()
    hooks = _autograd._top_saved_tensors_default_hooks(True)
    frame = _cell(hooks[0], "frame") if hooks else None
    return Region(_notes.setdefault(frame, _Note())) if frame is not None else None


def _cell(function: Any, name: str) -> Any:
    code = getattr(function, "__code__", None)
    if code is None or name not in code.co_freevars:
        return None
    if not function.__module__.startswith("torch.utils.checkpoint"):
        return None
    return function.__closure__[code.co_freevars.index(name)].cell_contents


def _replayed() -> Region | None:
    frame = sys._getframe(1)
    while frame is not None:
        if (
            frame.f_code.co_name == "unpack_hook"
            and frame.f_globals.get("__name__") == "torch.utils.checkpoint"
        ):
            note = _notes.get(frame.f_locals["frame"])
            return note and Region(note, frame.f_locals["gid"])
        frame = frame.f_back
    return None
