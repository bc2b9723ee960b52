from __future__ import annotations

import json

import pytest
from torch import nn

from snncore.layers import Linear, SeqToANNContainer


def network(width: int = 3) -> nn.Module:
    return nn.Sequential(Linear(width, 2), SeqToANNContainer(nn.ReLU()))


@pytest.fixture(autouse=True)
def models(make_plugin, install, module):
    module("explained", network=network, plain=lambda: nn.Linear(2, 2))
    install(
        make_plugin(
            "snn-net",
            components=[
                ("model", "net", "explained:network"),
                ("model", "plain", "explained:plain"),
            ],
        )
    )


def test_table(snn) -> None:
    result = snn("explain", "model:net", "--set", "width=4")
    assert result.exit_code == 0, result.output
    head, first, *_ = (line.split() for line in result.output.splitlines())
    assert head == ["path", "layer", "mode", "backend", "why", "not", "another"]
    assert first == ["0", "snncore/linear", "s", "torch"]


def test_json(snn) -> None:
    data = json.loads(snn("explain", "model:net", "--json").stdout)
    assert data["schema"] == 1
    assert data["rows"][0] == {
        "path": "0",
        "layer": "snncore/linear",
        "step_mode": "s",
        "backend": "torch",
        "reasons": {},
    }


def test_a_network_without_time(snn) -> None:
    output = snn("explain", "model:plain").output
    assert "no layer of this network is time-aware; snncore.lift(net) makes them so" in output


def test_wrong_usage(snn) -> None:
    assert snn("explain", "nothing").exit_code == 2
    result = snn("explain", "model:net", "--set", "wdth=3")
    assert result.exit_code == 2
    assert "unknown parameter 'wdth' (did you mean 'width'?)" in result.stderr
