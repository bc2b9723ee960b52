"""What all kits share: the component under test, its variants, and what it declares."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from snncore import config, registry
from snncore.errors import SnnError


class Conformance:
    """A kit of tests. A subclass names its ``component`` or overrides :meth:`make`.

    What a component can do is said in class attributes of the subclass, or by the component
    itself in a class attribute ``conformance = {"smooth": False, "reason": "..."}``, which is
    all that ``snn check`` and the contract suite see. The subclass wins.

    Attributes:
        component: qualified name in the registry.
        variants: constructor parameters; every test that takes a ``variant`` runs for each.
        reason: why a capability is switched off. No test is left out without one.

    Raises: TypeError when a subclass overrides a test of the kit, or switches a capability off
        without a reason.
    """

    kind: ClassVar[str]
    component: str = ""
    variants: Sequence[Mapping[str, Any]] = ({},)
    reason: str = ""

    _flags: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in cls.__mro__[1:]:
            if not base.__module__.startswith("snncore.testing."):
                continue
            for name in vars(base):
                if name.startswith("test_") and not _kept(cls, name):
                    raise TypeError(
                        f"{cls.__name__} overrides {name} of the conformance kit. Delete the "
                        'override, or mark it @pytest.mark.xfail(reason="...", strict=True).'
                    )
        _need_reason(cls.__name__, {flag: getattr(cls, flag) for flag in cls._flags}, cls.reason)

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Runs every test that takes a ``variant`` once per variant."""
        if "variant" in metafunc.fixturenames:
            variants = self.declared().get("variants", self.variants)
            metafunc.parametrize("variant", variants, ids=[_variant_id(v) for v in variants])

    @pytest.fixture(autouse=True)
    def _adopt_declared(self) -> None:
        for name, value in self.declared().items():
            setattr(self, name, value)

    def declared(self) -> dict[str, Any]:
        """The capabilities that the component declares and the subclass leaves open."""
        if not self.component:
            return {}
        try:
            table = getattr(self.target(), "conformance", {})
        except SnnError:
            # The tests themselves report it; collecting them must not.
            return {}
        known = {
            name
            for cls in _kit_classes(type(self))
            for name, value in vars(cls).items()
            if not (callable(value) or name.startswith("_"))
        }
        unknown = [name for name in table if name not in known]
        if unknown:
            raise TypeError(f"{self.label}: {', '.join(unknown)} in 'conformance' is no capability")
        flags = {name: table[name] for name in table if name in self._flags}
        _need_reason(self.label, flags, table.get("reason", ""))
        kit = _kit_classes(type(self))[0]
        return {
            name: value
            for name, value in table.items()
            if getattr(type(self), name) is getattr(kit, name)
        }

    def make(self, **params: Any) -> Any:
        """A fresh component with these constructor parameters."""
        return config.build(self.kind, self.qualified, **params)

    def target(self) -> Any:
        """The class under test."""
        if self.component:
            return registry.get(self.kind, self.component)
        return type(self.make(**self.variants[0]))

    @property
    def qualified(self) -> str:
        """The component's name in the registry.

        Raises: TypeError when the subclass names none.
        """
        if not self.component:
            raise TypeError(
                f"{type(self).__name__} names no component; write "
                'component = "distribution/name", or override make(self, **params)'
            )
        return self.component

    @property
    def label(self) -> str:
        """How messages name the component."""
        return f"{self.kind} {self.component or type(self).__name__}"

    def needs(self, flag: str) -> None:
        """Skips the test when the component declares that it cannot do this."""
        if not getattr(self, flag):
            pytest.skip(f"{self.label} declares {flag} = False: {self.reason}")

    def needs_component(self) -> None:
        """Skips a test that goes through the registry when the kit is used without a name."""
        if not self.component:
            pytest.skip(f"{type(self).__name__} makes its own instances and names no component")


def _kit_classes(cls: type) -> list[type]:
    return [base for base in cls.__mro__ if base.__module__.startswith("snncore.testing.")]


def _kept(cls: type, name: str) -> bool:
    """Whether ``cls.<name>`` is still the kit's, or openly expected to fail."""
    found = getattr(cls, name)
    if getattr(found, "__module__", "").startswith("snncore.testing."):
        return True
    return any(
        mark.name == "xfail" and mark.kwargs.get("strict") and mark.kwargs.get("reason")
        for mark in _marks(found)
    )


def _marks(function: Any) -> Iterator[Any]:
    yield from getattr(function, "pytestmark", ())


def _need_reason(owner: str, flags: Mapping[str, Any], reason: str) -> None:
    off = [flag for flag, value in flags.items() if not value]
    if off and not reason:
        raise TypeError(
            f'{owner} declares {off[0]} = False without a reason; say why: reason = "..." beside it'
        )


def _variant_id(variant: Mapping[str, Any]) -> str:
    parts = [f"{name}={_short(value)}" for name, value in variant.items()]
    return ",".join(parts) or "default"


def _short(value: Any) -> str:
    try:
        return json.dumps(value)
    except TypeError:
        return type(value).__name__
