from __future__ import annotations

import torch
from torch.nn import functional

from snn_train.augment import Affine
from snn_train.settings import Augment


def changed(augment: Augment, draws: list[float], x: torch.Tensor) -> torch.Tensor:
    affine = Affine(augment, seed=0, items=1)
    affine._draws = torch.tensor([draws])
    return affine(x, torch.tensor([0]))


def test_no_change_is_the_identity():
    x = torch.rand(1, 2, 5, 7)
    torch.testing.assert_close(changed(Augment(), [1.0, 1.0, 1.0, 1.0], x), x)


def test_a_whole_shift_moves_pixels_and_fills_with_zeros():
    x = torch.rand(1, 1, 4, 6)
    got = changed(Augment(shift=2.0), [0, 0, 1.0, -0.5], x)
    expected = functional.pad(x[..., :-1, 2:], (0, 2, 1, 0))
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_a_quarter_turn():
    x = torch.rand(1, 1, 5, 5)
    got = changed(Augment(rotate=90.0), [1.0, 0, 0, 0], x)
    torch.testing.assert_close(got, torch.rot90(x, 1, (2, 3)), atol=1e-5, rtol=0)


def test_a_turn_keeps_shapes_of_oblong_images():
    x = torch.zeros(1, 1, 5, 9)
    x[0, 0, 2, 3:6] = 1.0  # a bar of three pixels through the middle
    got = changed(Augment(rotate=90.0), [1.0, 0, 0, 0], x)
    expected = torch.zeros_like(x)
    expected[0, 0, 1:4, 4] = 1.0
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)


def test_half_the_size():
    x = torch.ones(1, 1, 8, 8)
    got = changed(Augment(scale=0.9), [1.0, 0, 0, 0], x)
    assert torch.equal(got, x)
    smaller = changed(Augment(scale=0.5), [0, 1.0, 0, 0], x)
    assert smaller.sum() < 8 * 8
    assert smaller[0, 0, 0, 0] == 0


def test_what_an_image_gets_depends_on_seed_epoch_and_index():
    x = torch.rand(9, 1, 6, 6)
    settings = Augment(shift=1.0, rotate=20.0, scale=0.2)
    one, two = Affine(settings, seed=1, items=9), Affine(settings, seed=1, items=9)
    one.set_epoch(3)
    two.set_epoch(3)
    order = torch.tensor([7, 2, 5])
    torch.testing.assert_close(one(x, torch.arange(9))[order], two(x[order], order))
    two.set_epoch(4)
    assert not torch.equal(one(x[order], order), two(x[order], order))
    other = Affine(settings, seed=2, items=9)
    other.set_epoch(3)
    assert not torch.equal(one(x[order], order), other(x[order], order))
