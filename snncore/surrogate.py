"""Surrogate gradients: a Heaviside step forward, a smooth derivative backward.

A surrogate is one class with ``derivative`` and ``primitive``, and with ``spike`` where its forward
is no Heaviside step; the autograd wiring is here, once.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Gt
from torch import Tensor, nn

from snncore.config import Numeric, from_spec
from snncore.numeric import NumericModule


def _theta(x: Tensor) -> Tensor:
    return (x >= 0).to(x.dtype)


def _tracked(*tensors: Tensor) -> bool:
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


class _Part(nn.Module):
    """One method of a surrogate as a module, so that its tensors can be handed in."""

    def __init__(self, surrogate: Surrogate, method: str) -> None:
        super().__init__()
        self.surrogate, self.method = surrogate, method

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self.surrogate, self.method)(x)


def _evaluate(surrogate: Surrogate, method: str, x: Tensor, tensors: list[Tensor]) -> Tensor:
    if not tensors:
        return getattr(surrogate, method)(x)
    # By the time of backward the surrogate may hold others than the forward ran with.
    table = dict(zip(surrogate.tensors(), tensors, strict=True))
    named = {f"surrogate.{name}": tensor for name, tensor in table.items()}
    return torch.func.functional_call(_Part(surrogate, method), named, (x,))


class _Spike(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, surrogate: Surrogate, *tensors: Tensor) -> Tensor:
        return _evaluate(surrogate, "spike", x, list(tensors))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.surrogate, *tensors = inputs
        ctx.save_for_backward(x, *tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, *tensors = ctx.saved_tensors
        (grad,) = grads
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = grad * _evaluate(ctx.surrogate, "derivative", x, tensors)
        places = [i for i in range(len(tensors)) if ctx.needs_input_grad[2 + i]]
        to_tensors: list[Tensor | None] = [None] * len(tensors)
        if places:
            with torch.enable_grad():
                smooth = _evaluate(ctx.surrogate, "primitive", x.detach(), tensors)
            found = torch.autograd.grad(smooth, [tensors[i] for i in places], grad)
            for i, gradient in zip(places, found, strict=True):
                to_tensors[i] = gradient
        return to_x, None, *to_tensors


class Surrogate(NumericModule):
    """A spike function: ``Theta(x)`` forward with ``Theta(0) = 1``, ``derivative(x)`` backward.

    Subclasses write :meth:`derivative` and, for plots and the smooth mode, :meth:`primitive`.
    One with another forward (several levels, random spikes) overrides :meth:`spike` too.
    A surrogate is frozen once it has been called, so that kernels can key on it. A learnable
    parameter receives the gradient of the primitive.

    Args:
        spiking: with ``False`` the forward is the primitive itself and everything is smooth.

    Shape: any; the output has the shape and dtype of the input.
    """

    _free: ClassVar[frozenset[str]] = frozenset({"training"})

    def __init__(self, *, spiking: bool = True) -> None:
        super().__init__()
        self._used = False
        self.spiking = spiking

    def spike(self, x: Tensor) -> Tensor:
        """The value of the forward, in the shape and dtype of x; its own gradient is not used."""
        return _theta(x)

    def derivative(self, x: Tensor) -> Tensor:
        """The derivative that backward uses in place of the Heaviside step's."""
        raise TypeError(f"{type(self).__name__} must define derivative(x)")

    def primitive(self, x: Tensor) -> Tensor:
        """The function whose derivative is :meth:`derivative`."""
        raise TypeError(
            f"{type(self).__name__} defines no primitive(x); smooth mode and learnable "
            "parameters need one"
        )

    def forward(self, x: Tensor) -> Tensor:
        """Spikes for ``x``, usually membrane potential minus threshold."""
        if not self._used:
            self._used = True
        if not self.spiking:
            return self.primitive(x)
        tensors = tuple(self.tensors().values())
        if torch.compiler.is_compiling() and not _tracked(x, *tensors):
            # Dynamo hands a context to the forward of a Function that needs no gradient.
            return self.spike(x)
        return _Spike.apply(x, self, *tensors)  # pyright: ignore[reportReturnType]

    def tensors(self) -> dict[str, Tensor]:
        """Parameters and buffers by name."""
        return {**dict(self.named_parameters()), **dict(self.named_buffers())}

    def __setattr__(self, name: str, value: Any) -> None:
        used = self.__dict__.get("_used", False)
        if used and not name.startswith("_") and name not in self._free:
            raise AttributeError(
                f"{type(self).__name__} is frozen once used; to change {name!r}, "
                f"assign a new {type(self).__name__} to the neuron's surrogate"
            )
        super().__setattr__(name, value)

    def extra_repr(self) -> str:
        """Parameters, and the smooth mode where it is on."""
        return super().extra_repr() + ("" if self.spiking else ", spiking=False")


