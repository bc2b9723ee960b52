"""The kit of chip exchanges: on the chip that `snn new chip` writes, and on wrong ones."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from snncore.chip import Trace, run_source
from snncore.errors import ChipError
from snncore.graph import Finding, Table
from snncore.scaffold.plugin import create
from snncore.testing.chip import ChipConformance
from snncore.testing.chip.networks import NETWORKS, digest


def example(folder: Path):
    """The module with the exchange of a new plugin."""
    made = create("chip", "kit-chip", folder)
    path = made / "src/kit_chip/kit_chip.py"
    if not path.exists():
        (path,) = (p for p in (made / "src/kit_chip").glob("*.py") if "Chip[" in p.read_text())
    spec = importlib.util.spec_from_file_location("kit_chip_example", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    return example(tmp_path_factory.mktemp("chip"))


def exchange(module):
    (cls,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == module.__name__
        and hasattr(value, "lower")
    )
    return cls


class TestExample(ChipConformance):
    runs = {"dense_if": "exact"}

    @pytest.fixture(autouse=True)
    def _cls(self, module):
        self.cls = exchange(module)

    def make(self, **params):
        return self.cls(**params)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_networks_are_what_they_were(name):
    canonical = NETWORKS[name]
    ran = run_source(canonical.graph(), canonical.spikes())
    assert digest(ran.output) == canonical.golden
    assert 0.05 < ran.output.mean() < 0.95


def test_the_example_is_short():
    import snncore.scaffold

    folder = Path(snncore.scaffold.__file__).parent / "templates/chip"
    lines = [len(path.read_text().splitlines()) for path in folder.iterdir()]
    assert sum(lines) < 150


def broken(module, **changed):
    """A kit on the example with some methods replaced."""
    cls = type("Broken", (exchange(module),), changed)

    class Kit(ChipConformance):
        runs = {"dense_if": "exact"}

        def make(self, **params):
            return cls(**params)

    return Kit()


def test_a_simulator_that_is_off_by_a_spike_is_caught(module):
    cls = exchange(module)

    def simulate(self, program, x, record=()):
        ran = cls.simulate(self, program, x, record)
        output = ran.output.clone()
        output[3, 1, 2] = 1 - output[3, 1, 2]
        return replace(ran, output=output)

    kit = broken(module, simulate=simulate)
    with pytest.raises(AssertionError, match=r"dense_if: different \(exact\): 1 of \d+ values"):
        kit.test_the_simulator_is_the_network()


def test_a_simulator_that_mixes_samples_is_caught(module):
    cls = exchange(module)

    def simulate(self, program, x, record=()):
        ran = cls.simulate(self, program, x, record)
        return replace(ran, output=(ran.output + ran.output.mean(1, keepdim=True)).clamp(max=1))

    kit = broken(module, simulate=simulate)
    with pytest.raises(AssertionError, match="sample 0 runs otherwise alone"):
        kit.test_simulation_depends_on_the_sample_alone()


def test_a_layout_of_its_own_is_caught(module):
    cls = exchange(module)

    def simulate(self, program, x, record=()):
        ran = cls.simulate(self, program, x, record)
        return Trace(ran.output.transpose(0, 1))

    kit = broken(module, simulate=simulate)
    with pytest.raises(
        AssertionError, match=r"x is \[T, N, \*\] = \[16, 4, 12\], the output \[4, 16"
    ):
        kit.test_simulation_depends_on_the_sample_alone()


def late(ran):
    """The same run by a chip that answers a step later."""

    def shift(value):
        return torch.cat((torch.zeros_like(value[:1]), value))

    return Trace(
        shift(ran.output),
        {path: shift(value) for path, value in ran.spikes.items()},
        {path: {k: shift(v) for k, v in named.items()} for path, named in ran.states.items()},
        latency=1,
        delays=dict.fromkeys(ran.spikes, 1),
    )


def test_a_chip_may_answer_late(module):
    cls = exchange(module)
    kit = broken(module, simulate=lambda self, *given: late(cls.simulate(self, *given)))
    kit.test_simulation_depends_on_the_sample_alone()
    kit.test_the_simulator_is_the_network()


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (
            lambda ran: replace(ran, output=ran.output[:-1]),
            r"the output \[16, 4, 8\] at latency 1; it must be \[T \+ latency, N, \*\]",
        ),
        (
            lambda ran: replace(ran, spikes={k: v[:-1] for k, v in ran.spikes.items()}),
            r"1 is recorded as \[16, 4, 8\]; it must be \[T \+ latency, N, \*\], T \+ latency = 17",
        ),
        (
            lambda ran: replace(
                ran, states={"1": {"v": ran.states["1"]["v"][1:]}} if ran.states else {}
            ),
            r"1, v is recorded as \[16, 4, 8\]",
        ),
        (
            lambda ran: replace(ran, delays=dict.fromkeys(ran.spikes, 2)),
            "1 lags by 2, the output by 1",
        ),
    ],
    ids=["output", "spikes", "states", "delays"],
)
def test_a_run_that_ends_before_its_last_answer_is_caught(module, spoil, text):
    cls = exchange(module)
    kit = broken(module, simulate=lambda self, *given: spoil(late(cls.simulate(self, *given))))
    with pytest.raises(AssertionError, match=text):
        kit.test_simulation_depends_on_the_sample_alone()


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ((), r"layers\(\) names none that can be recorded"),
        (("1", "7"), r"layers\(\) names \['1', '7'\], recorded are \['1'\]"),
    ],
    ids=["none", "unknown"],
)
def test_layers_that_cannot_be_recorded_are_caught(module, layers, text):
    kit = broken(module, layers=lambda self, program: layers)
    with pytest.raises(AssertionError, match=text):
        kit.test_simulation_depends_on_the_sample_alone()


def test_layers_of_another_network_are_caught(module):
    cls = exchange(module)

    def rename(ran):
        return replace(ran, spikes={f"x{path}": value for path, value in ran.spikes.items()})

    kit = broken(
        module,
        layers=lambda self, program: ("x1",),
        simulate=lambda self, program, x, record=(): rename(
            cls.simulate(self, program, x, [path[1:] for path in record])
        ),
    )
    with pytest.raises(
        AssertionError, match=r"layers\(\) names \['x1'\], neurons of the network are \['1'\]"
    ):
        kit.test_simulation_depends_on_the_sample_alone()


def test_a_toolchain_of_one_interpreter_alone_is_caught(module, tmp_path):
    class Vendor:
        name = "vendor"

    def toolchain(self, interpreter=None):
        return Vendor() if interpreter is None else None

    kit = broken(module, toolchain=toolchain)
    with pytest.raises(AssertionError, match="has another toolchain in another interpreter"):
        kit.test_a_missing_toolchain_says_what_is_missing(tmp_path)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (lambda: Table("Numbers", ("layer",), ()), "dense_if: table 'Numbers' is empty"),
        (
            lambda: Table("Numbers", ("x",), ((object(),),)),
            "table 'Numbers' is another at the second",
        ),
        (
            lambda: Table("Numbers", ("x",), (((1, 2),),)),
            "table 'Numbers' holds what JSON cannot",
        ),
    ],
    ids=["empty", "other", "nested"],
)
def test_tables_of_no_use_are_caught(module, table, text):
    kit = broken(module, quantisation=lambda self, graph, program: table())
    with pytest.raises(AssertionError, match=text):
        kit.test_reports_say_what_became_of_the_numbers()


def test_a_file_without_a_checksum_is_caught(module, tmp_path):
    cls = exchange(module)

    def read(self, path):
        try:
            stored = json.loads(path.read_text("utf-8"))
            stored["sha256"] = ""
            rows = tuple(
                module.Layer(**{**row, "weight": module.np.array(row["weight"], "i4")})
                for row in stored["layers"]
            )
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ChipError(f"{path}: {error}") from error
        return module.Program(rows)

    kit = broken(module, read=read)
    with pytest.raises(
        AssertionError, match=r"byte \d+ of \d+ is wrong, and another program is re"
    ):
        kit.test_damaged_files_are_refused(tmp_path)
    assert cls().read is not read


def test_a_refusal_without_reason_is_caught(module, tmp_path):
    finding = Finding(code="MYCHIP100", severity="error", path="", op="network", what="no")
    kit = broken(module, own_findings=lambda self, graph: (finding,))
    with pytest.raises(AssertionError, match="dense_if is refused, `runs` says otherwise"):
        kit.test_each_network_runs_or_is_refused_with_reasons(tmp_path)
    only = broken(module, own_findings=lambda self, graph: (finding,) if len(graph) > 4 else ())
    with pytest.raises(AssertionError, match=r"MYCHIP100 of .* says neither why nor what to do"):
        only.test_each_network_runs_or_is_refused_with_reasons(tmp_path)


def test_a_network_that_is_written_to_is_caught(module, tmp_path):
    cls = exchange(module)

    def lower(self, graph):
        with torch.no_grad():
            graph["0"].op.weight.mul_(2)
        return cls.lower(self, graph)

    kit = broken(module, lower=lower)
    with pytest.raises(AssertionError, match=r"export of dense_if writes 0\.weight"):
        kit.test_networks_stay_as_they_are(tmp_path)


def test_runs_must_name_networks(module):
    kit = broken(module)
    kit.runs = {"dense": "exact"}
    with pytest.raises(
        AssertionError, match=r"runs names \['dense'\], which are no canonical netw"
    ):
        kit.running()
    kit.runs = {}
    with pytest.raises(AssertionError, match="runs none of dense_if, dense_lif"):
        kit.running()
