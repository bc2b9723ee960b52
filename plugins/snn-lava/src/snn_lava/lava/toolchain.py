"""Runs an exported file in Lava."""

from __future__ import annotations

import os
import shutil
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from torch import Tensor

from snn_lava.lava.process import Chip, Job, run_job, versions
from snncore.chip import Trace
from snncore.errors import ChipError, ToolchainMissing

VERSIONS = {"lava-nc": "0.10.0", "lava-dl": "0.6.0"}
"""The releases that files were verified with, which are the last ones."""

VARIABLE = "SNN_LAVA_PYTHON"
HOW = (
    "make an environment of numpy, scipy, h5py, networkx and asteval, add `pip install --no-deps "
    "--ignore-requires-python "
    + " ".join(f"{name}=={version}" for name, version in VERSIONS.items())
    + f"`, and name its interpreter with --python or {VARIABLE}"
)
# Lava keeps input and output of a run whole, in arrays of its own.
_VALUES_OF_A_RUN = 1 << 22
_IMPORT_S = 120.0


class LavaToolchain:
    """Lava's simulation of Loihi (netx of lava-dl) in an environment of its own.

    Samples whose network forgets all at a reset follow each other in one run; with recurrence,
    delays or biases, which reach across it, each sample runs alone. Both give what a sample alone
    gives.

    Args:
        interpreter: of the environment; ``SNN_LAVA_PYTHON`` if not given, else the running one.
        chip: which of Lava's two configurations is taken.
        timeout_s: after so many seconds a run is ended.

    Example:
        >>> LavaToolchain(Path("nowhere/python")).available()
        'nowhere/python is no program; --python or SNN_LAVA_PYTHON names one with Lava'
    """

    name: str = "lava"

    def __init__(
        self, interpreter: Path | None = None, chip: Chip = "loihi2", timeout_s: float = 600.0
    ) -> None:
        self.interpreter = interpreter or Path(os.environ.get(VARIABLE) or sys.executable)
        self.chip: Chip = chip
        self.timeout_s = timeout_s

    def available(self) -> str | None:
        """Why Lava cannot run; None if it can. Asked once."""
        return self._missing

    @cached_property
    def _missing(self) -> str | None:
        if shutil.which(self.interpreter) is None:
            return f"{self.interpreter} is no program; --python or {VARIABLE} names one with Lava"
        try:
            found = versions(self.interpreter, min(self.timeout_s, _IMPORT_S))
        except ChipError as error:
            return str(error)
        for name, version in VERSIONS.items():
            if found[name] is None:
                return f"{name} is not installed for {self.interpreter}; {HOW}"
            if found[name] != version:
                return f"{name} of {self.interpreter} is {found[name]}, not {version}; {HOW}"
        if found["error"] is not None:
            return f"Lava of {self.interpreter} cannot be imported: {found['error']}"
        return None

    def run(self, path: Path, x: Tensor) -> Trace:
        """Runs a ``.net`` file.

        Args:
            path: the file.
            x: spikes, ``[T, N, *]``; ``*`` is flat or ``C, H, W``.

        Returns: output ``[T + L, N, *]``, L steps late, for L layers of neurons.

        Raises: ToolchainMissing when Lava is not there; ChipError when the input holds anything
            but 0 and 1, when Lava refuses the file, and when time is over.
        """
        if (reason := self.available()) is not None:
            raise ToolchainMissing(f"Lava cannot run: {reason}. The file is ready at {path}")
        if not ((x == 0) | (x == 1)).all():
            raise ChipError("Lava takes everything but 0 for a spike, so the input must be 0 or 1")
        steps, samples = x.shape[:2]
        together = max(1, _VALUES_OF_A_RUN // max(1, x[:, :1].numel()))
        job = Job(path, self.chip, 1 if _remembers(path) else min(samples, together))
        out = run_job(self.interpreter, job, x.detach().cpu().numpy(), self.timeout_s)
        return Trace(torch.from_numpy(out.astype(np.float32)), latency=len(out) - steps)


def _remembers(path: Path) -> bool:
    """Whether a sample reaches the next one in spite of a reset of the neurons between.

    Spikes on their way along a delay or a recurrent connection arrive after it, and a bias works
    before the first input of a sample does.
    """

    def reaches_over(name: str, item: Any) -> Any:
        kind = name.rpartition("/")[2]
        # None goes on to the next.
        return kind == "weight_rec" or (kind in ("delay", "bias") and item[()].any()) or None

    try:
        with h5py.File(path, "r") as file:
            return file.visititems(reaches_over) is not None
    except OSError as error:
        raise ChipError(f"{path} cannot be read: {error}") from error
