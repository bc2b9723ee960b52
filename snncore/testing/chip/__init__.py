"""The conformance kit of chip exchanges."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from snncore.chip import (
    Chip,
    Trace,
    digest,
    examine,
    export,
    parity,
    prepare,
    validate,
)
from snncore.chip.comparison import Policy
from snncore.errors import ChipError, ToolchainMissing
from snncore.graph import Report, trace
from snncore.testing.chip.networks import NETWORKS, Canonical
from snncore.testing.conformance import Conformance

_DAMAGES = 60


class ChipConformance(Conformance):
    """What every exchange with a chip promises, as tests.

    Attributes:
        runs: which of the canonical networks the chip runs, with the parity that holds between the
            network and the simulator: "exact", "rounded" or "behavioural". All others must be
            refused. The exchange itself may say it: ``conformance = {"runs": {...}}``.
        tolerance: of "rounded".
        params: constructor parameters of the exchange.

    Example:
        >>> class TestMyChip(ChipConformance):
        ...     component = "my-chip/my_chip"
        ...     runs = {"dense_if": "exact", "flatten_dense_dense": "behavioural"}
    """

    kind: ClassVar[str] = "chip"
    runs: Mapping[str, Policy] = {}
    tolerance: float = 0.0
    params: Mapping[str, Any] = {}

    def chip(self) -> Chip[Any]:
        """A fresh exchange."""
        return self.make(**self.params)

    def running(self) -> Sequence[tuple[str, Canonical]]:
        """The networks that the chip runs."""
        assert self.runs, f"{self.label} runs none of {', '.join(NETWORKS)}; set runs = {{...}}"
        unknown = [name for name in self.runs if name not in NETWORKS]
        assert not unknown, f"{self.label}: runs names {unknown}, which are no canonical networks"
        return [(name, NETWORKS[name]) for name in self.runs]

    def test_each_network_runs_or_is_refused_with_reasons(self, tmp_path: Path) -> None:
        """What is accepted can be lowered, exported and simulated; what is not, says why."""
        chip = self.chip()
        for name, canonical in NETWORKS.items():
            graph = canonical.graph()
            report = validate(chip, graph)
            assert report.ok == (name in dict(self.running())), (
                f"{self.label}: {name} is {'accepted' if report.ok else 'refused'}, `runs` says "
                f"otherwise.\n{report}"
            )
            path = tmp_path / name
            if report.ok:
                export(chip, graph, path)
                assert path.exists(), f"{self.label}: {name} was exported, but no file is there"
                continue
            with pytest.raises(ChipError):
                export(chip, graph, path)
            assert not list(tmp_path.glob(f"*{name}*")), (
                f"{self.label}: the refused {name} left a file"
            )
            for finding in report.errors:
                assert finding.what, f"{self.label}: {finding.code} of {name} does not say what"
                assert finding.fix or finding.why or finding.allowed, (
                    f"{self.label}: {finding.code} of {name} says neither why nor what to do"
                )

    def test_the_simulator_is_the_network(self) -> None:
        for name, canonical in self.running():
            found = parity(
                self.chip(),
                canonical.graph(),
                canonical.spikes(),
                self.runs[name],
                tolerance=self.tolerance,
            )
            assert found.ok, f"{self.label}, {name}: {found}"

    def test_files_hold_the_program(self, tmp_path: Path) -> None:
        chip = self.chip()
        for name, canonical in self.running():
            graph, x = canonical.graph(), canonical.spikes()
            program = chip.lower(prepare(chip, graph)[0])
            first, second = (export(chip, graph, tmp_path / f"{name}{i}") for i in (1, 2))
            assert first.sha256 == second.sha256, f"{self.label}: {name} differs between exports"
            loaded = chip.read(first.path)
            assert digest(loaded.content()) == digest(program.content()), (
                f"{self.label}: {name} is read otherwise than it was written"
            )
            ran, again = chip.simulate(program, x), chip.simulate(loaded, x)
            assert torch.equal(ran.output, again.output), f"{self.label}: {name}, read, runs other"

    def test_simulation_depends_on_the_sample_alone(self) -> None:
        """The same twice, for parts of a batch, and with or without recording."""
        chip = self.chip()
        for name, canonical in self.running():
            x = canonical.spikes()
            program = chip.lower(prepare(chip, canonical.graph())[0])
            whole = chip.simulate(program, x)
            where = f"{self.label}, {name}"
            expected = (len(x) + whole.latency, x.shape[1])
            assert whole.output.shape[:2] == expected, (
                f"{where}: x is [T, N, *] = {list(x.shape)}, the output {list(whole.output.shape)} "
                f"at latency {whole.latency}; it must be [T + latency, N, *]"
            )
            named = tuple(chip.layers(program))
            assert named, f"{where}: layers() names none that can be recorded"
            recorded = chip.simulate(program, x, named)
            assert torch.equal(recorded.output, whole.output), f"{where}: recording changes it"
            assert set(recorded.spikes) == set(named), (
                f"{where}: layers() names {list(named)}, recorded are {list(recorded.spikes)}"
            )
            neurons = _neurons(canonical)
            assert set(named) <= set(neurons), (
                f"{where}: layers() names {list(named)}, neurons of the network are {neurons}"
            )
            for path, kept in _kept(recorded):
                assert kept.shape[:2] == expected, (
                    f"{where}: {path} is recorded as {list(kept.shape)}; it must be "
                    f"[T + latency, N, *], T + latency = {expected[0]}"
                )
            for path in recorded.spikes:
                delay = recorded.delays.get(path, 0)
                assert 0 <= delay <= recorded.latency, (
                    f"{where}: {path} lags by {delay}, the output by {recorded.latency}"
                )
            for i in range(x.shape[1]):
                alone = chip.simulate(program, x[:, i : i + 1])
                assert torch.equal(alone.output, whole.output[:, i : i + 1]), (
                    f"{where}: sample {i} runs otherwise alone"
                )

    def test_damaged_files_are_refused(self, tmp_path: Path) -> None:
        """Files that are cut off or changed in a byte: an error, or the same program."""
        chip = self.chip()
        name, canonical = self.running()[0]
        made = export(chip, canonical.graph(), tmp_path / name)
        whole = made.path.read_bytes()
        for i in range(_DAMAGES):
            place = len(whole) * i // _DAMAGES
            flipped = bytes([whole[place] ^ (1 << i % 8)])
            damaged = whole[:place] + (flipped + whole[place + 1 :] if i % 2 else b"")
            made.path.write_bytes(damaged)
            try:
                found = digest(chip.read(made.path).content())
            except ChipError as error:
                found, said = made.sha256, str(error)
            else:
                said = str(made.path)
            assert str(made.path) in said, (
                f"{self.label}: the error for a damaged file does not name it: {said}"
            )
            assert found == made.sha256, (
                f"{self.label}: byte {place} of {len(whole)} is wrong, and another program is read"
            )

    def test_networks_stay_as_they_are(self, tmp_path: Path) -> None:
        chip = self.chip()
        for name, canonical in self.running():
            net = canonical.network()
            before = copy.deepcopy(net.state_dict())
            graph = trace(net, torch.zeros(1, *canonical.shape))
            text = str(graph)
            export(chip, graph, tmp_path / name)
            assert str(graph) == text, f"{self.label}: export of {name} changes the graph"
            for key, value in net.state_dict().items():
                assert torch.equal(value, before[key]), (
                    f"{self.label}: export of {name} writes {key}"
                )

    def test_reports_read_in_three_forms(self) -> None:
        name = next((name for name in NETWORKS if name not in self.runs), None)
        if name is None:
            pytest.skip(f"{self.label} refuses no canonical network")
        report = validate(self.chip(), NETWORKS[name].graph())
        code = report.errors[0].code
        assert code in str(report)
        assert code in report.markdown()
        assert json.loads(report.json())["ok"] is False
        assert Report.from_json(report.json()) == report
        assert code.startswith(self.chip().capabilities().prefix)

    def test_reports_say_what_became_of_the_numbers(self) -> None:
        chip = self.chip()
        for name, canonical in self.running():
            graph = canonical.graph()
            report, program = examine(chip, graph)
            numbers = chip.quantisation(prepare(chip, graph)[0], program)
            if numbers is None:
                pytest.skip(f"{self.label} tells nothing of its numbers")
            assert numbers.rows, f"{self.label}, {name}: table {numbers.title!r} is empty"
            assert numbers in report.tables, (
                f"{self.label}, {name}: table {numbers.title!r} is another at the second call"
            )
            assert numbers.title in str(report)
            assert numbers.title in report.markdown()
            assert Report.from_json(report.json()) == report, (
                f"{self.label}, {name}: table {numbers.title!r} holds what JSON cannot"
            )

    def test_a_missing_toolchain_says_what_is_missing(self, tmp_path: Path) -> None:
        toolchain = self.chip().toolchain()
        elsewhere = self.chip().toolchain(Path(sys.executable))
        assert getattr(elsewhere, "name", None) == getattr(toolchain, "name", None), (
            f"{self.label} has another toolchain in another interpreter"
        )
        if toolchain is None:
            pytest.skip(f"{self.label} has no toolchain")
        reason = toolchain.available()
        if reason is None:
            pytest.skip(f"{toolchain.name} is installed")
        assert reason.strip(), f"{self.label}: {toolchain.name} cannot run and does not say why"
        name, canonical = self.running()[0]
        made = export(self.chip(), canonical.graph(), tmp_path / name)
        with pytest.raises(ToolchainMissing):
            toolchain.run(made.path, canonical.spikes())


def _kept(ran: Trace) -> Iterator[tuple[str, torch.Tensor]]:
    yield from ran.spikes.items()
    for path, named in ran.states.items():
        yield from ((f"{path}, {name}", value) for name, value in named.items())


def _neurons(canonical: Canonical) -> list[str]:
    from snncore.graph import ops

    return [
        node.path or node.name
        for node in canonical.graph()
        if isinstance(node.op, ops.Neuron) and node.op.name.startswith("snn-neurons/")
    ]
