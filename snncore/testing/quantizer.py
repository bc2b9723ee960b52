"""The conformance kit of quantisers."""

from __future__ import annotations

import copy
import io
import json
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from snncore.config import config_of, numeric_parameters
from snncore.kernels.capture import capture
from snncore.neuron import Neuron
from snncore.testing.conformance import Conformance

Variant = Mapping[str, Any]
CLOSE = 1e-6
"""Relative: a gradient through x / s and c s is rounded twice."""


class QuantizerConformance(Conformance):
    """Values of a grid forward, a declared slope backward, as tests.

    Attributes:
        domain: between which values inputs are drawn.
        shape: of the inputs; its first axis is that of the channels.
        gridded: values have codes, whole numbers within ``code_range``.
        idempotent: quantising a quantised value changes nothing.
        monotone: a greater value never gives a smaller one.
        pointwise: a value depends on no other value, so that a neuron's step may quantise.
        reason: needed where one of the last four is False.

    Example:
        >>> class TestKBit(QuantizerConformance):
        ...     component = "snncore/k_bit"
        ...     variants = ({}, {"bits": 2})
    """

    kind: ClassVar[str] = "quantizer"
    domain: tuple[float, float] = (-3.0, 3.0)
    shape: tuple[int, int] = (3, 40)
    gridded: bool = True
    idempotent: bool = True
    monotone: bool = True
    pointwise: bool = True

    _flags: ClassVar[tuple[str, ...]] = ("gridded", "idempotent", "monotone", "pointwise")

    def quantizer(self, variant: Variant, **more: Any) -> Any:
        """A quantiser that has seen the kit's values once, in evaluation mode."""
        made = self.make(**{**variant, **more})
        with torch.no_grad():
            made(self.points().to(torch.get_default_dtype()))
        return made.eval()

    def points(self, seed: int = 0) -> Tensor:
        """Irregular values over the domain, float64."""
        generator = torch.Generator().manual_seed(seed)
        low, high = self.domain
        return low + (high - low) * torch.rand(self.shape, generator=generator, dtype=torch.float64)

    @pytest.mark.parametrize("columns", [0, 1, 5])
    def test_shape_dtype_and_device_are_kept(self, variant: Variant, columns: int) -> None:
        quantizer = self.quantizer(variant)
        for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
            x = self.points().to(dtype)[:, :columns]
            y = quantizer(x)
            assert (y.shape, y.dtype, y.device) == (x.shape, dtype, x.device), (
                f"{self.label} gives {y.dtype} {list(y.shape)} for {dtype} {list(x.shape)}"
            )

    def test_integer_input_is_refused(self, variant: Variant) -> None:
        with pytest.raises(TypeError, match=r"takes floating-point values, got torch\.int64"):
            self.quantizer(variant)(torch.ones(self.shape, dtype=torch.int64))

    def test_values_lie_on_the_grid(self, variant: Variant) -> None:
        """Q(x) is decode(encode(x)) to the last bit, whether a gradient is wanted or not."""
        self.needs("gridded")
        quantizer = self.quantizer(variant)
        for dtype in (torch.float32, torch.float64):
            x = self.points().to(dtype)
            codes = quantizer.encode(x).detach()
            low, high = quantizer.code_range
            _equal(codes, codes.round(), f"{self.label}: codes and whole numbers")
            assert codes.min() >= low, f"{self.label}: code {codes.min():g} is below {low:g}"
            assert codes.max() <= high, f"{self.label}: code {codes.max():g} is above {high:g}"
            expected = quantizer.decode(codes).detach().to(dtype)
            assert expected.unique().numel() > 1, (
                f"{self.label} gives one value only over {self.domain}; declare another 'domain'"
            )
            for tracked in (False, True):
                y = quantizer(x.clone().requires_grad_(tracked)).detach()
                _equal(y, expected, f"{self.label}: Q(x) and decode(encode(x))")

    def test_idempotent(self, variant: Variant) -> None:
        self.needs("idempotent")
        quantizer = self.quantizer(variant)
        once = quantizer(self.points()).detach()
        _equal(quantizer(once).detach(), once, f"{self.label}: Q(Q(x)) and Q(x)")

    def test_monotone(self, variant: Variant) -> None:
        self.needs("monotone")
        x = self.points().sort(1).values
        y = self.quantizer(variant)(x).detach()
        falls = (y.diff(dim=1) < 0).nonzero().tolist()
        assert not falls, f"{self.label} falls between sorted values, first at {falls[0]}"

    def test_backward_is_the_derivative(self, variant: Variant) -> None:
        self.needs("pointwise")
        quantizer = self.quantizer(variant)
        x, weight = self.points().requires_grad_(), self.points(seed=1)
        (found,) = torch.autograd.grad(quantizer(x), x, weight)
        expected = weight * quantizer.derivative(x.detach()).detach()
        _equal(found, expected, f"{self.label}: backward against derivative", CLOSE)

    def test_derivative_follows_the_function(self, variant: Variant) -> None:
        """Over the whole domain the slopes add up to the rise, within two steps of the grid."""
        self.needs("pointwise")
        quantizer = self.quantizer(variant)
        x = torch.linspace(*self.domain, 2001, dtype=torch.float64).repeat(self.shape[0], 1)
        y, slope = quantizer(x).detach(), quantizer.derivative(x).detach()
        rise = y[:, -1] - y[:, 0]
        area = torch.trapezoid(slope, x, dim=1)
        step = 2 * y.diff(dim=1).abs().amax(1) + 2 * slope.abs().amax(1) * (x[0, 1] - x[0, 0])
        off = ((rise - area).abs() - step).max().item()
        assert off <= 0, (
            f"{self.label}: its derivative adds up to {area.tolist()} over {self.domain}, where it "
            f"rises by {rise.tolist()}"
        )

    def test_no_number_stays_none(self, variant: Variant) -> None:
        self.needs("pointwise")
        x = self.points()
        x[0, 0] = torch.nan
        y = self.quantizer(variant)(x).detach()
        assert y[0, 0].isnan(), f"{self.label} turns NaN into {y[0, 0].item():g}"
        assert y.flatten()[1:].isfinite().all(), f"{self.label}: NaN spreads to other values"

    def test_input_is_not_changed(self, variant: Variant) -> None:
        x = self.points()
        self.quantizer(variant)(x)
        _equal(x, self.points(), f"{self.label}: its input after and before")

    def test_switched_off_it_passes_values_on(self, variant: Variant) -> None:
        quantizer, x = self.quantizer(variant), self.points()
        quantizer.enabled = False
        _equal(quantizer(x), x, f"{self.label}, not enabled: output and input")

    def test_frozen_nothing_moves(self, variant: Variant) -> None:
        quantizer = self.quantizer(variant)
        before = copy.deepcopy(quantizer.state_dict())
        quantizer.freeze()
        quantizer.train()
        quantizer(7 * self.points(seed=1))
        for name, value in quantizer.state_dict().items():
            same = (
                torch.equal(value, before[name])
                if isinstance(value, Tensor)
                else (value == before[name])
            )
            assert same, f"{self.label}, frozen: {name} moved"
        assert not any(p.requires_grad for p in quantizer.parameters()), (
            f"{self.label}, frozen: a parameter still learns"
        )

    def test_parameters_receive_gradients(self, variant: Variant) -> None:
        """Its own, and every number that it can learn."""
        made = [self.quantizer(variant)]
        if self.component:
            plain = made[0]
            names = [n for n in numeric_parameters(self.target()) if getattr(plain, n) is not None]
            made += [self.quantizer({**variant, "learnable": [name]}) for name in names]
        for quantizer in made:
            for name, parameter in quantizer.named_parameters():
                loss = (quantizer(self.points()) * self.points(seed=1)).sum()
                (found,) = torch.autograd.grad(loss, parameter, allow_unused=True)
                assert found is not None, f"{self.label}: {name} receives no gradient"
                assert found.shape == parameter.shape, (
                    f"{self.label}: {name} receives a gradient of shape {list(found.shape)}"
                )
                assert found.isfinite().all(), f"{self.label}: gradient of {name} is not finite"
                assert found.abs().max() > 0, f"{self.label}: gradient of {name} is 0"

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs_component()
        quantizer = self.quantizer(variant)
        config = config_of(quantizer)
        assert json.loads(json.dumps(config)) == config, f"{self.label}: {config} is no plain data"
        twin = self.make(**config)
        assert config_of(twin) == config, f"{self.label}: config -> instance -> config"

    def test_copies(self, variant: Variant) -> None:
        """pickle, deepcopy, and a state_dict loaded into a fresh one."""
        quantizer, x = self.quantizer(variant), self.points(seed=1)
        file = io.BytesIO()
        torch.save(quantizer.state_dict(), file)
        file.seek(0)
        fresh = self.make(**variant).eval()
        fresh.load_state_dict(torch.load(file, weights_only=True))
        for way, twin in (
            ("pickle", pickle.loads(pickle.dumps(quantizer))),
            ("copy.deepcopy", copy.deepcopy(quantizer)),
            ("load_state_dict", fresh),
        ):
            _equal(twin(x).detach(), quantizer(x).detach(), f"{self.label} after {way}: Q(x)")

    def test_instances_share_nothing(self, variant: Variant) -> None:
        one, other = self.make(**variant), self.make(**variant)
        mine = {id(tensor) for tensor in (*one.parameters(), *one.buffers())}
        shared = [t for t in (*other.parameters(), *other.buffers()) if id(t) in mine]
        assert one is not other, f"{self.label}: two instances are one object"
        assert not shared, f"{self.label}: two instances share a tensor"

    def test_torch_func(self, variant: Variant) -> None:
        self.needs("pointwise")
        quantizer, x = self.quantizer(variant), self.points()
        expected = quantizer.derivative(x).detach()
        found = torch.func.grad(lambda t: quantizer(t).sum())(x)
        _equal(found, expected, f"{self.label} under torch.func.grad", CLOSE)
        pairs = torch.func.vmap(quantizer)(torch.stack([x, x]))
        _equal(pairs[1].detach(), quantizer(x).detach(), f"{self.label} under vmap")

    def test_a_step_with_it_can_become_a_kernel(self, variant: Variant) -> None:
        self.needs("pointwise")
        neuron = Quantizing(self.quantizer(variant))
        found = capture(neuron, torch.Size((2, *self.shape)[-2:]), torch.float32)
        assert found.values, f"{self.label}: captured nothing"


class Quantizing(Neuron):
    """An integrator of quantised input."""

    def __init__(self, quantizer: nn.Module) -> None:
        super().__init__()
        self.quantizer = quantizer

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        return v + self.quantizer(x)


def _equal(got: Tensor, expected: Tensor, what: str, tolerance: float = 0.0) -> None:
    assert_close(
        got,
        expected,
        rtol=tolerance,
        atol=tolerance,
        equal_nan=True,
        msg=lambda text: f"{what} differ: {text}",
    )
