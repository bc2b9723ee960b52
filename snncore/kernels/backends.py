"""What a kernel backend offers, and how one is chosen.

A backend is a component of kind ``backend``; a third party may register another. It is chosen
once per (module, device, dtype, grad mode) and kept with the module.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch

from snncore import registry
from snncore.errors import BackendError, SnnError
from snncore.state.memory import MemoryModule
from snncore.state.unroll import Given, Tensors


@dataclass(frozen=True)
class Plan:
    """What a kernel is asked to run.

    Args:
        module: the module whose pure ``step`` is meant.
        device: where its inputs are.
        dtype: dtype of its inputs.
        grad: whether gradients are wanted.
        shape: of one time step of the input.
    """

    module: MemoryModule
    device: torch.device
    dtype: torch.dtype
    grad: bool
    shape: torch.Size

    @classmethod
    def of(cls, module: MemoryModule, x: Given) -> Plan:
        """The plan for one time step like ``x`` in the current grad mode."""
        return cls(module, x.device, x.dtype, torch.is_grad_enabled(), x.shape)


def example_shape(module: MemoryModule) -> torch.Size:
    """A shape of one time step that the module's tensors broadcast against."""
    tensors = (*module.parameters(), *module.buffers())
    return torch.broadcast_shapes((2, 1), *(tensor.shape for tensor in tensors))


class Kernel(Protocol):
    """A module's step, ready to run."""

    def single(self, inputs: Tensors, states: Tensors) -> tuple[Tensors, Tensors]:
        """One time step: outputs and new states."""
        ...

    def sequence(
        self, inputs: Tensors, states: Tensors, record: Sequence[int]
    ) -> tuple[Tensors, Tensors, Tensors]:
        """All time steps: output sequences, final states, recorded state sequences."""
        ...


class Backend(Protocol):
    """A way of running steps. Its class is registered under kind ``backend``."""

    priority: ClassVar[int]
    """The highest that is available and supports a plan is taken by default."""
    devices: ClassVar[tuple[str, ...]]
    """Device types that it runs on, where falling back from it is worth a warning; empty for one
    that runs everywhere and is fallen back to."""

    def available(self) -> str | None:
        """Why it cannot run on this machine; None if it can."""
        ...

    def supports(self, plan: Plan) -> str | None:
        """Why it cannot run this plan; None if it can."""
        ...

    def compile(self, plan: Plan) -> Kernel:
        """A kernel for the plan."""
        ...


@dataclass(frozen=True)
class Choice:
    """The backend that runs a plan, and why each better one does not.

    Args:
        name, backend: what runs.
        rejected: reasons by name.
        missed: those of ``rejected`` that are made for the plan's device.
    """

    name: str
    backend: Backend
    rejected: dict[str, str]
    missed: tuple[str, ...] = ()


def choose(plan: Plan, wanted: str | None = None) -> Choice:
    """The backend named ``wanted``, else the best one that can run ``plan``.

    Raises: BackendError when ``wanted`` cannot run it, with the reason.
    """
    rejected: dict[str, str] = {}
    if wanted is not None:
        backend = registry.get("backend", wanted)()
        reason = _reason(backend, plan)
        if reason is not None:
            raise BackendError(
                f"backend {wanted!r} cannot run {registry.label(plan.module)}: {reason}. "
                "Leave backend=None to let the fastest one that can be chosen."
            )
        return Choice(wanted, backend, rejected)
    missed: list[str] = []
    for name, backend in _candidates(rejected):
        reason = _reason(backend, plan)
        if reason is None:
            # Another backend that is made for the device is no fall-back.
            made = plan.device.type in backend.devices
            return Choice(name, backend, rejected, () if made else tuple(missed))
        rejected[name] = reason
        if plan.device.type in backend.devices:
            missed.append(name)
    raise BackendError(
        f"no backend can run {registry.label(plan.module)}: "
        + "; ".join(f"{name}: {reason}" for name, reason in rejected.items())
    )


def ready(plan: Plan, wanted: str | None = None) -> Kernel:
    """A kernel for the plan; a fall-back to a slower backend warns once with the reason.

    Raises: BackendError as :func:`choose`, and for a fall-back if ``SNN_KERNELS_STRICT`` is set.
    """
    choice = choose(plan, wanted)
    for name in choice.missed:
        text = (
            f"{registry.label(plan.module)} runs on backend {choice.name!r}, because {name!r} "
            f"cannot: {choice.rejected[name]}. Pass backend={choice.name!r} to say that you "
            "want that."
        )
        fall_back(text, stacklevel=3)
    return choice.backend.compile(plan)


def fall_back(text: str, *, stacklevel: int) -> None:
    """Says once that something runs on a slower way, and why.

    Raises: BackendError with the text if ``SNN_KERNELS_STRICT`` is set.
    """
    if os.environ.get("SNN_KERNELS_STRICT", "") not in ("", "0"):
        raise BackendError(text)
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, stacklevel=stacklevel)


_warned: set[str] = set()
# torch.compiler.is_exporting came with torch 2.7.
_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


def leaves_process() -> bool:
    """Whether a program is traced that will run elsewhere, where no kernel of this process is."""
    return not torch.compiler.is_dynamo_compiling() or _exporting()


_preferred: str | None = None


def preferred(named: str | None) -> str | None:
    """The backend that a module asks for: its own, else that of :func:`use_backend`."""
    return _preferred if named is None else named


@contextmanager
def use_backend(name: str | None) -> Generator[None]:
    """Inside a ``with`` block, modules that name no backend run on this one, or raise.

    Args:
        name: of a registered backend; None takes the fastest again.

    Example:
        >>> with use_backend("eager"):
        ...     preferred(None)
        'eager'
    """
    global _preferred
    before = _preferred
    _preferred = name
    try:
        yield
    finally:
        _preferred = before


def _candidates(rejected: dict[str, str]) -> Iterator[tuple[str, Backend]]:
    found: list[tuple[str, Backend]] = []
    for component in registry.components("backend"):
        try:
            found.append((component.name, registry.get("backend", component.qualified)()))
        except SnnError as error:
            rejected[component.qualified] = str(error)
    yield from sorted(found, key=lambda pair: -pair[1].priority)


def _reason(backend: Backend, plan: Plan) -> str | None:
    # Asking whether it is available may take time, import a package, or wake a driver.
    if backend.devices and plan.device.type not in backend.devices:
        return f"it runs on {' and '.join(backend.devices)}, the input is on {plan.device.type}"
    return backend.available() or backend.supports(plan)
