"""Counts the operations of a network while it runs, with its real inputs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from snncore.errors import ConfigError
from snncore.monitor.energy import MODELS
from snncore.monitor.hooks import Site, at_work, not_compiled, observing
from snncore.monitor.operations import OperationReport
from snncore.monitor.rules import FREE, RULES, Call, LayerCall, LayerRule, Rule, Rules
from snncore.state.checkpointing import in_backward


class OperationCounter:
    """Counts synaptic operations, MACs, ACs, neuron updates and memory traffic, layer by layer.

    sops = sum over the ones j of an input of zeros and ones of fanout_j, each an accumulate;
    mac = sum over the elements j of any other input of fanout_j

    Hooks tell which layer runs; the operations of torch that it runs are counted by a rule each,
    so matrix products and convolutions in a forward of one's own count as those of layers do. An
    input of zeros and ones alone counts one accumulate for every synapse that a one reaches; any
    other input counts a multiply-accumulate for every synapse, zeros included. Synapses into
    padding do not exist. A neuron counts one update per time step. What has no rule is listed as
    not counted, with its layer. Backward passes are not counted.

    Args:
        energy: name of a model in :data:`snncore.monitor.MODELS`, for the printed energies.
        operations: further rules, by name of the operation (``"mm"``, ``"mylib::op"``).
        layers: further rules, by layer type; each speaks for all that happens inside its layer.
    Shape: an :class:`Operations` record by module path.
    Raises: ConfigError for an unknown model; from ``watch`` NotSupported for a network made by
        ``torch.compile``.

    Example:
        >>> net = nn.Sequential(nn.Linear(3, 5, bias=False))
        >>> with OperationCounter().watch(net) as report:
        ...     y = net(torch.tensor([[1.0, 0.0, 1.0]]))
        >>> report["0"].sops, report["0"].mac, report["0"].dense
        (10, 0, 15)

    Source: synaptic operations as in Merolla et al., Science 2014; prices in :mod:`.energy`.
    """

    conformance: ClassVar[dict[str, Any]] = {
        "transforms": False,
        "reason": "counts of operations, not a record of values",
    }

    def __init__(
        self,
        *,
        energy: str = "float32",
        operations: Mapping[str, Rule] | None = None,
        layers: Mapping[type[nn.Module], LayerRule] | None = None,
    ) -> None:
        if energy not in MODELS:
            raise ConfigError(f"no energy model {energy!r}; there are {', '.join(MODELS)}")
        self.energy = energy
        self.operations = operations
        self.layers = layers

    @contextmanager
    def watch(self, net: nn.Module) -> Generator[OperationReport]:
        """Counts what ``net`` does inside the ``with`` block."""
        not_compiled(net)
        report = OperationReport(MODELS[self.energy])
        rules = RULES.extended(self.operations or {}, self.layers or {})
        with ExitStack() as stack:
            layers = _Layers(net, Site(net, stack), rules, report)
            stack.enter_context(_Watcher(layers, rules, report, net))
            yield report


class _Layers:
    """Which layer runs; counts those with a rule of their own."""

    def __init__(self, net: nn.Module, site: Site, rules: Rules, report: OperationReport) -> None:
        self.site, self.rules, self.report = site, rules, report
        self.running: list[tuple[str, bool]] = []
        for module in net.modules():
            self._attach(module, module is net)

    def _attach(self, module: nn.Module, root: bool) -> None:
        whole = self.rules.of(module, self.rules.layers)
        beside = self.rules.of(module, self.rules.beside)
        rule = whole or beside

        def before(inputs: tuple[Any, ...]) -> None:
            if root:
                self.running.clear()
                self._count_steps(module, inputs)
            path = self.site.path(module)
            covered = bool(self.running) and self.running[-1][1]
            self.running.append((path, covered or whole is not None))

        def after(inputs: tuple[Any, ...], output: Any) -> None:
            path, _ = self.running.pop()
            covered = bool(self.running) and self.running[-1][1]
            if rule is None or covered or output is None:
                return
            x = next((x for x in inputs if isinstance(x, Tensor)), None)
            steps = 1 if x is None else self.site.time_first(module, x.shape)[0]
            found = rule(LayerCall(module, inputs, output, steps))
            if isinstance(found, str):
                self.report.miss(path, found)
            else:
                self.report.add(path, found)

        self.site.before(module, before)
        self.site.after(module, after, always=True)

    def _count_steps(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        x = next((x for x in inputs if isinstance(x, Tensor)), None)
        if x is not None:
            shape = self.site.time_first(module, x.shape)
            self.report.sample_steps += shape[0] * (shape[1] if len(shape) > 1 else 1)


class _Watcher(TorchDispatchMode):
    """Sees every operation of torch."""

    def __init__(
        self, layers: _Layers, rules: Rules, report: OperationReport, net: nn.Module
    ) -> None:
        super().__init__()
        self.layers, self.rules, self.report = layers, rules, report
        tensors = (*net.parameters(), *net.buffers())
        self.weights = frozenset(t.untyped_storage().data_ptr() for t in tensors)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        options = kwargs or {}
        name = func.name().partition(".")[0].removeprefix("aten::")
        running = self.layers.running
        if not running or running[-1][1] or observing() or in_backward():
            return func(*args, **options)
        rule = self.rules.operations.get(name)
        if rule is None and name not in FREE:
            # Inference mode hands operations over before torch has taken them apart.
            with self:
                found = func.decompose(*args, **options)
            if found is not NotImplemented:
                return found
        out = func(*args, **options)
        if name in FREE or func.is_view:
            return out
        first = out[0] if isinstance(out, (tuple, list)) and out else out
        if not isinstance(first, Tensor) or not _computes(first, args):
            return out
        path = running[-1][0]
        if rule is None:
            self.report.miss(path, name)
        else:
            with at_work():
                self.report.add(path, rule(Call(args, first, self.weights)))
        return out


def _computes(out: Tensor, args: tuple[Any, ...]) -> bool:
    """Whether numbers of the network are at work, not indices and counters."""
    return any(
        x.is_floating_point() or x.is_complex() or x.dtype == torch.bool
        for x in tree_leaves((out, args))
        if isinstance(x, Tensor)
    )
