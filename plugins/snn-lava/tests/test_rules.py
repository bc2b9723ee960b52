"""What the chip refuses: each network gets its finding, with path, reason and fix."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snn_lava.chip import Loihi1, Loihi2
from snncore import layers
from snncore.chip import export, parity, prepare, validate
from snncore.errors import ChipError
from snncore.graph import trace


def lif(name="lif", **settings):
    more = {"decay_input": False} if name == "lif" else {}
    return snn.build("neuron", f"snn-neurons/{name}", **{**more, **settings})


def cuba(**settings):
    return snn.build("neuron", "snn-lava/loihi_cuba", **settings)


def dense(given=6, width=4, bias=False, scale=1.0):
    layer = nn.Linear(given, width, bias=bias)
    with torch.no_grad():
        layer.weight.copy_(scale * torch.linspace(-1, 1, given * width).view(width, given))
        if bias:
            layer.bias.fill_(0.25)
    return layer


def conv(**settings):
    torch.manual_seed(0)
    return nn.Conv2d(2, 3, 3, bias=False, **settings)


class Branches(nn.Module):
    def __init__(self, join):
        super().__init__()
        self.a, self.fire_a = dense(), lif()
        self.b, self.fire_b = dense(), lif()
        self.join = join

    def forward(self, x):
        return self.join(self.fire_a(self.a(x)), self.fire_b(self.b(x)))


class Sliced(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.fire = dense(3), lif()

    def forward(self, x):
        return self.fire(self.a(x[:, :3]))


class Winner(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.fire = dense(), lif()

    def forward(self, x):
        s = self.fire(self.a(x))
        return s * (s == s.amax(-1, keepdim=True)).to(s.dtype)


def with_values(layer, value):
    with torch.no_grad():
        layer.weight.view(-1)[3] = value
    return layer


def negative():
    layer = dense()
    with torch.no_grad():
        layer.weight.copy_(-layer.weight.abs())
    return layer


def zeros():
    layer = dense()
    nn.init.zeros_(layer.weight)
    return layer


VECTOR, IMAGE = (6,), (2, 8, 8)
REFUSED = {
    # what: (network, its input, code, path, part of the sentence)
    "bias behind a current": (
        lambda: nn.Sequential(dense(bias=True), lif("cuba_lif")),
        VECTOR,
        "LAVA109",
        "0",
        "current that outlasts",
    ),
    "bias on the grid of training": (
        lambda: nn.Sequential(dense(bias=True), cuba()),
        VECTOR,
        "LAVA109",
        "0",
        "current that outlasts",
    ),
    "soft reset": (
        lambda: nn.Sequential(dense(), lif(v_reset=None)),
        VECTOR,
        "LAVA004",
        "1",
        "v_reset is not supported",
    ),
    "reset to a value": (
        lambda: nn.Sequential(dense(), lif(v_reset=0.25)),
        VECTOR,
        "LAVA004",
        "1",
        "v_reset is not supported",
    ),
    "refractory time": (
        lambda: nn.Sequential(dense(), lif("refractory_lif")),
        VECTOR,
        "LAVA003",
        "1",
        "has no such neuron",
    ),
    "adaptive threshold": (
        lambda: nn.Sequential(dense(), lif("alif")),
        VECTOR,
        "LAVA003",
        "1",
        "has no such neuron",
    ),
    "max-pool": (
        lambda: nn.Sequential(conv(), nn.MaxPool2d(2), lif()),
        IMAGE,
        "LAVA001",
        "1",
        "has nothing for it",
    ),
    "mean pool over the edge": (
        lambda: nn.Sequential(conv(), nn.AvgPool2d(3, 2, 1), lif()),
        IMAGE,
        "LAVA001",
        "1",
        "has nothing for it",
    ),
    "batch norm without weights": (
        lambda: nn.Sequential(conv(), lif(), nn.BatchNorm2d(3).eval(), nn.Flatten()),
        IMAGE,
        "LAVA001",
        "2",
        "has nothing for it",
    ),
    "transposed convolution": (
        lambda: nn.Sequential(nn.ConvTranspose2d(2, 3, 3, bias=False), lif()),
        IMAGE,
        "LAVA002",
        "0",
        "transposed is not supported",
    ),
    "large stride": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, stride=128, bias=False), lif()),
        (1, 140, 140),
        "LAVA002",
        "0",
        "stride is not supported",
    ),
    "many groups": (
        lambda: nn.Sequential(nn.Conv2d(128, 128, 1, groups=128, bias=False), lif()),
        (128, 2, 2),
        "LAVA002",
        "0",
        "groups is not supported",
    ),
    "large kernel": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, (128, 1), bias=False), lif()),
        (1, 130, 2),
        "LAVA115",
        "0",
        "kernel is too large",
    ),
    "weights that Lava stores wrongly": (
        lambda: nn.Sequential(with_values(negative(), -2.0), cuba()),
        VECTOR,
        "LAVA114",
        "0",
        "minus a power of two",
    ),
    "one axis": (
        lambda: nn.Sequential(nn.Conv1d(2, 3, 3, bias=False), lif()),
        (2, 8),
        "LAVA105",
        "0",
        "over two axes",
    ),
    "sum of branches": (lambda: Branches(torch.add), VECTOR, "LAVA104", "add", "joins branches"),
    "concat": (
        lambda: Branches(lambda a, b: torch.cat((a, b), 1)),
        VECTOR,
        "LAVA001",
        "concat",
        "has nothing for it",
    ),
    "slice": (Sliced, VECTOR, "LAVA001", "getitem", "has nothing for it"),
    "winner takes all": (Winner, VECTOR, "LAVA001", "amax", "has nothing for it"),
    "feedback through neurons": (
        lambda: nn.Sequential(
            dense(),
            layers.ElementWiseRecurrentContainer(nn.Sequential(dense(4), lif())),
        ),
        VECTOR,
        "LAVA104",
        "1",
        "may feed back",
    ),
    "reshape": (
        lambda: nn.Sequential(dense(width=8), lif(), nn.Unflatten(1, (2, 2, 2))),
        VECTOR,
        "LAVA103",
        "2",
        "no flatten",
    ),
    "dense along one axis": (
        lambda: nn.Sequential(dense(8), lif()),
        IMAGE,
        "LAVA103",
        "0",
        "along one axis",
    ),
    "delay of a convolution": (
        lambda: nn.Sequential(conv(), snn.build("layer", "snn-neurons/delay", delay=1), lif()),
        IMAGE,
        "LAVA107",
        "1",
        "ignored, silently",
    ),
    "long delay": (
        lambda: nn.Sequential(dense(), lif(), snn.build("layer", "snn-neurons/delay", delay=63)),
        VECTOR,
        "LAVA004",
        "2",
        "delay is not supported",
    ),
    "delays that add up": (
        lambda: nn.Sequential(
            dense(),
            snn.build("layer", "snn-neurons/delay", delay=40),
            lif(),
            snn.build("layer", "snn-neurons/delay", delay=40),
        ),
        VECTOR,
        "LAVA108",
        "2",
        "add up",
    ),
    "delay of the input": (
        lambda: nn.Sequential(snn.build("layer", "snn-neurons/delay", delay=1), dense(), lif()),
        VECTOR,
        "LAVA108",
        "0",
        "delays no layer's output",
    ),
    "delay and feedback": (
        lambda: nn.Sequential(
            layers.Recurrent(lif(), 6, 4, bias=False),
            snn.build("layer", "snn-neurons/delay", delay=1),
        ),
        VECTOR,
        "LAVA108",
        "1",
        "has no delay",
    ),
    "readout without neurons": (
        lambda: nn.Sequential(dense(), lif(), dense(4, 2)),
        VECTOR,
        "LAVA101",
        "2",
        "no neurons follow",
    ),
    "neurons at the input": (
        lambda: nn.Sequential(lif(), dense(), lif()),
        VECTOR,
        "LAVA102",
        "0",
        "comes before it",
    ),
    "no weights": (
        lambda: nn.Sequential(zeros(), lif()),
        VECTOR,
        "LAVA008",
        "0",
        "weights are zero",
    ),
    "weights below the grid": (
        lambda: nn.Sequential(dense(scale=0.01), cuba()),
        VECTOR,
        "LAVA112",
        "0",
        "become 0 on the grid",
    ),
    "not finite": (
        lambda: nn.Sequential(with_values(dense(), torch.nan), lif()),
        VECTOR,
        "LAVA007",
        "0",
        "not finite",
    ),
    "threshold too large": (
        lambda: nn.Sequential(dense(), lif(v_threshold=1e9)),
        VECTOR,
        "LAVA112",
        "0",
        "become 0 on the grid",
    ),
    "threshold too small": (
        lambda: nn.Sequential(dense(), lif(v_threshold=1e-3)),
        VECTOR,
        "LAVA110",
        "1",
        "17 bits",
    ),
    "threshold below zero": (
        lambda: nn.Sequential(dense(), lif(v_threshold=-1.0)),
        VECTOR,
        "LAVA110",
        "1",
        "17 bits",
    ),
    "thresholds of neurons": (
        lambda: nn.Sequential(dense(), lif(v_threshold=[1.0, 2.0, 1.0, 1.0])),
        VECTOR,
        "LAVA106",
        "1",
        "differs within the layer",
    ),
    "time constants of places": (
        lambda: nn.Sequential(
            conv(), lif(tau=(2 + torch.rand(6, 6, generator=torch.manual_seed(0))).tolist())
        ),
        IMAGE,
        "LAVA005",
        "1",
        "differs within the layer",
    ),
    "time constants of columns": (
        lambda: nn.Sequential(conv(), lif(tau=[2.0, 3.0, 4.0, 2.0, 3.0, 4.0])),
        IMAGE,
        "LAVA106",
        "1",
        "between places of one channel",
    ),
}


@pytest.mark.parametrize("chip", [Loihi1, Loihi2])
@pytest.mark.parametrize("case", REFUSED)
def test_each_fault_has_its_finding(case, chip, tmp_path):
    make, shape, code, path, text = REFUSED[case]
    graph = trace(make(), torch.zeros(1, *shape))
    report = validate(chip(), graph)
    assert all(finding.fix for finding in report.errors)
    found = [f for f in report.errors if (f.code, f.path) == (code, path) and text in f.what]
    assert len(found) == 1, str(report)
    with pytest.raises(ChipError, match=code):
        export(chip(), graph, tmp_path / "a.net")
    assert not list(tmp_path.iterdir())


def test_all_faults_are_in_one_report():
    net = nn.Sequential(
        conv(),
        nn.MaxPool2d(2),
        lif(v_reset=None),
        nn.Flatten(),
        with_values(dense(27, 4), torch.inf),
        lif("alif"),
        dense(4, 2),
    )
    report = validate(Loihi2(), trace(net, torch.zeros(1, *IMAGE)))
    assert [(f.code, f.path) for f in report.errors] == [
        ("LAVA001", "1"),
        ("LAVA004", "2"),
        ("LAVA007", "4"),
        ("LAVA003", "5"),
        ("LAVA101", "6"),
    ]
    assert report.exit_code == 1


def test_graded_spikes_are_simulated_only(tmp_path):
    def graded(threshold):
        return snn.build("neuron", "snn-lava/loihi_graded", v_threshold=threshold)

    net = nn.Sequential(dense(scale=2.0), graded(0.5), dense(4, 3, scale=2.0), graded(1.0))
    graph = trace(net, torch.zeros(1, 6))
    assert [(f.code, f.path) for f in validate(Loihi2(), graph).errors] == [
        ("LAVA113", "1"),
        ("LAVA113", "3"),
    ]
    chip = Loihi2(graded=True)
    assert validate(chip, graph).ok
    x = (torch.rand(30, 4, 6, generator=torch.manual_seed(0)) < 0.4).float()
    # Trained on the grid, to the bit.
    net[0].weight.data = net[0].weight.mul(32).round().div(32)
    net[2].weight.data = net[2].weight.mul(32).round().div(32)
    found = parity(chip, trace(net, torch.zeros(1, 6)), x, "exact")
    assert found.ok, str(found)
    program = chip.lower(prepare(chip, graph)[0])
    output = chip.simulate(program, x).output
    assert output.unique().numel() > 20
    with pytest.raises(ChipError, match="by no file"):
        export(chip, graph, tmp_path / "a.net")
    assert not list(tmp_path.iterdir())
    refused = [f.code for f in validate(Loihi1(), graph).errors]
    assert refused[:2] == ["LAVA003", "LAVA003"]


@pytest.mark.parametrize(
    ("make", "code", "text"),
    [
        (lambda: nn.Sequential(dense(), cuba(current_decay=0.0)), "LAVA150", "12 bits"),
        (lambda: nn.Sequential(dense(), cuba(voltage_decay=1.0)), "LAVA150", "12 bits"),
        (lambda: nn.Sequential(dense(scale=6.0), cuba()), "LAVA151", "clipped"),
        (lambda: nn.Sequential(with_values(dense(scale=0.001), 4.0), lif()), "LAVA152", "become 0"),
        (lambda: nn.Sequential(dense(bias=True), lif()), "LAVA153", "before the first input"),
        (lambda: nn.Sequential(dense(), cuba(v_threshold=0.05)), "LAVA154", "coarse"),
    ],
)
def test_losses_are_warnings(make, code, text):
    report = validate(Loihi2(), trace(make(), torch.zeros(1, 6)))
    assert report.ok, str(report)
    (found,) = (f for f in report.findings if f.code == code)
    assert found.severity == "warn"
    assert text in found.what
    assert found.fix