def as_surrogate(spec: Any) -> Surrogate:
    """A surrogate from a name, a table with ``name``, or a finished one.

    Raises: TypeError for anything else; as :func:`snncore.build` for names and tables.
    """
    surrogate = from_spec("surrogate", spec)
    if not isinstance(surrogate, Surrogate):
        raise TypeError(
            f"surrogate must be a name, a table or a Surrogate, got {type(spec).__name__}"
        )
    return surrogate


Alpha = Annotated[Numeric, Gt(0)]


class _Scaled(Surrogate):
    alpha: float | Tensor

    def __init__(self, alpha: Alpha, *, spiking: bool) -> None:
        super().__init__(spiking=spiking)
        self.set_numeric("alpha", alpha)


class Sigmoid(_Scaled):
    """Logistic surrogate.

    d(x) = a s (1 - s), s = sigma(a x); primitive sigma(a x)

    Args:
        alpha: steepness a > 0.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> Sigmoid()(torch.zeros(1)).item()
        1.0

    Source: SpikingJelly (Science Advances 2023), default alpha 4.
    """

    def __init__(self, alpha: Alpha = 4.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(self.alpha * x)
        return self.alpha * s * (1.0 - s)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.alpha * x)


class ATan(_Scaled):
    """Arc tangent surrogate.

    d(x) = (a/2) / (1 + (pi a x / 2)^2); primitive atan(pi a x / 2) / pi + 1/2

    Args:
        alpha: steepness a > 0.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> ATan(2.0).derivative(torch.zeros(1)).item()
        1.0

    Source: Fang et al., Incorporating learnable membrane time constant, ICCV 2021.
    """

    def __init__(self, alpha: Alpha = 2.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        scaled = (math.pi / 2) * self.alpha * x
        return (self.alpha / 2) / (1.0 + scaled * scaled)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.atan((math.pi / 2) * self.alpha * x) / math.pi + 0.5


class PiecewiseQuadratic(_Scaled):
    """Triangular surrogate.

    d(x) = a - a^2 |x| for |x| <= 1/a, else 0;
    primitive 0, -a^2 |x| x / 2 + a x + 1/2, 1 below, within and above

    Args:
        alpha: height a > 0; the width is 2/a.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> PiecewiseQuadratic(1.0).derivative(torch.tensor([0.5])).item()
        0.5

    Source: Bellec et al., Long short-term memory in networks of spiking neurons, NeurIPS 2018.
    """

    def __init__(self, alpha: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        a = self.alpha
        return torch.where(x.abs() * a <= 1.0, a - a * a * x.abs(), 0.0)

    def primitive(self, x: Tensor) -> Tensor:
        a = self.alpha
        inside = -(a * a) / 2 * x.abs() * x + a * x + 0.5
        return torch.where(x.abs() * a <= 1.0, inside, (x >= 0).to(x.dtype))


class SoftSign(_Scaled):
    """Soft sign surrogate.

    d(x) = 1 / (2 a (1/a + |x|)^2); primitive (a x / (1 + |a x|) + 1) / 2

    Args:
        alpha: steepness a > 0.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> SoftSign(2.0).derivative(torch.zeros(1)).item()
        1.0

    Source: SpikingJelly (Science Advances 2023).
    """

    def __init__(self, alpha: Alpha = 2.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        distance = 1.0 / self.alpha + x.abs()
        return 1.0 / (2.0 * self.alpha * distance * distance)

    def primitive(self, x: Tensor) -> Tensor:
        scaled = self.alpha * x
        return (scaled / (1.0 + scaled.abs()) + 1.0) / 2.0


class Erf(_Scaled):
    """Gaussian surrogate.

    d(x) = a / sqrt(pi) exp(-a^2 x^2); primitive erfc(-a x) / 2

    Args:
        alpha: steepness a > 0.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> round(Erf(2.0).derivative(torch.zeros(1)).item(), 4)
        1.1284

    Source: Yin et al., Effective and efficient computation with multiple-timescale spiking
        recurrent neural networks, ICONS 2020.
    """

    def __init__(self, alpha: Alpha = 2.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        scaled = self.alpha * x
        return self.alpha / math.sqrt(math.pi) * torch.exp(-scaled * scaled)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.erfc(-self.alpha * x) / 2.0


class Rect(_Scaled):
    """Rectangular surrogate.

    d(x) = a for |x| < 1 / (2 a), else 0; primitive clamp(a x + 1/2, 0, 1)

    Args:
        alpha: height a > 0; the width is 1/a.
        spiking: see :class:`Surrogate`.
    Shape: any; the output has the shape and dtype of the input.
    Example:
        >>> Rect(1.0).derivative(torch.tensor([0.25, 0.5])).tolist()
        [1.0, 0.0]

    Source: Wu et al., Spatio-temporal backpropagation for training high-performance spiking
        neural networks, Frontiers in Neuroscience 2018.
    """

    def __init__(self, alpha: Alpha = 1.0, *, spiking: bool = True) -> None:
        super().__init__(alpha, spiking=spiking)

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() * self.alpha < 0.5).to(x.dtype) * self.alpha

    def primitive(self, x: Tensor) -> Tensor:
        return (self.alpha * x + 0.5).clamp(0.0, 1.0)
