from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated

import pytest
from annotated_types import Ge, Gt


class Toy:
    """A toy.

    It plays.

    y = size x  (``fast``);
    z <- y

    Args:
        size: its size = a number.
    Source: Toy et al.,
        Journal of Toys, 1999.
    """

    def __init__(
        self,
        size: Annotated[float, Gt(0)] = 2.5,
        *,
        name: str,
        stop: Annotated[int, Ge(1)] | None = None,
    ) -> None: ...


@dataclass(frozen=True)
class Record:
    licence: str = "CC0"
    samples: int = 3


class ToyData:
    info = Record()


@pytest.fixture(autouse=True)
def toys(make_plugin, install, module):
    module("toys", Toy=Toy, ToyData=ToyData)
    install(
        make_plugin(
            "snn-toys",
            components=[
                ("neuron", "toy", "toys:Toy"),
                ("neuron", "lost", "toys:Lost"),
                ("dataset", "toy", "toys:ToyData"),
            ],
        )
    )


def test_page(snn) -> None:
    result = snn("info", "neuron", "toy")
    assert result.exit_code == 0
    lines = {tuple(line.split(None, 1)) for line in result.output.splitlines() if line.strip()}
    stripped = {tuple(part.strip() for part in line) for line in lines}
    assert {
        ("neuron", "snn-toys/toy"),
        ("summary", "toy of snn-toys"),
        ("provider", "snn-toys"),
        ("equation", "y = size x (fast); z <- y"),
        ("version", "1.0"),
        ("target", "toys:Toy"),
        ("source", "Toy et al., Journal of Toys, 1999."),
    } <= stripped
    assert "size: its size = a number." in result.output
    assert ["size", "float", ">", "0", "2.5"] in [
        line.split() for line in result.output.splitlines()
    ]


def test_parameters(snn) -> None:
    found = [line.split() for line in snn("info", "neuron", "toy", "--params").output.splitlines()]
    assert ["parameter", "type", "range", "default"] in found
    assert ["size", "float", ">", "0", "2.5"] in found
    assert ["name", "str", "(required)"] in found
    assert ["stop", "int", "or", "None", ">=", "1", "None"] in found
    assert not any("its size" in " ".join(words) for words in found)


def test_record_of_a_dataset(snn) -> None:
    assert "CC0" in snn("info", "dataset", "toy").output


def test_json(snn) -> None:
    data = json.loads(snn("info", "neuron", "snn-toys/toy", "--json").stdout)
    assert data["schema"] == 1
    assert data["qualified"] == "snn-toys/toy"
    assert data["equation"] == "y = size x (fast); z <- y"
    assert data["source"] == "Toy et al., Journal of Toys, 1999."
    assert data["parameters"][0] == {
        "name": "size",
        "type": "float",
        "default": 2.5,
        "required": False,
        "range": "> 0",
    }


def test_errors(snn) -> None:
    unknown = snn("info", "neuron", "tpy")
    assert unknown.exit_code == 2
    assert "unknown neuron 'tpy'; did you mean 'toy'?" in unknown.stderr
    lost = snn("info", "neuron", "lost")
    assert lost.exit_code == 1
    assert "neuron snn-toys/lost cannot be loaded: importing 'toys:Lost'" in lost.stderr
