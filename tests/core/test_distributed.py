from __future__ import annotations

import pytest
import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import snncore as snn
from snncore.errors import StateError
from snncore.neuron import Neuron


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


@pytest.fixture
def process_group(tmp_path):
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path}/rendezvous", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
def test_a_stateful_network_trains_in_distributed_data_parallel():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), Leaky(), nn.Linear(4, 2), Leaky())
    plain = nn.Sequential(nn.Linear(3, 4), Leaky(), nn.Linear(4, 2), Leaky())
    plain.load_state_dict(net.state_dict())
    wrapped = DistributedDataParallel(net)
    x = torch.randn(5, 3)
    for _ in range(2):
        for model in (wrapped, plain):
            snn.reset(model)
            (model(x).sum() + model(2 * x).square().sum()).backward()
    assert all(
        torch.allclose(a.grad, b.grad)
        for a, b in zip(wrapped.parameters(), plain.parameters(), strict=True)
    )
    snn.detach(wrapped)
    with pytest.raises(StateError, match=r"net\.module\.1 \(Leaky\): state v has batch 5, input"):
        wrapped(torch.randn(4, 3))
