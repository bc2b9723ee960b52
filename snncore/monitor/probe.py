"""Probes: the input, output, gradients or an attribute of chosen modules, step by step."""

# Not `from __future__ import annotations`: the constructors of subclasses in other modules are
# made by dataclass, and their parameters are read from the annotations.

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Protocol

import torch
from annotated_types import Ge
from torch import Tensor, nn

from snncore.errors import ConfigError
from snncore.monitor.hooks import Site, not_compiled, own, value_of
from snncore.monitor.records import Memory, Records, Whole
from snncore.monitor.selection import select
from snncore.neuron import Neuron
from snncore.state.memory import MemoryModule
from snncore.state.unroll import one_step

Put = Callable[[Tensor], None]


class Record(Protocol):
    """Takes note of a value in a forward; what it gives back takes what is kept in its place."""

    def __call__(self, value: Tensor, shape: Sequence[int] | None = None) -> Put: ...


@dataclass(frozen=True, kw_only=True)
class Monitor:
    """What to record of which modules. :meth:`watch` records it while a network runs.

    Modules are chosen by any of three conditions, all of which must hold; without one of them
    every neuron is meant.

    Args:
        paths: pattern or patterns of module paths, as ``"block?.*.lif"``.
        component: registered name, as ``"lif"`` or ``"snn-neurons/lif"``.
        module_type: class, as ``nn.Conv2d``.
        transform: applied when a value is recorded, to each time step ``[N, *]`` by itself, so
            that both step modes give it the same; what it returns is kept instead.
        detach: cut records from the autograd graph. ``False`` keeps graph and network alive.
        index: which tensor, where a module takes or gives several.

    Records are ``[T, N, *]`` in either step mode: single steps are joined, time that a layer has
    merged into the batch is told apart again. They are copies: what changes a tensor in place
    later does not reach them. A network may be copied and pickled while it is watched; the copy
    is not. Activation checkpointing records nothing twice.

    Raises: from ``watch``: ConfigError when no module fits, NotSupported for a network made by
        ``torch.compile``, which calls no hooks.
    """

    conformance: ClassVar[dict[str, Any]] = {"variants": ({}, {"paths": "*"})}
    paths: str | Sequence[str] | None = None
    component: str | None = None
    module_type: type[nn.Module] | None = None
    transform: Callable[[Tensor], Tensor] | None = None
    detach: bool = True
    index: Annotated[int, Ge(0)] = 0

    @contextmanager
    def watch(self, net: nn.Module) -> Generator[Records]:
        """Records while the ``with`` block runs; all hooks are gone afterwards, also on error."""
        not_compiled(net)
        chosen = select(net, self.paths, self.component, self.module_type)
        memories = {path: self.memory() for paths in chosen.values() for path in paths}
        with ExitStack() as stack:
            site = Site(net, stack)
            for module in chosen:
                self.attach(module, site, stack, self._record(module, site, memories))
            yield Records(memories)

    def memory(self) -> Memory:
        """How the values of one path are kept."""
        return Whole()

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """Sets the hooks of one module.

        Args:
            record: called with a value in a forward, gives the function that takes what is to be
                recorded in its place: the value itself, or its gradient when that comes. ``shape``
                is the value's with time first, where the site would not guess it.
        """
        raise TypeError(f"{type(self).__name__} must define attach")

    def _record(self, module: nn.Module, site: Site, memories: dict[str, Memory]) -> Record:
        def record(value: Tensor, shape: Sequence[int] | None = None) -> Put:
            memory = memories.get(site.path(module))
            if memory is None:  # it stands at another path, too, which is not watched
                return lambda _: None
            slot, form = memory.reserve(), shape or site.time_first(module, value.shape)
            return lambda found: memory.put(slot, self._kept(found, form))

        return record

    def _kept(self, value: Tensor, shape: Sequence[int]) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.detach):
            steps = (value.detach() if self.detach else value).reshape(shape)
            if self.transform is not None:
                kept = torch.stack([torch.as_tensor(self.transform(x)) for x in steps.unbind(0)])
            else:
                kept = own(steps, value)
        return kept.detach() if self.detach else kept


@dataclass(frozen=True, kw_only=True)
class Input(Monitor):
    """What modules take, ``[T, N, *]``.

    R[t] = f(X[t]),  X the input, f the transform, which is the identity by default

    Args are those of :class:`Monitor`; ``index`` counts inputs given by position.
    Shape: records [T, N, *] in either step mode.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 2))
        >>> with Input(module_type=nn.Linear).watch(net) as records:
        ...     y = net(torch.ones(4, 3))
        >>> records["0"].shape
        torch.Size([1, 4, 3])

    Source: SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """Before each forward."""
        what = f"the input of {site.name(module)}"

        def before(inputs: tuple[Any, ...]) -> None:
            value = value_of(inputs, self.index, what)
            record(value)(value)

        site.before(module, before)


@dataclass(frozen=True, kw_only=True)
class Output(Monitor):
    """What modules give, ``[T, N, *]``: the spikes of neurons.

    R[t] = f(Y[t]),  Y the output, f the transform, which is the identity by default

    Args are those of :class:`Monitor`.
    Shape: records [T, N, *] in either step mode.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
        >>> with Output(paths="1", transform=lambda y: y.mean(-1)).watch(net) as records:
        ...     y = net(torch.ones(4, 3))
        >>> records
        Records('1': [1, 4])

    Source: SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """After each forward."""
        what = f"the output of {site.name(module)}"

        def after(_: tuple[Any, ...], output: Any) -> None:
            value = value_of(output, self.index, what)
            record(value)(value)

        site.after(module, after)


