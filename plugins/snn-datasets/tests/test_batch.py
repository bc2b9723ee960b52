from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from snn_datasets.batch import Batch, collate


def test_sequences_are_padded_behind_their_ends() -> None:
    torch.manual_seed(0)
    lengths = [3, 0, 5, 1]
    items = [(torch.rand(n, 2, 4) + 1, n) for n in lengths]
    batch = collate(items)
    assert batch.x.shape == (5, 4, 2, 4)
    assert batch.lengths.tolist() == batch.y.tolist() == lengths
    for i, (x, _) in enumerate(items):
        assert batch.x[: len(x), i].equal(x)
        assert not batch.x[len(x) :, i].any()
        assert batch.mask[:, i].tolist() == [t < len(x) for t in range(5)]
    assert batch.mask.equal(batch.x[..., 0, 0] > 0)


def test_it_is_the_transpose_where_lengths_are_the_same() -> None:
    items = [(torch.arange(12.0).reshape(3, 4) * i, torch.tensor(i)) for i in range(5)]
    batch = collate(items)
    assert isinstance(batch, Batch)
    assert batch.x.equal(torch.stack([x for x, _ in items]).transpose(0, 1))
    assert batch.mask.all()
    assert batch.y.dtype == torch.int64


def test_types_are_kept_and_other_labels_stay_as_they_are() -> None:
    boxes = [{"t": 1}, {"t": 2}]
    batch = collate([(torch.ones(2, 1, dtype=torch.uint8), box) for box in boxes])
    assert batch.x.dtype == torch.uint8
    assert batch.y == tuple(boxes)


def test_a_loader_takes_it() -> None:
    items = [(torch.full((n, 2), float(n)), n) for n in range(1, 7)]
    batches = list(DataLoader(items, batch_size=4, collate_fn=collate))  # type: ignore[arg-type]
    assert [batch.x.shape for batch in batches] == [(4, 4, 2), (6, 2, 2)]


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (torch.ones(2, 5), r"item 0 is float32 \[2, 3\], item 1 is float32 \[2, 5\]"),
        (torch.ones(2, 3).double(), r"item 0 is float32 \[2, 3\], item 1 is float64 \[2, 3\]"),
        (torch.ones(()), r"item 1 is float32 \[\]"),
    ],
)
def test_items_that_do_not_fit_are_refused(other, text) -> None:
    with pytest.raises(ValueError, match=text):
        collate([(torch.ones(2, 3), 0), (other, 1)])


def test_no_items_are_refused() -> None:
    with pytest.raises(ValueError, match="collate: a batch needs at least one item"):
        collate([])
