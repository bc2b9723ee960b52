"""The CUDA backend: fused kernels through time in CUDA C, compiled by NVRTC through CuPy."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import torch

from snncore.errors import BackendError
from snncore.kernels.cache import folder
from snncore.kernels.capture import Captured
from snncore.kernels.emit import cuda
from snncore.kernels.emit.passes import Variant
from snncore.kernels.emit.slots import Source
from snncore.kernels.gpu import GpuBackend, GpuMemory, blocks, device_of, guard, no_device, publish
from snncore.kernels.program import KEEP, MARKS, Launch

INSTALL = "pip install 'snncore[cuda12]' (or 'snncore[cuda13]', as `nvidia-smi` says)"

_lock = threading.Lock()


class CudaTarget(GpuMemory):
    """CUDA devices, in CUDA C."""

    name = "cuda"
    ways: tuple[str, ...] = (KEEP, MARKS)
    stretch = cuda.STRETCH

    def forward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return cuda.forward(captured, variant)

    def backward(self, captured: Captured, variant: Variant) -> Source:
        """See :class:`snncore.kernels.program.Target`."""
        return cuda.backward(captured, variant)

    def load(self, source: Source, *, double: bool) -> Callable[[Launch], None]:
        """See :class:`snncore.kernels.program.Target`."""
        functions: dict[torch.device, Callable[..., None]] = {}

        def run(launch: Launch) -> None:
            device = device_of(launch.arrays)
            grid = blocks(launch.count, cuda.BLOCK)
            rows = [
                (None if array is None else array.data_ptr(), first, second)
                for array, first, second in launch.arrays
            ]
            given = cuda.arguments(source, launch.steps, launch.count, rows, double=double)
            with guard(device):
                if device not in functions:
                    functions[device] = compiled(source.text, device)
                functions[device]((grid,), (cuda.BLOCK,), given)

        return run


class CudaBackend(GpuBackend):
    """Runs pointwise steps on CUDA devices; CuPy compiles and launches."""

    priority: ClassVar[int] = 20

    def available(self) -> str | None:
        """Whether there are a CUDA device, CuPy and NVRTC."""
        return no_device() or _no_compiler()

    def target(self) -> CudaTarget:
        """CUDA C."""
        return CudaTarget()


@cache
def _no_compiler() -> str | None:
    """Why CuPy cannot compile; None if it can."""
    if importlib.util.find_spec("cupy") is None:
        return f"CuPy is not installed; {INSTALL}"
    try:
        _cupy().cuda.nvrtc.getVersion()
    except Exception as error:  # whatever a CuPy for another CUDA, or without its libraries, raises
        text = " ".join(str(error).split())
        return f"CuPy does not work here ({type(error).__name__}: {text}); {INSTALL}"
    return None


def _cupy() -> Any:
    return importlib.import_module("cupy")


@dataclass(frozen=True)
class _Stream:
    """A stream of torch as CuPy's launches take one."""

    ptr: int

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self.ptr


def compiled(text: str, device: torch.device) -> Callable[..., None]:
    """The function ``snn_kernel`` of a text on the current device, on torch's current stream.

    Returns: takes grid, block and arguments.
    Raises: BackendError with the compiler's words.
    """
    cupy = _cupy()
    # Not RawModule(code=...): CuPy would add --ftz=true, and with it lose small numbers that
    # every other backend keeps. Its own cache is no private folder either.
    binary = _binary(text, torch.cuda.get_device_capability(device))
    with cupy.cuda.Device(device.index):
        function = cupy.RawModule(path=str(binary)).get_function("snn_kernel")

    def launch(grid: tuple[int], block: tuple[int], given: tuple[Any, ...]) -> None:
        # CuPy has a current device of its own.
        with cupy.cuda.Device(device.index):
            stream = _Stream(torch.cuda.current_stream(device).cuda_stream)
            function(grid, block, given, stream=stream)

    return launch


def _binary(text: str, capability: tuple[int, int]) -> Path:
    """The file of a compiled text in the cache, made on demand.

    Args:
        capability: of the device.
    """
    nvrtc = _cupy().cuda.nvrtc
    own = 10 * capability[0] + capability[1]
    version = ".".join(map(str, nvrtc.getVersion()))
    known = [arch for arch in nvrtc.getSupportedArchs() if arch <= own]
    if not known:
        raise BackendError(
            f"NVRTC {version} compiles for newer devices than this one, which has compute "
            f"capability {capability[0]}.{capability[1]}; install an older CuPy, or say "
            "backend='triton' or backend='eager'"
        )
    # The driver translates for a device that is newer than the compiler.
    real = max(known) == own
    form = "cubin" if real else "ptx"
    flags = (*cuda.FLAGS, f"--gpu-architecture={'sm' if real else 'compute'}_{max(known)}")
    key = hashlib.sha256("\n".join((text, *flags, version)).encode()).hexdigest()
    place = folder() / f"{key}.{form}"
    with _lock:
        if not place.exists():
            publish(place, _translated(nvrtc, text, flags, form))
    return place


def _translated(nvrtc: Any, text: str, flags: tuple[str, ...], form: str) -> bytes:
    program = nvrtc.createProgram(text, "kernel.cu", (), ())
    try:
        try:
            nvrtc.compileProgram(program, flags)
        except Exception as error:  # CuPy's own error tells only a number
            log = nvrtc.getProgramLog(program)
            raise BackendError(f"NVRTC failed on a generated kernel:\n{log[:2000]}") from error
        # CuPy cuts the last byte off, which in a binary is one of its own.
        return nvrtc.getCUBIN(program) + b"\0" if form == "cubin" else nvrtc.getPTX(program)
    finally:
        nvrtc.destroyProgram(program)
