"""The neuron: a trace worked out by hand, slayer's vectors, and the kit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_lava import LoihiCUBA
from snncore.testing.neuron import NeuronConformance


class TestLoihiCUBA(NeuronConformance):
    component = "snn-lava/loihi_cuba"


class TestLoihiGraded(NeuronConformance):
    component = "snn-lava/loihi_graded"


def test_the_trace_of_lava():
    z = [30, 0, -46, 0, 254, 0, 0, -256, 100, 100, 0, 0, 0, 3, -1, 0]
    u = [1920, 1440, -1864, -1398, 15208, 11406, 8554, -9969]
    u += [-1076, 5593, 4194, 3145, 2358, 1960, 1406, 1054]
    v = [1920, 3302, 1338, -101, 15111, 11406, 8554, -9969]
    v += [-10745, -4829, -489, 2671, 4948, 6759, 1406, 2417]
    fires = [0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]
    net = LoihiCUBA(0.25, voltage_decay=0.03, v_threshold=1.25)
    for t, x in enumerate(z):
        s = net(torch.tensor([[x / 64]]))
        assert (s.item(), 4096 * net.u.item()) == (fires[t], u[t])
        assert 4096 * net.v.item() == (0 if fires[t] else v[t])


@pytest.mark.parametrize(("weight", "fires"), [(64, 0), (65, 1), (66, 1)])
def test_the_threshold_is_strict(weight, fires):
    net = LoihiCUBA(1.0, voltage_decay=0.0, v_threshold=1.0)
    assert net(torch.tensor([[weight / 64]])).item() == fires
    assert net.v.item() == (0.0 if fires else weight / 64)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slayers_vectors(dtype):
    root = os.environ.get("SNN_TEST_DATA")
    file = Path(root or "/") / "loihi_golden" / "cuba_slayer_60.npz"
    if not root or not file.exists():
        pytest.skip("SNN_TEST_DATA names no folder with the vectors of slayer")
    golden, spikes = np.load(file), 0
    for case in range(60):

        def get(name, case=case):
            return golden[f"{case:02d}_{name}"]

        net = LoihiCUBA(
            float(get("current_decay")),
            voltage_decay=float(get("voltage_decay")),
            v_threshold=float(get("threshold")),
            step_mode="m",
        )
        assert net.mantissa == get("vThMant")
        z = np.einsum("oi,bit->tbo", get("weight_int").astype(np.int64), get("x"))
        out = net(torch.as_tensor(z / 64, dtype=dtype))
        assert np.array_equal(out.numpy(), np.moveaxis(get("s"), 2, 0))
        assert np.array_equal(4096 * net.u.numpy(), get("u")[..., -1])
        spikes += int(out.sum())
    assert spikes == 74746


@pytest.mark.parametrize("threshold", [1 / 65, 2048.0])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match=r"from 0\.015625 to 2047\.98, got .*; scale the weights"):
        LoihiCUBA(v_threshold=threshold)
