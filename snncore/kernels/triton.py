"""The Triton backend: fused kernels through time on CUDA devices, without CuPy."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any, ClassVar

import torch
from packaging.version import Version
from torch import Tensor

from snncore.kernels.cache import folder
from snncore.kernels.capture import Captured
from snncore.kernels.emit import triton
from snncore.kernels.emit.passes import Variant
from snncore.kernels.emit.slots import Source
from snncore.kernels.gpu import (
    GpuBackend,
    GpuMemory,
    blocks,
    device_of,
    guard,
    no_device,
    publish,
)
from snncore.kernels.program import KEEP, Launch

OLDEST = "3.7"


class TritonTarget(GpuMemory):
    """CUDA devices, in Triton's language."""

    name = "triton"
    ways: tuple[str, ...] = (KEEP,)
    # It leaves no marks; any number will do.
    stretch = 1

    def forward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return triton.forward(captured, variant)

    def backward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return triton.backward(captured, variant)

    def load(self, source: Source, *, double: bool) -> Callable[[Launch], None]:
        """See :class:`snncore.kernels.program.Target`."""
        kernel = imported(source.text)
        numbers: dict[torch.device, Tensor] = {}

        def run(launch: Launch) -> None:
            device = device_of(launch.arrays)
            grid = blocks(launch.count, triton.BLOCK)
            with guard(device):
                if device not in numbers:
                    # A last number, so that there is always one.
                    table = [*source.constants, 0.0]
                    numbers[device] = torch.tensor(table, dtype=torch.float64, device=device)
                given, constants = triton.arguments(
                    source, numbers[device], launch.steps, launch.count, launch.arrays
                )
                kernel[(grid,)](*given, **constants, **triton.OPTIONS)

        return run


class TritonBackend(GpuBackend):
    """Runs pointwise steps on CUDA devices; Triton comes with torch."""

    priority: ClassVar[int] = 15

    def available(self) -> str | None:
        """Whether there are a CUDA device and a Triton that is new enough."""
        return no_device() or _no_triton()

    def target(self) -> TritonTarget:
        """Triton's language."""
        return TritonTarget()


def _no_triton() -> str | None:
    """Why Triton cannot compile; None if it can."""
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed; pip install 'snncore[triton]'"
    found = metadata.version("triton")
    if Version(found) < Version(OLDEST):
        return (
            f"it needs Triton {OLDEST} or newer, {found} is installed; a newer torch for CUDA "
            "brings its own"
        )
    return None


@cache
def imported(text: str) -> Any:
    """The function ``snn_kernel`` of a text. Triton reads the source again, from a file."""
    place = folder() / f"{hashlib.sha256(text.encode()).hexdigest()}.py"
    if not place.exists():
        publish(place, text.encode())
    scope: dict[str, Any] = {"__name__": f"snncore_kernel_{place.stem}"}
    exec(compile(text, str(place), "exec"), scope)
    return scope["snn_kernel"]
