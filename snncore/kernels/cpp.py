"""The C++ backend: fused kernels through time on the CPU, compiled at the first call."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from functools import cache
from typing import Any, ClassVar

import torch

from snncore.errors import BackendError, NotSupported
from snncore.kernels import build, function, ops
from snncore.kernels.backends import Plan
from snncore.kernels.capture import capture
from snncore.kernels.fingerprint import fingerprint
from snncore.kernels.program import CpuProgram
from snncore.kernels.trace import Unsupported, tensors_of
from snncore.state.memory import MemoryModule, in_transform
from snncore.state.unroll import Tensors

_shared: dict[Any, CpuProgram] = {}


class CppKernel:
    """A module's step as compiled loops over time and neurons.

    What was captured is looked up at every call by the values that the step depends on, so a
    changed hyper-parameter, method or shape is captured anew.
    """

    def __init__(self, module: MemoryModule) -> None:
        self.module = module
        self.handle = ops.register(self)
        self._own: dict[Any, CpuProgram] = {}

    def program(self, shape: torch.Size, dtype: torch.dtype) -> CpuProgram:
        """The captured step for one shape.

        Raises: Unsupported when the step cannot become a kernel.
        """
        parts, shareable = fingerprint(self.module)
        key = (parts, shape, dtype)
        store = _shared if shareable else self._own
        if key not in store:
            store[key] = CpuProgram(capture(self.module, shape, dtype), shape, dtype)
        return store[key]

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        outputs, states, _ = self.sequence(tuple(x.unsqueeze(0) for x in inputs), states, ())
        return tuple(y.squeeze(0) for y in outputs), states

    def sequence(
        self, inputs: Tensors, states: Tensors, record: Sequence[int]
    ) -> tuple[Tensors, Tensors, Tensors]:
        """See :class:`snncore.kernels.backends.Kernel`."""
        compiling = torch.compiler.is_compiling()
        if not compiling and in_transform():
            raise NotSupported(
                "backend 'cpp' cannot run inside vmap, grad and other torch.func transforms, nor "
                "in forward-mode differentiation; leave backend=None, or say backend='eager'"
            )
        # A compiler sees an operation of torch and looks no further.
        road = ops if compiling else function
        params = list(tensors_of(self.module).values())
        return road.unroll(self.handle, inputs, states, params, record, self.module.outputs)


class CppBackend:
    """Runs pointwise steps in float32 and float64 on the CPU."""

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
        """Whether the step is pointwise and on the CPU."""
        if plan.device.type != "cpu":
            return f"it runs on the CPU, the input is on {plan.device.type}"
        try:
            CppKernel(plan.module).program(plan.shape, _arithmetic(plan.dtype))
        except Unsupported as error:
            return str(error)
        return None

    def compile(self, plan: Plan) -> CppKernel:
        """Binds the module; programs are captured per shape."""
        return CppKernel(plan.module)


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


def _arithmetic(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
