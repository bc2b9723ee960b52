"""The C++ backend: fused kernels through time on the CPU, compiled at the first call."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

import torch
from torch import Tensor

from snncore.errors import BackendError
from snncore.kernels import build, pool
from snncore.kernels.backends import Plan
from snncore.kernels.capture import Captured
from snncore.kernels.compiled import CompiledKernel
from snncore.kernels.emit import cpp
from snncore.kernels.emit.passes import Variant
from snncore.kernels.emit.slots import Source
from snncore.kernels.program import AGAIN, KEEP, MARKS, Launch, Way
from snncore.kernels.trace import Unsupported
from snncore.state.unroll import arithmetic

_SCRATCH = 256 * 1024
# Of a tile: more share what is loaded of the weights, but leave the cache.
_ROWS, _FED = 48, 1 << 17
_GRAIN = 32768
# Measured by benchmarks/saving.py.
_STRETCH = 16
_COMPUTE_AGAIN = Way(
    AGAIN, f"up to {_STRETCH} steps that is as fast as reading back, at half the memory"
)
_FROM_MARKS = Way(
    MARKS, f"from states of every {_STRETCH}th step that is as fast as reading back, at less memory"
)


class CppTarget:
    """The CPU, in C++ with OpenMP.

    Args:
        stretch: time steps between two marks.
    """

    name = "cpp"
    ways: tuple[str, ...] = (AGAIN, MARKS, KEEP)
    feeds_back = True

    def __init__(self, stretch: int = _STRETCH) -> None:
        self.stretch = stretch

    def forward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return cpp.forward(captured, variant)

    def backward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return cpp.backward(captured, variant)

    def load(self, source: Source, *, double: bool) -> Callable[[Launch], None]:
        """See :class:`snncore.kernels.program.Target`."""
        function = build.load(source.text)
        numbers = (ctypes.c_double * max(len(source.constants), 1))(*source.constants)

        def run(launch: Launch) -> None:
            steps, count = launch.steps, launch.count
            # Waking threads costs more than small work; torch's own grain is of this size.
            work = steps * count * (1 + launch.width // 16)
            threads = max(1, min(torch.get_num_threads(), work // _GRAIN))
            if launch.width:
                tile = _rows(count // launch.width, launch.width, threads) * launch.width
            else:
                tile = _tile(count, threads, launch.stretch * source.scratch)
            dims = [steps, count, tile, threads, launch.stretch]
            pointers: list[int | None] = []
            for array, first, second in launch.arrays:
                dims += (first, second)
                pointers.append(None if array is None else array.data_ptr())
            dims.append(launch.width)
            function(
                (ctypes.c_int64 * len(dims))(*dims),
                (ctypes.c_void_p * len(pointers))(*pointers),
                numbers,
            )

        return run

    def empty(self, shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """See :class:`snncore.kernels.program.Target`."""
        return pool.empty(shape, dtype)

    def way(self, steps: int, count: int) -> Way:
        """See :class:`snncore.kernels.program.Target`."""
        return _COMPUTE_AGAIN if steps <= _STRETCH else _FROM_MARKS


class CppBackend:
    """Runs pointwise steps on the CPU."""

    priority: ClassVar[int] = 10
    devices: ClassVar[tuple[str, ...]] = ("cpu",)

    def available(self) -> str | None:
        """Whether a C++ compiler is installed."""
        if platform.system() == "Windows":
            return "it has not been made for Windows yet"
        if build.compiler() is None:
            return "no C++ compiler is found; install g++ or clang++, or name one in CXX"
        return _trial()

    def supports(self, plan: Plan) -> str | None:
        """Whether the step is pointwise."""
        try:
            self.compile(plan)
        except Unsupported as error:
            return str(error)
        return None

    def compile(self, plan: Plan) -> CompiledKernel:
        """Binds the module; programs are captured per shape, the plan's first."""
        kernel = CompiledKernel(plan.module, CppTarget())
        kernel.program(plan.shape, arithmetic(plan.dtype))
        return kernel


@cache
def _trial() -> str | None:
    """Why the compiler cannot build the smallest kernel; None if it can."""
    text = (
        'extern "C" void snn_kernel(const long* d, void* const* p, const double* n) {\n'
        "  #pragma omp parallel for\n"
        "  for (long i = 0; i < d[0]; ++i) ((double*)p[0])[i] = n[0];\n}\n"
    )
    try:
        build.load(text)
    except (BackendError, OSError) as error:
        return str(error)
    return None


def multiply(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """``x W^T + b``, skipping what is 0 in rows of x that mostly are.

    Args:
        x: ``[*, in]``, contiguous; float32 or float64, as all.
        weight: W, ``[out, in]``.
        bias: b, ``[out]``.
    """
    function = build.load(cpp.product(double=x.dtype == torch.float64))
    width, size = weight.shape
    to = pool.empty((*x.shape[:-1], width), x.dtype)
    rows = x.numel() // size if size else 0
    if not rows or not width:
        return to
    threads = max(1, min(torch.get_num_threads(), rows * width * (1 + size // 16) // _GRAIN))
    tile = _rows(rows, max(size, width), threads)
    dims = (rows, size, width, tile, threads, weight.stride(1), weight.stride(0))
    given = None if bias is None else bias.contiguous()
    arrays = [to, x, weight, given]
    function(
        (ctypes.c_int64 * len(dims))(*dims),
        (ctypes.c_void_p * 4)(*(None if one is None else one.data_ptr() for one in arrays)),
        None,
    )
    return to


def _rows(rows: int, width: int, threads: int) -> int:
    """Rows of one tile, where they are multiplied by weights."""
    share = -(-rows // threads)
    most = max(12, min(_ROWS, _FED // width))
    even = -(-share // -(-share // most))
    # Six at a time are multiplied.
    return min(share, -(-even // 6) * 6)


def _tile(count: int, threads: int, scratch: int) -> int:
    """Neurons of one tile.

    Args:
        scratch: numbers that a neuron needs for what is computed again.
    """
    share = -(-count // threads)
    tile = min(cpp.MAX_TILE, max(256, -(-share // 64) * 64))
    if scratch:
        tile = min(tile, max(64, _SCRATCH // (4 * scratch) // 64 * 64))
    return tile
