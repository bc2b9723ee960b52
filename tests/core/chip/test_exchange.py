from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from torch import nn

from snncore.chip import (
    Chip,
    compare,
    digest,
    examine,
    export,
    parity,
    prepare,
    run_source,
    save,
    validate,
    written_aside,
)
from snncore.errors import ChipError
from snncore.graph import trace
from snncore.neuron import Neuron


class Summing(Neuron):
    def charge(self, x, v):
        return v + x


def network(grid=1.0, **settings):
    """Two layers whose weights are whole multiples of 1/127 of the largest: none is rounded."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(8, 6, bias=False),
        Summing(**settings),
        nn.Dropout(),
        nn.Linear(6, 3, bias=False),
        Summing(**settings),
    )
    for layer in (net[1], net[4]):
        whole = torch.randint(-127, 128, layer.weight.shape).float()
        whole.view(-1)[0] = 127
        layer.weight.data = whole / 127 * grid
    return net, trace(net, torch.zeros(1, 2, 4))


def spikes(steps=12, samples=5):
    torch.manual_seed(1)
    return (torch.rand(steps, samples, 2, 4) < 0.4).float()


def test_what_fits_runs_alike(toy, tmp_path):
    _, graph = network()
    chip = toy.Toy()
    found = validate(chip, graph)
    assert found.ok, str(found)
    done, used, _ = found.tables
    assert done.rows == (("drop_dropout", "3", "dropout is silent after training"),)
    assert [row[:4] for row in used.rows] == [
        ("1", "Linear", 0, 48),
        ("2", "Summing", 6, 0),
        ("4", "Linear", 0, 18),
        ("5", "Summing", 3, 0),
        ("all", "", 9, 66),
    ]
    report = parity(chip, graph, spikes(), "exact")
    assert report.ok, str(report)
    assert report.bins == 12 * 5 * (6 + 3 + 3)
    assert "same (exact): 0 of 720 values differ" in str(report)
    made = export(chip, graph, tmp_path / "net.toy")
    again = export(chip, graph, tmp_path / "again.toy")
    assert made.sha256 == again.sha256
    x = spikes()
    loaded = chip.read(made.path)
    assert torch.equal(chip.simulate(loaded, x).output, run_source(graph, x).output)
    assert chip.simulate(loaded, x).output.any()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["again.toy", "net.toy"]


def test_a_report_says_what_became_of_the_numbers(toy, tmp_path, monkeypatch):
    _, graph = network()
    chip = toy.Toy()
    lowered = []
    lower = toy.Toy.lower
    monkeypatch.setattr(
        toy.Toy, "lower", lambda *given: lowered.append(lower(*given)) or lowered[-1]
    )
    report, program = examine(chip, graph)
    assert [table.title for table in report.tables] == ["Passes", "Resources", "Quantisation"]
    assert report.tables[2].rows == (("2", 127), ("5", 127))
    assert program is lowered[0]
    assert validate(chip, graph) == report
    made = export(chip, graph, tmp_path / "net.toy")
    assert made.report == report
    assert save(chip, program, tmp_path / "again.toy") == made.sha256
    assert parity(chip, graph, spikes()).ok
    # Once for each of examine, validate, export and parity.
    assert len(lowered) == 4
    _, soft = network(v_reset=None)
    report, program = examine(chip, soft)
    assert program is None
    assert [table.title for table in report.tables] == ["Passes", "Resources"]
    assert len(lowered) == 4


def test_a_chip_need_not_tell_of_its_numbers(toy):
    plain = type("Plain", (toy.Toy,), {"quantisation": Chip.quantisation, "layers": Chip.layers})()
    report, program = examine(plain, network()[1])
    assert [table.title for table in report.tables] == ["Passes", "Resources"]
    assert plain.layers(program) == ()
    assert plain.toolchain() is None


def test_a_difference_is_named_where_it_begins(toy):
    _, graph = network()
    chip = toy.Toy()
    program = chip.lower(prepare(chip, graph)[0])
    (path, weight, threshold), last = program.layers
    wrong = toy.ToyProgram(((path, weight, threshold + 40), last))
    x = spikes()
    source = run_source(graph, x)
    report = compare(source, chip.simulate(wrong, x, tuple(source.spikes)))
    assert not report.ok
    first = report.first
    assert first.layer == "2"
    got = chip.simulate(wrong, x, ("2",)).spikes["2"]
    apart = (got != source.spikes["2"]).nonzero()[0].tolist()
    assert [first.step, first.sample, *first.neuron] == apart
    assert first.expected == 1
    assert first.got == 0
    assert first.states["v"][0] == 0
    assert (
        f"sample {first.sample}, step {first.step}, layer 2, neuron ({first.neuron[0]}): 0, "
        in (str(report))
    )


def test_all_that_does_not_fit_is_said_at_once_and_nothing_is_written(toy, tmp_path):
    net = nn.Sequential(
        nn.Conv2d(2, 2, 3),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(98, 150),
        Summing(v_threshold=torch.linspace(1, 2, 150), v_reset=None),
    )
    net[3].weight.data[0, 0] = torch.nan
    graph = trace(net, torch.zeros(1, 2, 16, 16))
    report = validate(toy.Toy(), graph)
    found = {(finding.code, finding.path) for finding in report.findings}
    assert found == {
        ("TOY001", "0"),
        ("TOY001", "1"),
        ("TOY004", "4"),
        ("TOY005", "4"),
        ("TOY006", "3"),
        ("TOY007", "3"),
        ("TOY011", "3"),
        ("TOY011", ""),
    }
    text = str(report)
    assert (
        "error TOY001 at 1 (Pool): toy has nothing for it, allowed is Linear, Reshape; use a"
        in (text)
    )
    assert (
        "error TOY004 at 4 (Summing): v_reset is not supported, found None, allowed is 0.0 (the "
        "toy's data sheet); train with a hard reset to 0"
    ) in text
    assert (
        "v_threshold differs within the layer, found one per channel, allowed is one per lay"
        in (text)
    )
    assert (
        "more fan-in than toy has, found 98, allowed is at most 64 (the toy's data sheet)" in text
    )
    assert "warn TOY011 at the network (network): more neurons than toy has, found 150" in text
    assert report.exit_code == 1
    with pytest.raises(
        ChipError, match=r"nothing was written\.\nnetwork for toy: \d errors, 1 warn"
    ):
        export(toy.Toy(), graph, tmp_path / "net.toy")
    with pytest.raises(ChipError, match="TOY001"):
        parity(toy.Toy(), graph, torch.zeros(2, 1, 2, 16, 16))
    assert list(tmp_path.iterdir()) == []


def test_the_network_stays_as_it_is(toy, tmp_path):
    net, graph = network()
    net.train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    export(toy.Toy(), graph, tmp_path / "net.toy")
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_damaged_file_is_refused(toy, tmp_path):
    _, graph = network()
    path = export(toy.Toy(), graph, tmp_path / "net.toy").path
    whole = path.read_text()
    path.write_text(whole.replace("127", "126", 1))
    with pytest.raises(ChipError, match="is damaged: its content is not what was written"):
        toy.Toy().read(path)
    path.write_text(whole[: len(whole) // 2])
    with pytest.raises(ChipError, match="is no network of the toy"):
        toy.Toy().read(path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_text("before")

    def fail():
        with written_aside(path) as aside:
            aside.write_text("half")
            raise OSError("disk is full")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["a"]


def test_a_digest_is_of_the_content_alone():
    one = {"a": np.arange(6).reshape(2, 3), "b": 1}
    assert digest(one) == digest({"b": 1, "a": np.arange(6).reshape(2, 3).copy(order="F")})
    assert digest(one) == digest({**one, "a": one["a"].astype(">i8")})
    others = [
        {**one, "a": one["a"].reshape(3, 2)},
        {**one, "a": one["a"].astype(np.int32)},
        {**one, "b": 1.0},
        {"a": one["a"]},
        {"c": one["a"], "b": 1},
    ]
    assert len({digest(one), *map(digest, others)}) == 6


def test_a_number_has_one_digest_whatever_holds_it():
    same = [5, np.int64(5), np.array(5), np.array(5, np.int16)]
    assert len({digest({"a": value, "b": (value, 2)}) for value in same}) == 1
    others = [True, 5.0, np.array([5]), (5,), [5], ("5",), ((5,),), "5"]
    assert len({digest({"a": value}) for value in (5, *others)}) == 9
