"""Ctrl-C as a wish that is granted after the current step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
from lightning_fabric import Fabric


class Interrupt:
    """Notes Ctrl-C inside a ``with`` block; a second one in a single process stops at once.

    Args:
        fabric: of this process; all processes of a run stop at the same step.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._noted = False
        self._before: Any = None

    def asked(self) -> bool:
        """Whether to stop now; every process must ask at every step."""
        if self._fabric.world_size == 1:
            return self._noted
        noted = torch.tensor(float(self._noted), device=self._fabric.device)
        return bool(self._fabric.all_reduce(noted, reduce_op="sum"))

    def __enter__(self) -> Interrupt:
        # Python delivers signals to the main thread alone.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noted and self._fabric.world_size == 1:
            raise KeyboardInterrupt
        self._noted = True
