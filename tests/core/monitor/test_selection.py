from __future__ import annotations

import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import ConfigError, NotSupported, UnknownComponent
from snncore.layers import Conv2d, Linear
from snncore.monitor import Output
from snncore.monitor.selection import select


class Leaky(snn.Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


class Wide(Linear):
    pass


def network() -> nn.Module:
    shared = Linear(2, 2)
    return nn.Sequential(
        shared, Leaky(), nn.ModuleDict({"a": shared, "b": nn.Sequential(Wide(2, 2), Leaky())})
    )


def paths(**conditions) -> list[str]:
    return [path for paths in select(network(), **conditions).values() for path in paths]


def test_every_neuron_by_default():
    assert paths() == ["1", "2.b.1"]


def test_by_path():
    assert paths(paths="2.*") == ["2.a", "2.b", "2.b.0", "2.b.1", "2.b.1.surrogate"]
    assert paths(paths=["?", "2.b.0"]) == ["0", "1", "2", "2.b.0"]
    assert paths(paths="") == [""]
    assert paths(paths="2.a") == ["2.a"]


def test_by_type():
    assert paths(module_type=Linear) == ["0", "2.a", "2.b.0"]
    assert paths(module_type=Linear, paths="2.*") == ["2.a", "2.b.0"]


def test_by_registered_name():
    assert paths(component="linear") == ["0", "2.a", "2.b.0"]
    assert paths(component="snncore/linear", paths="0") == ["0"]


def test_an_alias_is_a_name(isolated_registry):
    class Mine:
        API = 1

        @staticmethod
        def snn_components(register):
            register("neuron", "leak", f"{__name__}:Leaky", summary="", aliases=("leaky",))

    from snncore.hookspecs import hookimpl

    Mine.snn_components = staticmethod(hookimpl(Mine.snn_components))
    with isolated_registry.plugin(Mine(), name="mine"):
        assert len(select(network(), component="leaky")) == 2
        assert len(select(network(), component="mine/leak")) == 2


def test_nothing_fits():
    with pytest.raises(ConfigError, match=r"no module of this network fits paths='9', module_type"):
        paths(paths="9", module_type=Linear)
    with pytest.raises(ConfigError, match=r"its paths are \(the network\), 0, 1, 1\.surrogate, 2"):
        paths(module_type=Conv2d)
    with pytest.raises(ConfigError, match="fits the default, which is every neuron"):
        select(nn.Linear(2, 2))
    with pytest.raises(ConfigError, match=r"10 and 6 more$"):
        select(nn.Sequential(*(nn.ReLU() for _ in range(17))))


def test_an_unknown_name():
    text = r"no neuron, layer, encoder or model is registered as 'linaer'; did you mean 'linear'"
    with pytest.raises(UnknownComponent, match=text):
        paths(component="linaer")


def test_a_compiled_network_is_refused():
    compiled = torch.compile(network(), backend="eager")
    with pytest.raises(NotSupported, match="watch the network that was given to"):  # noqa: SIM117
        with Output().watch(compiled):
            pass
