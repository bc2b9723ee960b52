from __future__ import annotations

from typing import Annotated, Literal

import pytest
import torch
from annotated_types import Ge, Gt, Lt

import snncore as snn
from snncore.config import Numeric, check_numeric, config_of, model_of, validate
from snncore.errors import ConfigError, UnknownComponent
from snncore.surrogate import ATan


class Sample:
    def __init__(
        self,
        tau: Annotated[Numeric, Gt(1)] = 2.0,
        *,
        rate: Annotated[float, Ge(0), Lt(1)] = 0.5,
        mode: Literal["a", "b"] = "a",
        size: Annotated[Numeric, Ge(0)] | None = None,
        name: str | None = None,
    ) -> None:
        check_numeric(type(self), "tau", tau)
        self.tau, self.rate, self.mode, self.size, self.name = tau, rate, mode, size, name


def test_values_are_validated_against_the_signature():
    assert validate(Sample, {"tau": 3, "mode": "b"}, "x") == {"tau": 3, "mode": "b"}


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"tau": 1}, "x: tau must be > 1, got 1"),
        ({"tau": [[2.0, 0.5]]}, "x: tau must be > 1, got 0.5"),
        ({"tau": torch.tensor([4.0, 1.0])}, "x: tau must be > 1, got 1"),
        ({"tau": "fast"}, "tau must be a number, a nested list of numbers or a tensor, got 'fast'"),
        ({"tau": []}, "tau must be a number, a nested list of numbers or a tensor"),
        ({"tau": None}, "tau must be a number, a nested list of numbers or a tensor, got None"),
        ({"rate": 1.0}, "x: rate: input should be less than 1, got 1.0"),
        ({"mode": "c"}, "x: mode: input should be 'a' or 'b', got 'c'"),
        ({"taw": 2.0}, r"x: unknown parameter 'taw' \(did you mean 'tau'\?\)"),
        ({"zzz": 2.0}, r"unknown parameter 'zzz' \(known are tau, rate, mode, size, name\)"),
        ({"tau": 0, "zzz": 1}, "tau must be > 1, got 0; unknown parameter 'zzz'"),
    ],
)
def test_every_fault_is_named(params, text):
    with pytest.raises(ConfigError, match=text):
        validate(Sample, params, "x")


def test_an_optional_number_may_be_none():
    assert validate(Sample, {"size": None}, "x") == {"size": None}
    with pytest.raises(ConfigError, match="size must be >= 0, got -1"):
        validate(Sample, {"size": -1}, "x")


def test_direct_construction_checks_the_same_range():
    with pytest.raises(ValueError, match=r"^Sample: tau must be > 1, got 0\.5$"):
        Sample(0.5)


def test_models_are_frozen_and_made_once():
    model = model_of(Sample)
    assert model is model_of(Sample)
    with pytest.raises(ValueError, match="frozen"):
        model().tau = 3.0


def test_variable_parameters_are_refused():
    def loose(**kwargs: float) -> None: ...

    with pytest.raises(ConfigError, match=r"loose declares \*\*kwargs; components list"):
        model_of(loose)


def test_build_names_the_component():
    with pytest.raises(ConfigError, match=r"^surrogate snncore/atan: alpha must be > 0, got -1$"):
        snn.build("surrogate", "atan", alpha=-1)


def test_build_makes_parameters_learnable():
    surrogate = snn.build("surrogate", "atan", alpha=[1.0, 3.0], learnable=["alpha"])
    assert isinstance(surrogate.alpha, torch.nn.Parameter)
    assert surrogate.alpha.tolist() == [1.0, 3.0]
    with pytest.raises(
        ValueError, match="ATan cannot learn 'beta'; its numeric parameters are alpha"
    ):
        snn.build("surrogate", "atan", learnable=["beta"])


def test_learnable_is_refused_where_nothing_can_learn():
    with pytest.raises(
        ConfigError, match="layer snncore/relu: 'learnable' is not supported by ReLU"
    ):
        snn.build("layer", "relu", learnable=["inplace"])


def test_from_spec_takes_names_tables_and_objects():
    assert snn.from_spec("surrogate", "atan").alpha == 2.0
    assert snn.from_spec("surrogate", {"name": "triangle", "alpha": 3}).alpha == 3.0
    finished = ATan()
    assert snn.from_spec("surrogate", finished) is finished
    with pytest.raises(ConfigError, match="names no component; add name"):
        snn.from_spec("surrogate", {"alpha": 3})
    with pytest.raises(UnknownComponent, match=r"unknown surrogate 'attan'; did you mean 'atan'\?"):
        snn.from_spec("surrogate", {"name": "attan"})


def test_info_reads_the_signature_and_the_source():
    found = snn.info("surrogate", "triangle")
    assert found.component.qualified == "snncore/piecewise_quadratic"
    assert found.source.startswith("Bellec et al.")
    alpha, spiking = found.parameters
    assert (alpha.name, alpha.type, alpha.range, alpha.default) == (
        "alpha",
        "number or list",
        "> 0",
        1.0,
    )
    assert (spiking.type, spiking.default) == ("bool", True)


def test_ranges_of_plain_parameters_are_shown():
    from snncore.config import _parameters

    rows = {p.name: p for p in _parameters(Sample)}
    assert rows["rate"].range == ">= 0, < 1"
    assert rows["mode"].type == "'a' or 'b'"
    assert rows["size"].type == "number or list or None"


def test_config_of_inverts_build():
    table = {"alpha": [1.0, 2.0], "spiking": False}
    made = snn.build("surrogate", "erf", **table)
    assert config_of(made) == table
    learnt = snn.build("surrogate", "erf", alpha=2.0, learnable=["alpha"])
    assert config_of(learnt) == {"alpha": 2.0, "spiking": True, "learnable": ["alpha"]}


def test_config_of_says_what_is_missing():
    class Forgetful:
        def __init__(self, size: int) -> None: ...

    with pytest.raises(ConfigError, match="Forgetful keeps no attribute 'size'"):
        config_of(Forgetful(3))


def test_the_text_none_stands_for_none_where_that_may_be():
    assert validate(Sample, {"size": "none"}, "x") == {"size": None}
    assert validate(Sample, {"name": "none"}, "x") == {"name": None}
    with pytest.raises(ConfigError, match=r"tau must be a number, .*, got 'none'"):
        validate(Sample, {"tau": "none"}, "x")
