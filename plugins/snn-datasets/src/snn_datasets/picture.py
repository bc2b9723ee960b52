"""Pictures of recordings: events as colours, sounds as rasters, many of them on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snn_datasets.extras import need
from snn_datasets.sensor import Size

Picture: TypeAlias = NDArray[np.uint8]
"""``[H, W, 3]``: red, green, blue."""

# Told apart by people of any colour vision: blue for brighter, orange for darker.
_ON = np.array([60, 150, 255], np.float32)
_OFF = np.array([255, 140, 0], np.float32)
_PAPER = 24
_GAP = 2
_SMALL, _LARGE = 64, 192
_BRIGHT = 0.98
# What fits beside a picture.
_LETTERS = 15


def coloured(frames: NDArray[Any]) -> NDArray[np.uint8]:
    """Frames of events as pictures, ``[T, H, W, 3]``: ON blue, OFF orange, many events brighter.

    The frames share one scale: full colour is what two of a hundred pixels with events exceed.

    Args:
        frames: ``[T, P, H, W]``, counts of events; polarity 0 is OFF, 1 is ON.

    Example:
        >>> frames = np.zeros((1, 2, 1, 2))
        >>> frames[0, 1, 0, 0] = frames[0, 0, 0, 1] = 3
        >>> coloured(frames)[0, 0].tolist()
        [[60, 150, 255], [255, 140, 0]]
    """
    counts = np.asarray(frames, np.float32)
    sent = counts[counts > 0]
    full = float(np.quantile(sent, _BRIGHT)) if sent.size else 1.0
    # the square root, so that single events are seen beside many
    shares = np.sqrt(np.clip(counts / full, 0, 1))
    colours = (_ON,) if counts.shape[1] == 1 else (_OFF, _ON)
    mixed = sum(shares[:, p, :, :, None] * colour for p, colour in enumerate(colours))
    return np.maximum(np.clip(mixed, 0, 255), _PAPER * (shares.sum(1) == 0)[..., None]).astype(
        np.uint8
    )


def raster(events: NDArray[Any], size: Size, *, width: int = 384, height: int = 140) -> Picture:
    """A sound: time from left to right, unit from bottom to top, a dot for each event.

    Args:
        size: (number of units, 1).
        width, height: of the picture.
    """
    made = np.full((height, width, 3), _PAPER, np.uint8)
    if events.size:
        t = events["t"] - events["t"].min()
        column = t * (width - 1) // max(int(t.max()), 1)
        row = height - 1 - events["x"].astype(np.int64) * height // size[0]
        inside = (row >= 0) & (row < height)
        made[row[inside], column[inside]] = _ON.astype(np.uint8)
    return made


def unrolled(whole: Picture, steps: int) -> list[Picture]:
    """A raster in so many steps of time: each shows a part more from the left, the last all.

    Example:
        >>> [int(step.sum()) for step in unrolled(np.full((1, 2, 3), 25, np.uint8), 2)]
        [147, 150]
    """
    made = [whole.copy() for _ in range(steps)]
    for step, picture in enumerate(made, 1):
        picture[:, -(-whole.shape[1] * step // steps) :] = _PAPER
    return made


def grey(image: NDArray[Any]) -> Picture:
    """An image ``[C, H, W]`` of values from 0 to 1: as it is with three channels, else grey."""
    channels = np.asarray(image, np.float32)
    if channels.shape[0] != 3:
        channels = np.repeat(channels.mean(0, keepdims=True), 3, axis=0)
    return (np.clip(channels, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)


def enlarged(picture: Picture) -> Picture:
    """A picture of few pixels with its pixels repeated, so that they are seen.

    Example:
        >>> enlarged(np.zeros((34, 34, 3), np.uint8)).shape
        (68, 68, 3)
    """
    times = -(-_SMALL // max(picture.shape[:2]))
    return picture.repeat(times, 0).repeat(times, 1)


def reduced(frames: NDArray[Any]) -> NDArray[Any]:
    """Frames of a large sensor with the events of square blocks of pixels summed.

    Args:
        frames: ``[T, P, H, W]``.

    Example:
        >>> reduced(np.ones((1, 2, 720, 1280))).shape
        (1, 2, 103, 183)
    """
    height, width = frames.shape[2:]
    block = -(-max(height, width) // _LARGE)
    if block == 1:
        return frames
    rows, columns = -(-height // block), -(-width // block)
    padded = np.zeros((*frames.shape[:2], rows * block, columns * block), frames.dtype)
    padded[:, :, :height, :width] = frames
    return padded.reshape(*frames.shape[:2], rows, block, columns, block).sum((3, 5))


def sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Pictures in rows and columns; each column is as wide as its widest, each row as its highest.

    Example:
        >>> tile = np.zeros((4, 6, 3), np.uint8)
        >>> sheet([[tile, tile], [tile]]).shape
        (14, 18, 3)
    """
    heights = [max(picture.shape[0] for picture in row) for row in rows]
    columns = max(len(row) for row in rows)
    widths = [max(row[i].shape[1] for row in rows if i < len(row)) for i in range(columns)]
    shape = (sum(heights) + _GAP * (len(rows) + 1), sum(widths) + _GAP * (columns + 1), 3)
    made = np.full(shape, 255, np.uint8)
    top = _GAP
    for row, height in zip(rows, heights, strict=True):
        left = _GAP
        for picture, width in zip(row, widths, strict=False):
            made[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += width + _GAP
        top += height + _GAP
    return made


def caption(text: str, height: int, *, width: int = 96) -> Picture:
    """Lines of text, black on white, as high as the picture that they stand beside.

    Raises: MissingExtra without Pillow.
    """
    need("PIL", extra="preview", what="previews")
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (width, height), "white")
    lines = [part for line in text.splitlines() for part in wrap(line, _LETTERS)]
    ImageDraw.Draw(image).text((2, 2), "\n".join(lines), fill="black")
    return np.asarray(image)


def write_png(path: Path, picture: Picture) -> None:
    """Writes a picture; what stood there before is replaced when all is written.

    Raises: MissingExtra without Pillow.
    """
    _write(path, [picture], "PNG")


def write_gif(path: Path, pictures: Sequence[Picture], *, frame_ms: int = 120) -> None:
    """Writes pictures that follow one another for ever.

    Args:
        frame_ms: milliseconds that each is seen.

    Raises: MissingExtra without Pillow.
    """
    more = {"duration": frame_ms, "loop": 0, "disposal": 1}
    _write(path, pictures, "GIF", more)


def _write(
    path: Path, pictures: Sequence[Picture], format: str, more: dict[str, Any] | None = None
) -> None:
    need("PIL", extra="preview", what="previews")
    from PIL import Image

    first, *rest = [Image.fromarray(picture) for picture in pictures]
    aside = path.with_name(f".{path.name}.part")
    # one table of colours, so that those of the first frame do not stand for all
    if format == "GIF":
        first, *rest = (image.quantize(64) for image in (first, *rest))
        more = {**(more or {}), "save_all": True, "append_images": rest}
    try:
        first.save(aside, format=format, **(more or {}))
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
