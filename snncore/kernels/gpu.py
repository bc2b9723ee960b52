"""What the two languages of CUDA devices share."""

from __future__ import annotations

import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from snncore.errors import BackendError
from snncore.kernels.backends import Plan
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.layout import Laid
from snncore.kernels.program import KEEP, MARKS, Target, Way
from snncore.kernels.tensors import tensors_of
from snncore.kernels.trace import Unsupported
from snncore.state.unroll import arithmetic

MOST_BLOCKS = 2**31 - 1
"""Of a launch, as CUDA has it."""

_MANY = 1 << 32
_READ_BACK = Way(KEEP, f"up to {_MANY:,} values in all time counts for more than memory")
_FROM_MARKS = Way(MARKS, f"of more than {_MANY:,} values in all memory counts for more than time")
_NO_OTHER = Way(KEEP, "these kernels cannot compute steps again")


class GpuMemory:
    """Memory of a CUDA device, and how a training run uses it."""

    ways: tuple[str, ...]
    feeds_back = False

    def empty(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """See :class:`snncore.kernels.program.Target`."""
        return torch.empty(shape, dtype=dtype, device=device)

    def way(self, steps: int, count: int) -> Way:
        """See :class:`snncore.kernels.program.Target`."""
        if MARKS not in self.ways:
            return _NO_OTHER
        # How much memory is free cannot be asked while a CUDA graph is captured, nor by a compiler
        # that traces, so the rule is one of size alone.
        return _READ_BACK if steps * count <= _MANY else _FROM_MARKS


class GpuBackend(ABC):
    """A backend on CUDA devices; a subclass names its target and says what it needs."""

    devices: ClassVar[tuple[str, ...]] = ("cuda",)

    @abstractmethod
    def target(self) -> Target:
        """What prints and runs the kernels."""

    def supports(self, plan: Plan) -> str | None:
        """Whether the step is pointwise and on the input's kind of device."""
        for name, tensor in tensors_of(plan.module).items():
            if tensor.device.type != "cuda":
                return (
                    f"its {name} is on {tensor.device}, the input on {plan.device}; move the "
                    f"network with .to({str(plan.device)!r})"
                )
        try:
            self.compile(plan)
        except Unsupported as error:
            return str(error)
        return None

    def compile(self, plan: Plan) -> CompiledKernel:
        """Binds the module; programs are captured per shape, the plan's first."""
        kernel = CompiledKernel(plan.module, self.target())
        kernel.program(plan.shape, arithmetic(plan.dtype))
        return kernel


def no_device() -> str | None:
    """Why torch has no CUDA device; None if it has one."""
    if torch.version.cuda is None:
        return f"torch {torch.__version__} is built without CUDA; install a build of it for CUDA"
    if not torch.cuda.is_available():
        return "torch finds no CUDA device; `nvidia-smi` should list one"
    return None


def blocks(count: int, block: int) -> int:
    """Blocks of a launch.

    Raises: BackendError when there would be more than a device takes.
    """
    found = -(-count // block)
    if found > MOST_BLOCKS:
        raise BackendError(
            f"one time step has {count} neurons, a kernel on a CUDA device takes at most "
            f"{MOST_BLOCKS * block}; split the batch"
        )
    return found


def device_of(arrays: Sequence[Laid]) -> torch.device:
    """The device of all arrays of a launch.

    Raises: BackendError when there are several, which a kernel would take for addresses of one.
    """
    found = list(dict.fromkeys(array.device for array, _, _ in arrays if array is not None))
    if len(found) > 1:
        raise BackendError(
            f"a kernel was given tensors on {' and '.join(map(str, found))}; move the network, its "
            f"states and its input to one device, as with net.to({str(found[0])!r})"
        )
    return found[0]


def guard(device: torch.device) -> AbstractContextManager[object]:
    """Inside it, this device is torch's current one."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def publish(place: Path, content: bytes) -> None:
    """Writes a file that other processes see whole or not at all."""
    with tempfile.TemporaryDirectory(dir=place.parent) as work:
        file = Path(work) / place.name
        file.write_bytes(content)
        os.replace(file, place)
