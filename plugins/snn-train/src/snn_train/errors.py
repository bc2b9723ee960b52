"""What can go wrong in a run."""

from __future__ import annotations

from snncore.errors import SnnError


class RunError(SnnError):
    """A run folder cannot be used as asked."""


class TrainingError(SnnError):
    """Training cannot go on."""


class Interrupted(SnnError):
    """Training was stopped by Ctrl-C; its state is saved."""
