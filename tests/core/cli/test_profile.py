from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pytest
from torch import nn

import snncore
from snncore.layers import Flatten, Linear


class Fire(snncore.Neuron):
    def charge(self, x, v):
        return x


def network(in_shape: Sequence[int] = (1, 2, 2), width: int = 3) -> nn.Module:
    net = nn.Sequential(Flatten(), Linear(math.prod(in_shape), width, bias=False), Fire())
    nn.init.ones_(net[1].weight)
    net.in_shape = list(in_shape)
    return net


@pytest.fixture(autouse=True)
def models(make_plugin, install, module):
    module("profiled", network=network, plain=lambda: nn.Linear(4, 2))
    install(
        make_plugin(
            "snn-net",
            components=[
                ("model", "net", "profiled:network"),
                ("model", "plain", "profiled:plain"),
            ],
        )
    )


def test_table(snn) -> None:
    result = snn("profile", "model:net", "--rate", "1", "--steps", "2", "--repeats", "1")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][:4] == ["path", "layer", "ms", "parameters"]
    assert [line[0] for line in lines[1:5]] == [".", "0", "1", "2"]
    assert lines[3][1] == "snncore/linear"
    assert "100.00%" in lines[4]
    assert "Operations alone flatter spiking networks" in result.stdout


def test_json(snn) -> None:
    words = ("--rate", "1", "--steps", "2", "--batch", "3", "--repeats", "1", "--json")
    data = json.loads(snn("profile", "model:net", "--set", "width=5", *words).stdout)
    assert data["schema"] == 1
    assert data["input"] == [2, 3, 1, 2, 2]
    linear = data["rows"][2]
    assert (linear["path"], linear["layer"], linear["parameters"]) == ("1", "snncore/linear", 20)
    assert linear["output"] == [2, 3, 5]
    # 6 sample steps of 4 spikes that reach 5 neurons each.
    assert linear["operations"]["sops"] == 120
    assert data["rows"][3]["rate"] == 1.0
    assert data["uncounted"] == {}
    assert data["energy_pj"] == pytest.approx(120 * 0.9 + 30 * 4.6)


def test_values_and_prices(snn) -> None:
    words = ("--values", "--energy", "int8", "--steps", "1", "--repeats", "1", "--json")
    data = json.loads(snn("profile", "model:net", *words).stdout)
    assert data["rows"][2]["operations"]["mac"] == 12
    assert any("0.23 pJ a MAC" in note for note in data["notes"])


def test_a_network_without_time(snn) -> None:
    words = ("--shape", "4", "--batch", "3", "--repeats", "1", "--json")
    data = json.loads(snn("profile", "model:plain", *words).stdout)
    assert data["input"] == [3, 4]
    assert data["rows"][0]["output"] == [1, 3, 2]


def test_wrong_usage(snn) -> None:
    result = snn("profile", "model:plain")
    assert result.exit_code == 2
    assert "this network names no in_shape; say --shape, as in --shape 2,34,34" in result.stderr
    result = snn("profile", "model:plain", "--shape", "4,x")
    assert result.exit_code == 2
    assert "--shape takes sizes of one item, as in 2,34,34; got '4,x'" in result.stderr
    result = snn("profile", "model:net", "--energy", "loihi")
    assert result.exit_code == 2
    assert "no energy model 'loihi'; there are float32" in result.stderr
    assert snn("profile", "model:net", "--steps", "0").exit_code == 2


def test_an_input_that_does_not_fit(snn) -> None:
    result = snn("profile", "model:net", "--shape", "7")
    assert result.exit_code == 1
    assert "model:net does not run on an input [4, 1, 7]" in result.stderr
    assert result.stderr.strip().endswith("say --shape")
