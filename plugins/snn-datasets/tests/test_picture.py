from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from snn_datasets import MissingExtra, make_events, picture

BLUE, ORANGE, PAPER = [60, 150, 255], [255, 140, 0], [24, 24, 24]


def test_on_is_blue_off_is_orange_and_silence_is_dark() -> None:
    frames = np.zeros((2, 2, 2, 3))
    frames[0, 1, 0, 1] = frames[1, 0, 1, 2] = 4
    frames[1, 1, 0, 0] = 1
    made = picture.coloured(frames)
    assert made.shape == (2, 2, 3, 3)
    assert made[0, 0, 1].tolist() == BLUE
    assert made[1, 1, 2].tolist() == ORANGE
    assert made[1, 0, 0].tolist() == [30, 75, 127]  # the root of a quarter
    assert (made[0, 1] == PAPER).all()


def test_both_polarities_in_a_pixel_are_white_and_one_polarity_is_blue() -> None:
    assert picture.coloured(np.ones((1, 2, 1, 1)))[0, 0, 0].tolist() == [255, 255, 255]
    assert picture.coloured(np.ones((1, 1, 1, 1)))[0, 0, 0].tolist() == BLUE
    assert (picture.coloured(np.zeros((1, 2, 2, 2))) == 24).all()


def test_a_raster_has_time_to_the_right_and_low_units_below() -> None:
    events = make_events(t=[100, 600, 1100], x=[0, 350, 699], y=[0, 0, 0], p=[0, 0, 0])
    made = picture.raster(events, (700, 1), width=11, height=7)
    dots = np.argwhere((made == BLUE).all(2)).tolist()
    assert dots == [[0, 10], [3, 5], [6, 0]]
    assert (picture.raster(events[:0], (700, 1)) == 24).all()


def test_large_frames_keep_all_their_events() -> None:
    frames = np.random.default_rng(0).integers(0, 5, (2, 2, 720, 1281))
    small = picture.reduced(frames)
    assert small.shape == (2, 2, 103, 183)
    assert small.sum((1, 2, 3)).tolist() == frames.sum((1, 2, 3)).tolist()
    assert small[0, 1, 2, 3] == frames[0, 1, 14:21, 21:28].sum()
    assert picture.reduced(frames[..., :100, :192]) is not None
    assert picture.reduced(frames[..., :100, :192]).shape == (2, 2, 100, 192)


def test_images_are_grey_or_as_they_are() -> None:
    image = np.array([[[0.0, 1.0]], [[0.5, 1.0]], [[1.0, 2.0]]])
    assert picture.grey(image).tolist() == [[[0, 127, 255], [255, 255, 255]]]
    assert picture.grey(image[1:2]).tolist() == [[[127, 127, 127], [255, 255, 255]]]


def test_a_sheet_leaves_white_gaps() -> None:
    wide, high = np.zeros((2, 6, 3), np.uint8), np.full((5, 3, 3), 7, np.uint8)
    made = picture.sheet([[wide, high], [high]])
    assert made.shape == (5 + 5 + 6, 6 + 3 + 6, 3)
    assert (made[2:4, 2:8] == 0).all()
    assert (made[2:7, 10:13] == 7).all()
    assert (made[9:14, 2:5] == 7).all()
    assert (made[:2] == 255).all()
    assert (made[9:14, 10:] == 255).all()


def test_png_and_gif_hold_what_was_drawn(tmp_path: Path) -> None:
    first = np.full((8, 9, 3), 24, np.uint8)
    second = first.copy()
    second[2, 3], first[4, 5] = BLUE, ORANGE
    picture.write_png(tmp_path / "a.png", first)
    with Image.open(tmp_path / "a.png") as image:
        assert np.asarray(image).tolist() == first.tolist()
    picture.write_gif(tmp_path / "a.gif", [first, second], frame_ms=70)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 2
        assert image.info["duration"] == 70
        assert image.info["loop"] == 0
        for number, drawn in enumerate((first, second)):
            image.seek(number)
            seen = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(seen - drawn).max() <= 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png"]


def test_a_caption_is_black_on_white() -> None:
    made = picture.caption("zero\nitem 7", 30)
    assert made.shape == (30, 96, 3)
    assert made.min() < 128 < made.max() == 255


def test_without_pillow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    calls: list[Any] = [
        lambda: picture.caption("a", 9),
        lambda: picture.write_png(tmp_path / "a.png", np.zeros((1, 1, 3), np.uint8)),
    ]
    for call in calls:
        with pytest.raises(
            MissingExtra, match=r'previews need .*pip install "snn-datasets\[previe'
        ):
            call()
