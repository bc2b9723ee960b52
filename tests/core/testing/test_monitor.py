"""Deliberately wrong monitors: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import snncore
from snncore.testing.monitor import MonitorConformance


class Right:
    """Records the spikes of neurons: the monitor that all the wrong ones are made from."""

    detached = True
    owned = True

    def __init__(self, *, transform: Any = None) -> None:
        self.transform = transform

    @contextmanager
    def watch(self, net: nn.Module) -> Iterator[dict[str, torch.Tensor]]:
        records: dict[str, torch.Tensor] = {}
        found = [(p, m) for p, m in net.named_modules() if isinstance(m, snncore.Neuron)]
        handles = [m.register_forward_hook(self.hook(records, p, m)) for p, m in found]
        try:
            yield records
        finally:
            self.close(handles)

    def close(self, handles: list[Any]) -> None:
        for handle in handles:
            handle.remove()

    def hook(self, records: dict[str, torch.Tensor], path: str, owner: nn.Module) -> Any:
        def call(module: Any, _: Any, output: torch.Tensor) -> None:
            if module is owner or not self.owned:
                self.record(records, path, self.steps(module, output))

        return Picklable(call)

    def steps(self, module: Any, output: torch.Tensor) -> torch.Tensor:
        kept = output.detach() if self.detached else output
        steps = kept if module.step_mode == "m" else kept.unsqueeze(0)
        return self.apply(steps).clone()

    def apply(self, steps: torch.Tensor) -> torch.Tensor:
        return steps if self.transform is None else torch.stack([*map(self.transform, steps)])

    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        records[path] = torch.cat([records[path], value]) if path in records else value


class Picklable:
    """A hook whose pickles and copies do nothing, unless it is shared with them."""

    def __init__(self, call: Any = None) -> None:
        self.call = call

    def __call__(self, *values: Any) -> Any:
        return self.call and self.call(*values)

    def __reduce__(self) -> Any:
        return Picklable, ()

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class WatchesCopies(Right):
    owned = False


class KeepsHooks(Right):
    def close(self, handles: list[Any]) -> None:
        handles[0].remove()


class KeepsHooksOnError(Right):
    contexts: ClassVar[list[Any]] = []

    @contextmanager
    def watch(self, net: nn.Module) -> Iterator[dict[str, torch.Tensor]]:
        context = super().watch(net)
        self.contexts.append(context)  # dropped, it would close itself
        yield context.__enter__()
        context.__exit__(None, None, None)


class KeepsSettings(Right):
    @contextmanager
    def watch(self, net: nn.Module) -> Iterator[dict[str, torch.Tensor]]:
        for module in net.modules():
            if isinstance(module, snncore.Neuron):
                module.store_v_seq = True
        with super().watch(net) as records:
            yield records


class KeepsGraph(Right):
    detached = False


class Changes(Right):
    def hook(self, records: Any, path: str, owner: nn.Module) -> Any:
        inner = super().hook(records, path, owner)

        def call(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            inner(module, inputs, output)
            return output * (1 + 1e-6)

        return Picklable(call)


class ScalesGradients(Right):
    def hook(self, records: Any, path: str, owner: nn.Module) -> Any:
        inner = super().hook(records, path, owner)

        def call(module: Any, inputs: Any, output: torch.Tensor) -> None:
            inner(module, inputs, output)
            if output.requires_grad:
                output.register_hook(lambda g: g * (1 + 1e-6))

        return Picklable(call)


class ForgetsTime(Right):
    def steps(self, module: Any, output: torch.Tensor) -> torch.Tensor:
        return self.apply(output.detach().unsqueeze(0)).clone()


class KeepsLast(Right):
    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        records[path] = value


class NamesClasses(Right):
    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        super().record(records, f"{path}.Leaky", value)


class RecordsNothing(Right):
    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        return


class TransformsSequences(Right):
    def apply(self, steps: torch.Tensor) -> torch.Tensor:
        return steps if self.transform is None else self.transform(steps)


class IgnoresTransform(Right):
    def apply(self, steps: torch.Tensor) -> torch.Tensor:
        if self.transform is not None:
            self.transform(steps[0])
        return steps


class SharesRecords(Right):
    table: ClassVar[dict[str, torch.Tensor]] = {}

    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        super().record(self.table, path, value)
        records.update(self.table)


@pytest.mark.parametrize(
    ("wrong", "test", "arguments", "text"),
    [
        (WatchesCopies, "copies_are_not_watched", (), "after a run of its copy.deepcopy"),
        (KeepsHooks, "hooks_are_gone", (), "after its 'with' block: .*_forward_hooks changed"),
        (KeepsHooksOnError, "hooks_are_gone", (), "after an error in its 'with' block"),
        (KeepsSettings, "hooks_are_gone", (), "store_v_seq changed"),
        (KeepsGraph, "no_graph_is_kept", (), "require grad"),
        (Changes, "outputs_and_gradients_stay", ("m",), "inside: output differs"),
        (Changes, "no_grad_changes_nothing", (), "another output under torch.no_grad"),
        (ScalesGradients, "outputs_and_gradients_stay", ("s",), "inside: gradient of the input"),
        (ForgetsTime, "both_modes_record_the_same", (), r"is \[5, 3, 6\], expected \[1, 5, 3, 6\]"),
        (KeepsLast, "both_modes_record_the_same", (), r"is \[1, 3, 6\], expected \[5, 3, 6\]"),
        (NamesClasses, "records_stand_at_paths", ("m",), "are no paths of the network"),
        (RecordsNothing, "records_stand_at_paths", ("s",), "has recorded nothing of a forward"),
        (TransformsSequences, "transform_is_applied", (), r"expected one time step \[3, \*\]"),
        (IgnoresTransform, "transform_is_applied", (), "is not transformed"),
        (SharesRecords, "watches_are_independent", (), "two watches at once|a second 'with' block"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_a_wrong_monitor_is_caught(adopt, caught, wrong, test, arguments, text):
    SharesRecords.table.clear()
    name = f"test_{test}"
    kit = adopt(MonitorConformance, wrong)
    with pytest.raises(caught, match=text):
        getattr(kit, name)({}, *arguments)
    getattr(adopt(MonitorConformance, Right), name)({}, *arguments)


def test_a_right_monitor_passes_the_rest(adopt):
    kit = adopt(MonitorConformance, Right, transforms=True)
    kit.test_an_error_in_a_forward_leaves_no_trace({})
    for mode in ("s", "m"):
        kit.test_outputs_and_gradients_stay({}, mode)
        kit.test_records_stand_at_paths({}, mode)


class Confused(Right):
    """Names calls by the order of their beginning, which an error in a forward throws off."""

    @contextmanager
    def watch(self, net: nn.Module) -> Iterator[dict[str, torch.Tensor]]:
        with super().watch(net) as records:
            begun: list[int] = []
            done: list[int] = []
            hooks = [
                net.register_forward_pre_hook(lambda *_: begun.append(1)),
                net.register_forward_hook(lambda *_: done.append(1)),
            ]
            yield records
            for hook in hooks:
                hook.remove()
            if len(begun) != len(done):
                records["lost"] = torch.zeros(1)


def test_confused_paths_are_caught(adopt, caught):
    kit = adopt(MonitorConformance, Confused)
    with pytest.raises(caught, match="an error in a forward confuses the paths of the next one"):
        kit.test_an_error_in_a_forward_leaves_no_trace({})


class Rounds(Right):
    """Keeps another value than it is given."""

    def __init__(self, *, first: int = 0, transform: Any = None) -> None:
        super().__init__(transform=transform)
        self.first = first + 1

    def record(self, records: dict[str, torch.Tensor], path: str, value: torch.Tensor) -> None:
        super().record(records, path, value + self.first)


def test_a_config_that_is_not_kept_is_caught(adopt, caught):
    with pytest.raises(caught, match=r"rebuilt: 'stem\.2' differs"):
        adopt(MonitorConformance, Rounds).test_config_round_trip({})
    adopt(MonitorConformance, Right).test_config_round_trip({})
