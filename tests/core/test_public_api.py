"""Public names and what importing them costs, in modules rather than milliseconds."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

import snncore as snn

PUBLIC = {
    "MemoryModule",
    "Neuron",
    "StepModule",
    "Surrogate",
    "build",
    "components",
    "config_of",
    "detach",
    "explain",
    "from_spec",
    "functional",
    "get",
    "info",
    "lift",
    "memories",
    "multi_step_forward",
    "plugins",
    "refresh",
    "reset",
    "restore",
    "seq_to_ann_forward",
    "set_step_mode",
    "snapshot",
}


def test_the_public_names_are_these():
    assert set(snn.__all__) == PUBLIC
    assert set(dir(snn)) >= PUBLIC
    for name in PUBLIC:
        assert getattr(snn, name).__doc__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'snncore' has no attribute 'rest'"):
        _ = snn.rest


def test_every_layer_name_resolves():
    layers = importlib.import_module("snncore.layers")
    for name in layers._HOME:
        assert getattr(layers, name)
    with pytest.raises(AttributeError, match=r"module 'snncore\.layers' has no attribute 'Cov2d'"):
        _ = layers.Cov2d


def test_the_signature_of_lif_is_promised():
    lif = pytest.importorskip("snn_neurons", reason="snn-neurons is not installed").LIF
    parameters = list(inspect.signature(lif).parameters.values())
    assert [(p.name, p.default) for p in parameters] == [
        ("tau", 2.0),
        ("v_threshold", 1.0),
        ("v_reset", 0.0),
        ("decay_input", True),
        ("detach_reset", False),
        ("surrogate", "atan"),
        ("step_mode", "s"),
        ("store_v_seq", False),
        ("backend", None),
    ]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])


@pytest.mark.parametrize(
    "code",
    [
        "import snncore",
        "import snncore; snncore.components(); snncore.plugins()",
        "import snncore.layers",
        "import snncore._plugin",
        "import snncore.testing, snncore.testing.pytest_plugin",
    ],
)
def test_listing_imports_neither_torch_nor_pydantic(code):
    probe = f"{code}; import sys; print([m for m in ('torch', 'pydantic') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
