from __future__ import annotations

import pytest
import torch
from torch import nn

from snncore.graph import (
    drop_dropout,
    drop_identities,
    fold_batch_norm,
    ops,
    run_passes,
    to_module,
    trace,
)


def normed(layer, channels, norm):
    """A layer and a batch norm with statistics of its own."""
    torch.manual_seed(0)
    norm = norm(channels)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return nn.Sequential(layer, norm).eval()


CASES = {
    "linear": (lambda: nn.Linear(4, 6), 6, nn.BatchNorm1d, (4,)),
    "no bias": (lambda: nn.Linear(4, 6, bias=False), 6, nn.BatchNorm1d, (4,)),
    "conv": (lambda: nn.Conv2d(4, 6, 3), 6, nn.BatchNorm2d, (4, 5, 5)),
    "grouped": (lambda: nn.Conv1d(4, 6, 3, groups=2), 6, nn.BatchNorm1d, (4, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, groups=2), 6, nn.BatchNorm2d, (4, 3, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_folded_norm_changes_nothing(name):
    make, channels, norm, shape = CASES[name]
    net = normed(make(), channels, norm)
    graph = trace(net, torch.zeros(1, *shape))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    folded, (note,) = fold_batch_norm(graph)
    assert str(note) == "fold_batch_norm: 1: folded into 0"
    assert [node.op.kind for node in folded][2:] == ["Output"]
    x = torch.randn(3, *shape)
    torch.testing.assert_close(to_module(folded)(x), net(x), rtol=1e-5, atol=1e-5)
    assert all(torch.equal(net.state_dict()[key], value) for key, value in before.items())
    assert len(graph) == 4


def test_a_norm_that_cannot_be_folded_stays_and_says_why():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.norm = nn.Linear(3, 3), nn.BatchNorm1d(3)

        def forward(self, x):
            y = self.layer(x)
            return self.norm(y) + y

    graph, (note,) = fold_batch_norm(trace(Shared(), torch.zeros(1, 3)))
    assert note.text == "it stays: layer is used elsewhere as well"
    assert isinstance(graph["norm"].op, ops.BatchNorm)
    graph, (note,) = fold_batch_norm(
        trace(nn.Sequential(nn.ReLU(), nn.BatchNorm1d(3)), torch.zeros(1, 3))
    )
    assert note.text == "it stays: 0 (Activation) has no weights to fold it into"


def test_what_does_nothing_is_taken_out():
    net = nn.Sequential(
        nn.Dropout(0.3), nn.Identity(), nn.Linear(3, 2), nn.AlphaDropout(), nn.Dropout()
    )
    graph, notes = run_passes(trace(net, torch.zeros(1, 3)), [drop_dropout, drop_identities])
    assert [node.name for node in graph] == ["x", "2", "3", "output"]
    assert [str(note) for note in notes] == [
        "drop_dropout: 0: dropout is silent after training",
        "drop_dropout: 4: dropout is silent after training",
        "drop_identities: 1: it gives its input on unchanged",
    ]
