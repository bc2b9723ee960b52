"""What makes old Lava run: three repairs and four stand-ins, and nothing else."""

from __future__ import annotations

import importlib
import math
import sys

import numpy as np
import pytest

from snn_lava.lava import shim

VAR_MODEL = "lava.magma.compiler.var_model"
PORTS = "lava.magma.core.process.ports.ports"


@pytest.fixture
def shimmed(lava_on_path):
    """The shim for as long as the test lasts."""
    shim.install()
    yield lava_on_path
    sys.meta_path.pop(0)


@pytest.fixture
def lava_on_path(stand_in, monkeypatch):
    """The stand-in for Lava, forgotten afterwards."""
    monkeypatch.syspath_prepend(stand_in)
    yield stand_in
    for name in [name for name in sys.modules if name.partition(".")[0] == "lava"]:
        del sys.modules[name]


def test_without_it_python_refuses_a_default(lava_on_path):
    with pytest.raises(ValueError, match=r"mutable default .*ByteEncoder"):
        importlib.import_module(VAR_MODEL)


def test_with_it_the_faults_are_gone(shimmed):
    model = importlib.import_module(VAR_MODEL)
    assert model.CoreEncoder() == model.CoreEncoder(model.ByteEncoder(0))
    port = importlib.import_module(PORTS).ReshapePort((2, 3), (6,))
    there = port.forward()(np.arange(6))
    assert there.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert port.backward()(there).tolist() == list(range(6))
    *sizes, groups = importlib.import_module("lava.proc.conv.models").PyConvModel().run()
    assert [int(size[1]) + 280 for size in sizes[3:]] == 4 * [285]
    assert {size.dtype for size in sizes[3:]} == {np.dtype(int)}
    assert type(groups) is int


def test_what_would_bring_torch_is_stood_in_for(shimmed):
    """At the place of the real modules, where Lava looks for models of processes."""
    netx = importlib.import_module("lava.lib.dl.netx")
    folder = shimmed / "lava" / "lib" / "dl"
    assert netx.sequential_modules.__file__ == str(folder / "netx" / "sequential_modules.py")
    assert netx.hdf5.neuron_params is shim.neuron_params
    assert sys.modules["lava.lib.dl.slayer"].__file__ == str(folder / "slayer" / "__init__.py")


def test_other_modules_are_left_alone(shimmed):
    finder = shim.Finder()
    for name in ("lava", "lava.magma", "lava.proc.io.source", "json", "var_model"):
        assert finder.find_spec(name, None) is None


@pytest.mark.parametrize(
    ("change", "count"),
    [(lambda text: text.replace("@dataclass", "@dataclass()"), 0), (lambda text: 2 * text, 2)],
    ids=["other", "twice"],
)
def test_texts_that_are_not_as_known_are_refused(stand_in, shimmed, change, count):
    path = stand_in.joinpath(*VAR_MODEL.split(".")).with_suffix(".py")
    path.write_text(change(path.read_text()))
    with pytest.raises(
        shim.ShimError,
        match=rf"holds '@dataclass.*' {count} times, expected is 1: it is not of lava-nc 0\.10\.0$",
    ):
        importlib.import_module(VAR_MODEL)


def test_it_must_come_first(lava_on_path):
    importlib.import_module(PORTS)
    with pytest.raises(
        shim.ShimError, match=rf"^{PORTS}: imported before the repair; call install\(\) first$"
    ):
        shim.install()


def test_parameters_of_resonators_are_those_of_the_integers():
    """decay 0.1 and period 8 in integers of 12 bits, and back."""
    angle = 2 * math.pi / 8
    device = {
        "sinDecay": round(4096 * 0.9 * math.sin(angle)),
        "cosDecay": round(4096 * 0.9 * math.cos(angle)),
        "vThMant": 80,
    }
    found = shim.neuron_params(device)
    assert found["threshold"] == 1.25
    assert found["decay"] == pytest.approx(0.1, abs=1e-3)
    assert found["period"] == pytest.approx(8, abs=1e-3)
