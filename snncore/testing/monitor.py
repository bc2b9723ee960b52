"""The conformance kit of monitors."""

from __future__ import annotations

import copy
import gc
import io
import json
import weakref
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

import snncore
from snncore.config import config_of
from snncore.layers import Flatten, Linear
from snncore.neuron import Neuron
from snncore.step import StepMode
from snncore.testing.conformance import Conformance

Variant = Mapping[str, Any]
MODES: tuple[StepMode, ...] = ("s", "m")


class Leaky(Neuron):
    """The neuron of the kit's network."""

    def charge(self, x: Tensor, v: Tensor) -> Tensor:
        """H = V / 2 + X."""
        return 0.5 * v + x


class Branching(nn.Module):
    """Nested containers, one layer at two places, an addition in place beside a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        shared = Linear(6, 6)
        self.stem = nn.Sequential(Flatten(), Linear(4, 6), Leaky())
        self.body = nn.ModuleList([shared, nn.Sequential(nn.ReLU(inplace=True), shared)])
        self.head = nn.Sequential(Leaky(v_reset=None), Linear(6, 3))

    def forward(self, x: Tensor) -> Tensor:
        """``[N, 2, 2]`` or ``[T, N, 2, 2]``."""
        x = self.stem(x)
        y = x
        for part in self.body:
            y = part(y)
            if self.broken:
                raise ZeroDivisionError
        y += x
        return self.head(y)


class MonitorConformance(Conformance):
    """What every monitor of the platform promises, as tests.

    A monitor has ``watch(net)``, a context manager that gives a mapping from module paths to what
    it has recorded: tensors ``[T, N, *]``, or objects that can be compared.

    Attributes:
        steps, batch: size of the kit's input.
        modes_agree: single steps, joined, record what a whole sequence does.
        transforms: the constructor takes ``transform``.
        detaches: records hold no graph.
        reason: needed where one of the last three is False.

    The kit's network is :class:`Branching`; where a monitor needs another, override
    :meth:`network`.

    Example:
        >>> class TestRate(MonitorConformance):
        ...     component = "snncore/rate"
        ...     variants = ({}, {"over": "time"})
    """

    kind: ClassVar[str] = "monitor"
    steps: int = 5
    batch: int = 3
    modes_agree: bool = True
    transforms: bool = True
    detaches: bool = True

    _flags: ClassVar[tuple[str, ...]] = ("modes_agree", "transforms", "detaches")

    def network(self) -> nn.Module:
        """The network that is watched, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            return Branching()

    def input(self) -> Tensor:
        """``[T, N, *]`` for the network."""
        generator = torch.Generator().manual_seed(2)
        shape = (self.steps, self.batch, 2, 2)
        return 4 * torch.rand(shape, generator=generator) - 1

    def watch(self, variant: Variant, net: nn.Module, **more: Any) -> AbstractContextManager[Any]:
        """A fresh monitor's watch of ``net``."""
        return self.make(**{**variant, **more}).watch(net)

    @pytest.mark.parametrize("mode", MODES)
    def test_outputs_and_gradients_stay(self, variant: Variant, mode: StepMode) -> None:
        """Bit for bit, inside the block and after it."""
        free, watched = self.network(), self.network()
        expected = _run(free, self.input(), mode)
        with self.watch(variant, watched):
            _same(_run(watched, self.input(), mode), expected, f"{self.label} inside: ")
        _same(_run(watched, self.input(), mode), expected, f"{self.label} afterwards: ")

    def test_no_grad_changes_nothing(self, variant: Variant) -> None:
        free, watched = self.network(), self.network()
        with torch.no_grad():
            snncore.set_step_mode(free, "m")
            snncore.set_step_mode(watched, "m")
            expected = free(self.input())
            with self.watch(variant, watched):
                found = watched(self.input())
        assert torch.equal(found, expected), f"{self.label}: another output under torch.no_grad"

    @pytest.mark.parametrize("mode", MODES)
    def test_records_stand_at_paths(self, variant: Variant, mode: StepMode) -> None:
        records = self._recorded(variant, self.network(), mode)
        paths = [path for path, _ in self.network().named_modules(remove_duplicate=False)]
        assert len(records) > 0, f"{self.label} has recorded nothing of a forward and a backward"
        unknown = [path for path in records if path not in paths]
        assert not unknown, f"{self.label}: {unknown} are no paths of the network"

    def test_both_modes_record_the_same(self, variant: Variant) -> None:
        self.needs("modes_agree")
        single = self._recorded(variant, self.network(), "s")
        whole = self._recorded(variant, self.network(), "m")
        _agree(single, whole, f"{self.label}, single steps against a sequence: ")

    def test_hooks_are_gone(self, variant: Variant) -> None:
        """And whatever else the monitor set, after the block and after an error in it."""
        net = self.network()
        before = _settings(net)
        with self.watch(variant, net):
            _run(net, self.input(), "m")
        _unchanged(net, before, f"{self.label} after its 'with' block")
        with pytest.raises(ZeroDivisionError), self.watch(variant, net):
            raise ZeroDivisionError
        _unchanged(net, before, f"{self.label} after an error in its 'with' block")

    def test_an_error_in_a_forward_leaves_no_trace(self, variant: Variant) -> None:
        net = self.network()
        before = _settings(net)
        with self.watch(variant, net) as records:
            for broken in (True, False):
                vars(net)["broken"] = broken
                with pytest.raises(ZeroDivisionError) if broken else nullcontext():
                    _run(net, self.input(), "m")
        found = dict(records)
        _unchanged(net, before, f"{self.label} after an error in a forward")
        assert found.keys() == self._recorded(variant, self.network(), "m").keys(), (
            f"{self.label}: an error in a forward confuses the paths of the next one"
        )

    def test_watches_are_independent(self, variant: Variant) -> None:
        """Each block begins empty; two at once see the same."""
        net = self.network()
        monitor = self.make(**variant)
        with monitor.watch(net) as first, self.watch(variant, net) as second:
            _run(net, self.input(), "m")
        kept = dict(first)
        _agree(second, kept, f"{self.label}, two watches at once: ")
        with monitor.watch(net) as third:
            _run(net, self.input(), "m")
        _agree(third, kept, f"{self.label}, a second 'with' block: ")
        _agree(first, kept, f"{self.label}, the first records after a second block: ")

    def test_copies_are_not_watched(self, variant: Variant) -> None:
        """A copy made inside runs as the network does and adds nothing to the records."""
        net = self.network()
        with self.watch(variant, net) as records:
            expected = _run(net, self.input(), "m")
            kept = dict(records)
            file = io.BytesIO()
            torch.save(net, file)
            file.seek(0)
            for way, twin in (
                ("copy.deepcopy", copy.deepcopy(net)),
                ("torch.save", torch.load(file, weights_only=False)),
            ):
                twin.zero_grad()
                _same(_run(twin, self.input(), "m"), expected, f"{self.label}, {way} inside: ")
                _agree(records, kept, f"{self.label} after a run of its {way}: ")

    def test_no_graph_is_kept(self, variant: Variant) -> None:
        self.needs("detaches")
        net = self.network()
        snncore.set_step_mode(net, "m")
        with self.watch(variant, net) as records:
            token = _Token()
            alive = weakref.ref(token)
            x = cast("Tensor", _Holding.apply(self.input().requires_grad_(), token))
            del token
            y = net(x)
            y.square().sum().backward(retain_graph=True)
            snncore.reset(net)
            tracked = [p for p, r in records.items() if isinstance(r, Tensor) and r.requires_grad]
            assert not tracked, f"{self.label}: the records of {tracked} require grad"
            del x, y
            gc.collect()
            assert alive() is None, f"{self.label} keeps the autograd graph alive"

    def test_transform_is_applied(self, variant: Variant) -> None:
        """To each time step, when it is recorded, in both modes."""
        self.needs("transforms")
        shapes: list[torch.Size] = []

        def transform(x: Tensor) -> Tensor:
            shapes.append(x.shape)
            return 0 * x.flatten(1).sum(1) + 1

        for mode in MODES:
            shapes.clear()
            records = self._recorded(variant, self.network(), mode, transform=transform)
            plain = self._recorded(variant, self.network(), mode)
            assert records.keys() == plain.keys(), f"{self.label}: other paths with a transform"
            assert shapes, f"{self.label} has called no transform"
            wrong = [shape for shape in shapes if shape[:1] != (self.batch,)]
            assert not wrong, (
                f"{self.label}: in step_mode {mode!r} the transform gets {list(wrong[0])}, "
                f"expected one time step [{self.batch}, *]"
            )
            full = {p: r for p, r in records.items() if _is_record(r, self.steps, self.batch)}
            for path, record in full.items():
                assert record.eq(1).all(), f"{self.label}: {path!r} is not transformed"

    def test_config_round_trip(self, variant: Variant) -> None:
        self.needs_component()
        monitor = self.make(**variant)
        config = config_of(monitor)
        assert json.loads(json.dumps(config)) == config, f"{self.label}: {config} is no plain data"
        with self.make(**config).watch(net := self.network()) as records:
            _run(net, self.input(), "m")
        expected = self._recorded(variant, self.network(), "m")
        _agree(records, expected, f"{self.label} rebuilt: ")

    def _recorded(
        self, variant: Variant, net: nn.Module, mode: StepMode, **more: Any
    ) -> dict[str, Any]:
        with self.watch(variant, net, **more) as records:
            _run(net, self.input(), mode)
        return dict(records)


