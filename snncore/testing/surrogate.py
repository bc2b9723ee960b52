"""The conformance kit of surrogates."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from snncore.config import config_of, numeric_parameters
from snncore.testing.conformance import Conformance

Variant = Mapping[str, Any]


class SurrogateConformance(Conformance):
    """A spike function forward, a derivative backward, as tests.

    Attributes:
        kinks: where derivative or primitive jumps; points near them are left out of comparisons.
        heaviside: the forward is Theta(x) with Theta(0) = 1.
        has_primitive: ``primitive(x)`` exists.
        nonnegative: the derivative is nowhere negative.
        deterministic: the forward draws no random numbers.
        reason: needed where one of the last four is False.

    Example:
        >>> class TestATan(SurrogateConformance):
        ...     component = "snncore/atan"
        ...     variants = ({}, {"alpha": 0.5})
    """

    kind: ClassVar[str] = "surrogate"
    kinks: Sequence[float] = ()
    heaviside: bool = True
    has_primitive: bool = True
    nonnegative: bool = True
    deterministic: bool = True

    _flags: ClassVar[tuple[str, ...]] = (
        "heaviside",
        "has_primitive",
        "nonnegative",
        "deterministic",
    )

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
    def test_forward_is_the_heaviside_step(self, variant: Variant, dtype: torch.dtype) -> None:
        self.needs("heaviside")
        x = torch.tensor([-1e30, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0, 1e30], dtype=dtype)
        expected = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1], dtype=dtype)
        _equal(self.make(**variant)(x), expected, f"{self.label}: Theta(x), Theta(0) = 1")

    def test_equal_seeds_give_equal_forwards(self, variant: Variant) -> None:
        surrogate, x = self.make(**variant), self._points()
        expected = _drawn(surrogate, x)
        _equal(_drawn(surrogate, x), expected, f"{self.label}: forward after the same seed")
        if self.deterministic:
            _equal(surrogate(x), expected, f"{self.label}: forward without a seed")

    def test_forward_of_nan_is_silent(self, variant: Variant) -> None:
        self.needs("heaviside")
        y = self.make(**variant)(torch.tensor([float("nan")]))
        _equal(y, torch.zeros(1), f"{self.label}: the spike of NaN")

    @pytest.mark.parametrize("shape", [(), (0, 3), (2, 3, 4)])
    @pytest.mark.parametrize("spiking", [True, False])
    def test_shape_dtype_and_device_are_kept(
        self, variant: Variant, shape: tuple[int, ...], spiking: bool
    ) -> None:
        if not spiking:
            self.needs("has_primitive")
        surrogate = self.make(**variant, spiking=spiking)
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            x = torch.zeros(shape, dtype=dtype)
            for name, y in (("output", surrogate(x)), ("derivative", surrogate.derivative(x))):
                assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device), (
                    f"{self.label}: {name} is {y.dtype} {list(y.shape)} for {dtype} {list(shape)}"
                )

    def test_backward_is_the_derivative(self, variant: Variant) -> None:
        surrogate = self.make(**variant)
        x, weight = self._points().requires_grad_(), self._points(seed=1)
        (found,) = torch.autograd.grad(surrogate(x), x, weight)
        expected = weight * surrogate.derivative(x.detach())
        _equal(found, expected, f"{self.label}: backward against derivative", 1e-12)

    def test_derivative_is_that_of_the_primitive(self, variant: Variant) -> None:
        self.needs("has_primitive")
        surrogate = self.make(**variant)
        x = self._points().requires_grad_()
        (expected,) = torch.autograd.grad(surrogate.primitive(x).sum(), x)
        found = surrogate.derivative(x.detach())
        _equal(found, expected, f"{self.label}: derivative against autograd of primitive", 1e-10)

    def test_smooth_mode_is_differentiable(self, variant: Variant) -> None:
        self.needs("has_primitive")
        surrogate = self.make(**variant, spiking=False)
        x = self._points().requires_grad_()
        _equal(surrogate(x), surrogate.primitive(x), f"{self.label}: smooth forward, primitive")
        try:
            torch.autograd.gradcheck(surrogate, (x,), eps=1e-6, atol=1e-6)
        except RuntimeError as error:
            raise AssertionError(
                f"{self.label}: smooth mode differs from finite differences (declare 'kinks' "
                f"where the derivative jumps): {error}"
            ) from error

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_derivative_is_finite_everywhere(self, variant: Variant, dtype: torch.dtype) -> None:
        tiny = torch.finfo(dtype).tiny
        x = torch.tensor([-1e30, -1.0, -tiny, -0.0, 0.0, tiny, 1.0, 1e30], dtype=dtype)
        surrogate = self.make(**variant)
        for name, y in (
            ("derivative", surrogate.derivative(x)),
            ("backward", _gradient(surrogate, x)),
        ):
            bad = x[~y.isfinite()].tolist()
            assert not bad, f"{self.label}: {name} is not finite at {bad}"

    def test_derivative_is_not_negative(self, variant: Variant) -> None:
        self.needs("nonnegative")
        x = torch.linspace(-6, 6, 601, dtype=torch.float64)
        bad = x[self.make(**variant).derivative(x) < 0].tolist()
        assert not bad, f"{self.label}: derivative is negative at {bad[:5]}"

    def test_frozen_once_used(self, variant: Variant) -> None:
        surrogate = self.make(**variant)
        names = [*numeric_parameters(self.target()), "spiking"]
        surrogate(torch.zeros(2))
        for name in names:
            with pytest.raises(AttributeError, match=r"frozen once used.*assign a new"):
                setattr(surrogate, name, 1.5)

    def test_instances_share_nothing(self, variant: Variant) -> None:
        one, other = self.make(**variant), self.make(**variant)
        assert one is not other, f"{self.label}: two instances are one object"
        mine = {id(tensor) for tensor in (*one.parameters(), *one.buffers())}
        shared = [t for t in (*other.parameters(), *other.buffers()) if id(t) in mine]
        assert not shared, f"{self.label}: two instances share a tensor"

    def test_pickle_and_deepcopy(self, variant: Variant) -> None:
        surrogate, x = self.make(**variant), self._points()
        expected = _drawn(surrogate, x), surrogate.derivative(x)
        for way, twin in (
            ("pickle", pickle.loads(pickle.dumps(surrogate))),
            ("copy.deepcopy", copy.deepcopy(surrogate)),
        ):
            _equal(_drawn(twin, x), expected[0], f"{self.label} after {way}: forward")
            _equal(twin.derivative(x), expected[1], f"{self.label} after {way}: derivative")

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs_component()
        surrogate, x = self.make(**variant), self._points()
        config = config_of(surrogate)
        assert json.loads(json.dumps(config)) == config, f"{self.label}: {config} is no plain data"
        twin = self.make(**config)
        assert config_of(twin) == config, f"{self.label}: config -> instance -> config"
        _equal(twin.derivative(x), surrogate.derivative(x), f"{self.label} rebuilt: derivative")

    def test_learnable_parameter_gets_the_gradient_of_the_primitive(self, variant: Variant) -> None:
        self.needs("has_primitive")
        self.needs_component()
        for name in numeric_parameters(self.target()):
            surrogate = self.make(**variant, learnable=[name]).double()
            x, weight = self._points(), self._points(seed=1)
            leaf = surrogate.get_parameter(name)
            (expected,) = torch.autograd.grad(surrogate.primitive(x), leaf, weight)
            (found,) = torch.autograd.grad(surrogate(x), leaf, weight)
            _equal(found, expected, f"{self.label}: gradient of learnable {name}", 1e-10)

    def test_torch_func(self, variant: Variant) -> None:
        surrogate, x = self.make(**variant), self._points()
        if self.deterministic:
            _equal(torch.func.vmap(surrogate)(x), surrogate(x), f"{self.label} under vmap")
        expected = surrogate.derivative(x)
        by_grad = torch.func.grad(lambda t: surrogate(t).sum())(x)
        _equal(by_grad, expected, f"{self.label} under torch.func.grad", 1e-12)
        by_both = torch.func.vmap(torch.func.grad(surrogate), randomness="different")(x)
        _equal(by_both, expected, f"{self.label} under vmap of grad", 1e-12)

    def _points(self, seed: int = 0) -> Tensor:
        """Irregular points in [-3, 3], none of them near a declared kink."""
        generator = torch.Generator().manual_seed(seed)
        x = 6 * torch.rand(96, generator=generator, dtype=torch.float64) - 3
        for kink in self.kinks:
            x = torch.where((x - kink).abs() < 1e-3, x + 4e-3, x)
        return x


def _drawn(surrogate: Any, x: Tensor) -> Tensor:
    """The forward; equal draws for equal surrogates."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return surrogate(x)


def _gradient(surrogate: Any, x: Tensor) -> Tensor:
    leaf = x.clone().requires_grad_()
    return torch.autograd.grad(surrogate(leaf).sum(), leaf)[0]


def _equal(got: Tensor, expected: Tensor, what: str, atol: float = 0.0) -> None:
    assert_close(got, expected, rtol=atol, atol=atol, msg=lambda text: f"{what} differs: {text}")
