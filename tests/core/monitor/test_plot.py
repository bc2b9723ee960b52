from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import torch
from torch import nn

import snncore as snn
from snncore.errors import NotSupported
from snncore.monitor import Attribute, Output, membrane, raster

pytest.importorskip("matplotlib", reason="matplotlib is not installed")


class Leaky(snn.Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def marks(axes):
    """``(time, height)`` of every mark."""
    return [tuple(map(float, point)) for c in axes.collections for point in c.get_offsets()]


def test_every_spike_is_a_mark():
    spikes = torch.zeros(4, 2, 3)
    spikes[0, 1, 2] = spikes[3, 1, 0] = spikes[3, 0, 1] = 1
    axes = raster(spikes, item=1)
    assert sorted(marks(axes)) == [(0, 2), (3, 0)]
    assert sorted(marks(raster(spikes))) == [(3, 1)]
    assert axes.get_xlim() == (-0.5, 3.5)
    assert axes.yaxis_inverted()


def test_layers_lie_below_each_other_and_large_ones_are_thinned():
    spikes = {"first": torch.ones(1, 1, 10), "second": torch.ones(1, 1, 2, 2)}
    axes = raster(spikes, most=4)
    first, second = (np.asarray(c.get_offsets())[:, 1].tolist() for c in axes.collections)
    assert first == [0, 1, 2, 3]
    assert second == [5, 6, 7, 8]
    texts = [label.get_text() for label in axes.get_yticklabels()]
    assert texts == ["first\n4/10", "second\n4/4"]


def test_records_of_a_network_are_drawn():
    net = nn.Sequential(Leaky(), Leaky())
    snn.set_step_mode(net, "m")
    with Output().watch(net) as spikes, Attribute("v_seq").watch(net) as potentials:
        net(2 * torch.rand(8, 2, 5, generator=torch.Generator().manual_seed(0)))
    assert len(marks(raster(spikes))) == sum(int(s[:, 0].sum()) for s in spikes.values())
    axes = membrane(potentials["0"], spikes["0"], threshold=1.0, item=1, most=2)
    curves = [line.get_ydata() for line in axes.lines]
    np.testing.assert_array_equal(curves[0], potentials["0"][:, 1, 0])
    np.testing.assert_array_equal(curves[1], potentials["0"][:, 1, 4])
    assert list(curves[2]) == [1.0, 1.0]
    assert len(marks(axes)) == int(spikes["0"][:, 1, [0, 4]].sum())
    file = io.BytesIO()
    axes.figure.savefig(file, format="png")
    assert file.getvalue().startswith(b"\x89PNG")


def test_axes_of_the_caller_are_used():
    axes = raster(torch.ones(2, 1, 1))
    assert raster(torch.ones(2, 1, 1), axes=axes) is axes
    assert membrane(torch.ones(2, 1, 1), axes=axes) is axes


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=r"a record has shape \[T, N, \*\], got \[3\]"):
        raster(torch.ones(3))
    with pytest.raises(ValueError, match=r"spikes are \[2, 1, 1\], potentials \[3, 1, 1\]"):
        membrane(torch.ones(3, 1, 1), torch.ones(2, 1, 1))


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(NotSupported, match=r'pip install "snncore\[plot\]"'):
        raster(torch.ones(2, 1, 1))
