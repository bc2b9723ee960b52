"""The graph of every installed neuron and model, and the network that it gives back."""

from __future__ import annotations

import pytest
import torch

import snncore
from snncore.graph import to_module, trace
from snncore.neuron import Membrane

NEURONS = [
    component.qualified
    for component in snncore.components("neuron")
    if "s" in snncore.get("neuron", component.qualified).step_modes
]
MODELS = [component.qualified for component in snncore.components("model")]
# What a network of convolutions and pools needs; others take any.
SHAPES = dict.fromkeys(("snn-models/convnet", "snn-lava/loihi_convnet"), (2, 16, 16))


def agree(net, inputs):
    """Outputs over some steps, of the network and of what its graph gives back."""
    net.eval()
    twin = to_module(trace(net, tuple(x[0] for x in inputs)))
    snncore.reset(net)
    with torch.no_grad():
        for step in zip(*inputs, strict=True):
            torch.testing.assert_close(twin(*step), net(*step), rtol=0, atol=0)
    return twin


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_is_one_node(name):
    torch.manual_seed(0)
    cls = snncore.get("neuron", name)
    (declared, *_) = getattr(cls, "conformance", {}).get("variants", ({},))
    net = snncore.build("neuron", name, **declared)
    twin = agree(net, [torch.rand(4, 5, 3) * 2 for _ in range(net.inputs)])
    (node,) = (n for n in twin.graph if n.op.kind == name)
    assert node.op.name == name
    if isinstance(net, Membrane):
        known = {parameter.name for parameter in snncore.info("neuron", name).parameters}
        assert ("v_threshold" in node.op.parameters) == ("v_threshold" in known)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back(name):
    torch.manual_seed(0)
    shape = SHAPES.get(name, (2, 4, 4))
    net = snncore.build("model", name, in_shape=shape, classes=3)
    agree(net, [torch.rand(4, 2, *shape) * 3])