@dataclass(frozen=True, kw_only=True)
class GradOutput(Monitor):
    """Gradients of the loss with respect to what modules give, ``[T, N, *]``.

    R[t] = f(dL/dY[t]),  Y the output, f the transform, which is the identity by default

    dL/dY is summed over all that uses Y. The backward pass must run inside the ``with`` block.
    Single steps are joined in the order of time, although backward meets them the other way round.

    Args are those of :class:`Monitor`.
    Shape: records [T, N, *] in either step mode.
    Source: SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """A hook of the output tensor, which changes nothing of the graph."""
        what = f"the output of {site.name(module)}"

        def after(_: tuple[Any, ...], output: Any) -> None:
            value = value_of(output, self.index, what)
            if value.requires_grad:
                _when_backward(value, record(value), stack)
            else:
                site.path(module)

        site.after(module, after)


@dataclass(frozen=True, kw_only=True)
class GradInput(Monitor):
    """Gradients that modules hand back to their input, ``[T, N, *]``.

    R[t] = f(dY/dX[t]^T dL/dY),  X the input, Y the output, f the transform, which is the identity
    by default

    That is the part of dL/dX that flows through the module, without what flows to X on other ways,
    as in torch's full backward hooks. The backward pass must run inside the ``with`` block. An
    input that requires no gradient has none. Where a module uses its input several times and others
    use it, too, torch may sum these contributions in another order, within rounding.

    Args are those of :class:`Monitor`; ``index`` counts inputs given by position.
    Shape: records [T, N, *] in either step mode.
    Source: SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """A view of the input, whose gradient is this module's alone."""
        what = f"the input of {site.name(module)}"

        def before(inputs: tuple[Any, ...]) -> Any:
            value = value_of(inputs, self.index, what)
            if not (value.requires_grad and torch.is_grad_enabled()):
                site.path(module)
                return None
            view = value.view_as(value)
            _when_backward(view, record(value), stack)
            return (*inputs[: self.index], view, *inputs[self.index + 1 :])

        site.before(module, before)


@dataclass(frozen=True, kw_only=True)
class Attribute(Monitor):
    """An attribute of modules before or after each forward: a state, ``v_seq``, a number.

    R[i] = f(A),  A the attribute at call i, f the transform, which is the identity by default

    An attribute has one value per call, so its record is ``[calls, *]``. That is the same in both
    step modes for ``v_seq`` alone, the potential after each time step, ``[T, N, *]``: neurons keep
    it (``store_v_seq``) while they are watched, whatever backend runs them, and not longer.
    A state before the first input is its initial value.

    Args:
        name: of the attribute, as ``"v"``.
        before: take it before the forward instead of after it.
    Further args are those of :class:`Monitor`.
    Shape: records [calls, *], of ``v_seq`` [T, N, *].
    Raises: ConfigError when a chosen module has no such attribute, or it is no tensor or number.

    Source: SpikingJelly (Science Advances 2023), Fig. 3d.
    """

    conformance: ClassVar[dict[str, Any]] = {"variants": ({},)}
    name: str = field(default="v_seq", kw_only=False)
    before: bool = False

    def attach(self, module: nn.Module, site: Site, stack: ExitStack, record: Record) -> None:
        """Around each forward."""
        where = site.name(module)
        if not hasattr(module, self.name):
            raise ConfigError(f"{where} has no attribute {self.name!r}; narrow the selection")
        neuron = module if self.name == "v_seq" and isinstance(module, Neuron) else None
        borrowed = neuron is not None and _keep_potentials(neuron, stack)

        def take(inputs: tuple[Any, ...], _: Any = None) -> None:
            value = getattr(module, self.name)
            if value is None and isinstance(module, MemoryModule) and self.name in module.states:
                value = _initial(module, self.name, inputs)
            if not isinstance(value, (Tensor, int, float)):
                raise ConfigError(
                    f"attribute {self.name!r} of {where} is {value!r}, no tensor or number"
                    f"{'; it has a value after a forward only' if self.before else ''}"
                )
            tensor = torch.as_tensor(value)
            whole = neuron is not None and neuron.step_mode == "m"
            record(tensor, tensor.shape if whole else (1, *tensor.shape))(tensor)
            if borrowed and self.detach and neuron is not None:
                neuron._v_seq = tensor.detach()

        if self.before:
            site.before(module, take)
        else:
            site.after(module, take)


def _when_backward(value: Tensor, put: Put, stack: ExitStack) -> None:
    def arrived(gradient: Tensor) -> None:
        put(gradient)

    # A graph that outlives the watch must not record any more.
    stack.callback(value.register_hook(arrived).remove)


def _keep_potentials(module: Neuron, stack: ExitStack) -> bool:
    """Makes a neuron keep ``v_seq`` until the watch ends; whether it would not by itself."""

    def restore(kept: bool, last: Tensor | None) -> None:
        module.store_v_seq = kept
        if not kept:
            module._v_seq = last

    kept = module.store_v_seq
    stack.callback(restore, kept, module._v_seq)
    module.store_v_seq = True
    return not kept


def _initial(module: MemoryModule, name: str, inputs: tuple[Any, ...]) -> Tensor:
    now = inputs if module.step_mode == "s" else tuple(map(one_step, inputs))
    return dict(zip(module.states, module.init_states(*now), strict=True))[name]
