"""The functions of printed Triton kernels, for float32 and float64, IEEE where that is defined.

On a device the transcendental ones are libdevice's. The interpreter cannot call it; there they are
torch's, on the CPU.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl
from torch import Tensor
from triton import knobs
from triton.language.extra import libdevice

_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "erf": torch.erf,
    "erfc": torch.erfc,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "rint": torch.round,
    "trunc": torch.trunc,
    "pow": torch.pow,
    "fmod": torch.fmod,
}


def _interpreted(function: Callable[..., Tensor]) -> Callable[..., Any]:
    from triton.runtime.interpreter import TensorHandle

    def apply(*arguments: Any) -> Any:
        given = [torch.from_numpy(np.ascontiguousarray(a.handle.data)) for a in arguments]
        first = arguments[0]
        return tl.tensor(TensorHandle(function(*given).numpy(), first.handle.dtype), first.type)

    return apply


# Typed as anything: inside a kernel these names belong to Triton, whose stubs return None.
_library: Any = libdevice
if knobs.runtime.interpret:
    _library = SimpleNamespace(**{name: _interpreted(f) for name, f in _FUNCTIONS.items()})


@triton.jit
def div(x, y):
    """x / y, rounded to nearest; the language's own float32 quotient is an approximation."""
    if y.dtype == tl.float64:
        return x / y
    else:
        return tl.div_rn(x, y)


@triton.jit
def sqrt(x):
    """Square root, rounded to nearest."""
    if x.dtype == tl.float64:
        return tl.sqrt(x)
    else:
        return tl.sqrt_rn(x)


@triton.jit
def neg(x):
    """-x; the language's own minus is 0 - x, which turns 0.0 into 0.0."""
    return x * -1.0


@triton.jit
def max(x, y):
    """The larger; NaN if either is."""
    return tl.where((x > y) | (x != x), x, y)


@triton.jit
def min(x, y):
    """The smaller; NaN if either is."""
    return tl.where((x < y) | (x != x), x, y)


@triton.jit
def abs(x):
    """Absolute value."""
    return tl.abs(x)


@triton.jit
def sign(x):
    """-1, 0 or 1; 0 for NaN, as torch has it."""
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


@triton.jit
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return div(1.0, 1.0 + _library.exp(x * -1.0))


@triton.jit
def exp(x):
    """e to the power x."""
    return _library.exp(x)


@triton.jit
def expm1(x):
    """exp(x) - 1, right near 0."""
    return _library.expm1(x)


@triton.jit
def log(x):
    """Natural logarithm."""
    return _library.log(x)


@triton.jit
def log1p(x):
    """log(1 + x), right near 0."""
    return _library.log1p(x)


@triton.jit
def tanh(x):
    """Hyperbolic tangent."""
    return _library.tanh(x)


@triton.jit
def sin(x):
    """Sine."""
    return _library.sin(x)


@triton.jit
def cos(x):
    """Cosine."""
    return _library.cos(x)


@triton.jit
def atan(x):
    """Arc tangent."""
    return _library.atan(x)


@triton.jit
def erf(x):
    """Error function."""
    return _library.erf(x)


@triton.jit
def erfc(x):
    """1 - erf(x), right for large x."""
    return _library.erfc(x)


@triton.jit
def floor(x):
    """The next whole number below."""
    return _library.floor(x)


@triton.jit
def ceil(x):
    """The next whole number above."""
    return _library.ceil(x)


@triton.jit
def round(x):
    """The nearest whole number, halves to even."""
    return _library.rint(x)


@triton.jit
def trunc(x):
    """The next whole number toward zero."""
    return _library.trunc(x)


@triton.jit
def pow(x, y):
    """x to the power y."""
    return _library.pow(x, y)


@triton.jit
def fmod(x, y):
    """The remainder of x / y with the sign of x, exact."""
    return _library.fmod(x, y)


@triton.jit
def quotient(x, y):
    """x / y of integers, rounded toward zero; the language's own differs between its backends."""
    found = tl.abs(x) // tl.abs(y)
    return tl.where((x < 0) != (y < 0), -found, found)


@triton.jit
def floor_quotient(x, y):
    """x / y of integers, rounded down."""
    found = quotient(x, y)
    return tl.where((found * y != x) & ((x < 0) != (y < 0)), found - 1, found)


@triton.jit
def remainder(x, y):
    """What is left of x / y rounded down."""
    return x - floor_quotient(x, y) * y