class _Token:
    """Something whose death can be seen."""


class _Holding(torch.autograd.Function):
    """Identity; its node in the graph holds the token."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, token: _Token) -> Tensor:
        ctx.token = token
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return *grads, None


def _run(net: nn.Module, x: Tensor, mode: StepMode) -> dict[str, Tensor]:
    """Output and all gradients of one forward and backward from rest."""
    snncore.reset(net)
    net.zero_grad()
    snncore.set_step_mode(net, mode)
    x = x.clone().requires_grad_()
    y = net(x) if mode == "m" else torch.stack([net(now) for now in x.unbind(0)])
    weight = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
    (y * weight).sum().backward()
    snncore.reset(net)
    grads = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    found = {"output": y.detach(), "gradient of the input": x.grad, **grads}
    return {name: value for name, value in found.items() if value is not None}


def _same(found: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    assert found.keys() == expected.keys(), f"{what}gradients of {sorted(found)}"
    for name, value in expected.items():
        assert torch.equal(found[name], value), f"{what}{name} differs"


def _agree(found: Mapping[str, Any], expected: Mapping[str, Any], what: str) -> None:
    """Equal records; tensors within the rounding of sums in another order."""
    lost = [path for path in expected if path not in found]
    assert not lost, f"{what}no record of {lost}"
    for path, wanted in expected.items():
        got = found[path]
        if not isinstance(wanted, Tensor):
            assert got == wanted, f"{what}{path!r} is {got}, expected {wanted}"
            continue
        assert got.shape == wanted.shape, (
            f"{what}{path!r} is {list(got.shape)}, expected {list(wanted.shape)}"
        )
        text = f"{what}{path!r} differs"
        assert_close(got, wanted, rtol=1e-5, atol=1e-6, msg=lambda more, t=text: f"{t}: {more}")


def _is_record(record: Any, steps: int, batch: int) -> bool:
    return isinstance(record, Tensor) and tuple(record.shape[:2]) == (steps, batch)


_TABLES = (
    "_forward_hooks",
    "_forward_pre_hooks",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_forward_hooks_always_called",
    "_forward_hooks_with_kwargs",
)


def _settings(net: nn.Module) -> dict[str, Any]:
    """Hooks, and attributes that are plain values, of every module."""
    found: dict[str, Any] = {}
    for path, module in net.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, (bool, int, float, str, type(None))):
                found[f"{path}.{name}"] = value
        for table in _TABLES:
            found[f"{path}.{table}"] = len(getattr(module, table))
    for name, value in vars(torch.nn.modules.module).items():
        if name.startswith("_global_") and isinstance(value, dict):
            found[name] = len(cast("dict[Any, Any]", value))
    return found


def _unchanged(net: nn.Module, before: Mapping[str, Any], what: str) -> None:
    snncore.reset(net)
    for module in net.modules():
        # The mode is the caller's.
        if isinstance(module, snncore.StepModule):
            module.step_mode = "s"
    after = _settings(net)
    changed = [
        name
        for name, value in before.items()
        if after.get(name) != value and not name.endswith(("_graph", "_step_mode", "_used"))
    ]
    assert not changed, f"{what}: {', '.join(changed)} changed"
