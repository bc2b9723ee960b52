from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from snncore import chip as room
from snncore import layers
from snncore.chip import (
    Between,
    Capabilities,
    FloatGrid,
    IntGrid,
    OneOf,
    Rule,
    check,
    resources,
)
from snncore.graph import trace

OPEN = Capabilities(
    name="open",
    version="1",
    prefix="OPEN",
    ops=dict.fromkeys(("Linear", "Conv", "Add", "Reshape"), Rule()),
    neurons={},
    weight=IntGrid(-127, 127),
    bias=IntGrid(-4096, 4095),
    topology="recurrent",
    max_rank=4,
)


def codes(findings):
    return [finding.code for finding in findings]


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        return self.layer(x) + x


FORMS = {
    "sequential": lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)),
    "dag": Branching,
    "recurrent": lambda: nn.Sequential(layers.Recurrent(nn.Identity(), 3, 3)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("allowed", FORMS)
def test_the_form_of_a_network(form, allowed):
    graph = trace(FORMS[form](), torch.zeros(1, 3))
    record = replace(OPEN, topology=allowed, ops={**OPEN.ops, "Identity": Rule()})
    order = list(FORMS)
    wrong = order.index(form) > order.index(allowed)
    found = check(graph, record)
    assert codes(found) == ["OPEN009"] * wrong
    if wrong:
        assert found[0].value == ("feedback" if form == "recurrent" else "branches")
        assert found[0].allowed == allowed


def test_axes_weights_and_halves():
    net = nn.Sequential(nn.Conv3d(1, 2, 1), nn.Flatten(), nn.Linear(16, 2))
    net[2].weight.data.zero_()
    net[0].weight.data[0] = 1e6
    net[0].weight.data[1] = 1e-9
    graph = trace(net, torch.zeros(1, 1, 2, 2, 2))
    record = replace(OPEN, max_rank=3, weight=FloatGrid("float16"))
    found = check(graph, record)
    assert sorted((f.code, f.severity, f.path) for f in found) == [
        ("OPEN008", "error", "2"),
        ("OPEN010", "error", "0"),
        ("OPEN010", "error", "x"),
        ("OPEN012", "error", "0"),
        ("OPEN012", "warn", "0"),
    ]
    over, flushed = (f for f in found if f.code == "OPEN012")
    assert (over.what, over.value) == ("weights overflow in float16", "1 of 2")
    assert (flushed.what, flushed.value) == ("weights become 0 in float16", "1 of 2")


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(2, 4, 3), (2, 5, 6)),
        (nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2), (2, 5, 6)),
        (nn.Conv1d(3, 2, 3, dilation=2, padding=2), (3, 7)),
        (nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 3, 3)),
        (nn.Linear(4, 3), (4,)),
    ],
)
def test_synapses_are_counted_one_by_one(layer, shape):
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    with torch.no_grad():
        used = layer(torch.ones(1, *shape))
    ((_, _, neurons, synapses, fan_in), _) = resources(
        trace(nn.Sequential(layer), torch.zeros(1, *shape))
    ).rows
    # With weights and inputs of 1 an output is the number of its synapses.
    assert (neurons, synapses, fan_in) == (0, int(used.sum()), int(used.max()))


def test_bounds():
    assert Between(1, 3).allows((1, 2, 3))
    assert not Between(1, 3).allows((1, 4))
    assert not Between(low=0).allows(None)
    assert [str(b) for b in (Between(), Between(1), Between(None, 2), Between(1, 2))] == [
        "any",
        "at least 1",
        "at most 2",
        "1 to 2",
    ]
    assert OneOf((0.0, None)).allows(None)
    assert not OneOf((0.0,)).allows(False)
    assert str(OneOf((0.0, None))) == "0.0 or None"


def test_parameters_of_operations_are_compared():
    record = replace(OPEN, ops={"Conv": Rule(parameters={"dilation": Between(1, 1)}, fix="use 1")})
    graph = trace(nn.Sequential(nn.Conv1d(1, 1, 2, dilation=2)), torch.zeros(1, 1, 5))
    (found,) = check(graph, record)
    assert str(found) == (
        "error OPEN002 at 0 (Conv): dilation is not supported, found (2,), allowed is 1 to 1; use 1"
    )


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: IntGrid(3, 1), "low is 3, above high, 1"),
        (lambda: IntGrid(-3, 4, 2), "low and high must be multiples of the step, 2"),
        (lambda: FloatGrid("float8"), "float16"),
        (lambda: replace(OPEN, prefix="open"), "pattern"),
        (lambda: replace(OPEN, topology="tree"), "sequential"),
        (lambda: replace(OPEN, max_rank=0), "greater than or equal to 1"),
        (lambda: replace(OPEN, limits={"speed": 3}), "fan_in"),
    ],
)
def test_records_are_validated(make, text):
    with pytest.raises(ValidationError, match=text):
        make()


@pytest.mark.parametrize(
    ("grid", "bits"),
    [
        (IntGrid(-128, 127), 8),
        (IntGrid(-256, 254, 2), 9),
        (IntGrid(0, 255), 8),
        (IntGrid(-1, 0), 1),
    ],
)
def test_bits(grid, bits):
    assert grid.bits == bits


def test_the_room_names_its_parts():
    for name in room.__all__:
        assert getattr(room, name) is not None
        assert name in dir(room)
    with pytest.raises(AttributeError, match=r"module 'snncore\.chip' has no attribute 'Chips'"):
        room.Chips  # noqa: B018
