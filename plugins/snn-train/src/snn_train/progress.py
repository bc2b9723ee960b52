"""How far a run has come: what a checkpoint holds beside weights and generators."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

Row = dict[str, float]


@dataclass
class Progress:
    """How far a run has come.

    Args:
        epoch: epochs that are finished.
        step: steps done of the epoch after them.
        history: one row of metrics for each finished epoch.
        best: highest metric yet, with its epoch; None before the first.
        stale: epochs since the best one.
        stopped: whether training ended early.
        seconds: time spent in training and testing, over all sessions.
    """

    epoch: int = 0
    step: int = 0
    history: list[Row] = field(default_factory=list[Row])
    best: float | None = None
    best_epoch: int = 0
    stale: int = 0
    stopped: bool = False
    seconds: float = 0.0

    def judge(self, metric: float, patience: int) -> bool:
        """Takes the metric of the epoch that was just finished; whether it is the best."""
        if self.best is None or metric > self.best:
            self.best, self.best_epoch, self.stale = metric, self.epoch, 0
            return True
        self.stale += 1
        self.stopped = 0 < patience <= self.stale
        return False

    def finished(self, epochs: int) -> bool:
        """Whether nothing is left to train."""
        return self.stopped or self.epoch >= epochs

    def plain(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return asdict(self)
