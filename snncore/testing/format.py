"""The conformance kit of event-file formats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, ClassVar

import numpy as np
import pytest

from snncore import config, registry
from snncore.errors import SnnError
from snncore.testing.conformance import Conformance

EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")])
"""One event: time in microseconds, column, row, polarity 0 or 1."""

_CUTS = 40
_DAMAGES = 200
_NAME = "a file of the kit"


class FormatConformance(Conformance):
    """What every decoder of event files promises, as tests.

    Files are sound, cut off, damaged in 200 ways, or of another format. What is read is an array
    of :data:`EVENT`; what cannot be read raises a ValueError that names the file. Nothing else
    happens.

    Attributes:
        params: constructor parameters.
        writes: whether the format writes files; its own files are then what is read. One that
            does not needs :meth:`example`, or its tests are skipped.
        pixels: (width, height) that the drawn events lie on.
        duration_us: time that they span.

    Example:
        >>> class TestBin40(FormatConformance):
        ...     component = "snn-datasets/bin40"
    """

    kind: ClassVar[str] = "format"
    params: Mapping[str, Any] = {}
    writes: bool = True
    pixels: tuple[int, int] = (34, 34)
    duration_us: int = 3_000_000

    _flags: ClassVar[tuple[str, ...]] = ("writes",)

    @pytest.fixture(autouse=True)
    def _skip_without_packages(self, _adopt_declared: None) -> None:
        try:
            self.decode(self.example())
        except ImportError as error:
            pytest.skip(f"{self.label}: {error}")
        except ValueError:
            # The tests report it.
            return

    def decoder(self) -> Any:
        """A fresh decoder."""
        return self.make(**self.params)

    def drawn(self, count: int, seed: int = 0) -> Any:
        """Events in ascending time."""
        random = np.random.default_rng(seed)
        events = np.zeros(count, EVENT)
        events["t"] = np.sort(random.integers(0, self.duration_us, count))
        events["x"] = random.integers(0, self.pixels[0], count)
        events["y"] = random.integers(0, self.pixels[1], count)
        events["p"] = random.integers(0, 2, count)
        return events

    def encode(self, events: Any) -> bytes:
        """A file of these events, as the format writes it."""
        file = BytesIO()
        self.decoder().write(file, events, name=_NAME)
        return file.getvalue()

    def example(self) -> bytes:
        """A sound file of at least 20 events."""
        if not self.writes:
            pytest.skip(
                f"{self.label} writes no files ({self.reason}), and this test gives no example()"
            )
        return self.encode(self.drawn(500))

    def decode(self, data: bytes) -> Any:
        """The events of a file."""
        return self.decoder().read(BytesIO(data), name=_NAME)

    def test_it_says_which_files_are_its_own(self) -> None:
        decoder = self.decoder()
        for suffix in decoder.extensions:
            assert suffix.startswith("."), f"{self.label}: extension {suffix!r} has no dot"
            assert suffix == suffix.lower(), f"{self.label}: extension {suffix!r} is not lower case"
        assert isinstance(decoder.magic, bytes), f"{self.label}: magic is no bytes"
        assert decoder.extensions or decoder.magic or hasattr(decoder, "recognises"), (
            f"{self.label} has neither extensions nor magic nor recognises(); no file is found"
        )
        data = self.example()
        assert data.startswith(decoder.magic), (
            f"{self.label}: a file begins with {data[:12]!r}, magic is {decoder.magic!r}"
        )
        if hasattr(decoder, "recognises"):
            assert decoder.recognises(BytesIO(data)), f"{self.label} does not recognise its file"
            for foreign in _foreign():
                assert not decoder.recognises(BytesIO(foreign)), (
                    f"{self.label} recognises a foreign file that begins with {foreign[:12]!r}"
                )

    def test_events_are_arrays_of_the_platform(self) -> None:
        events = self.decode(self.example())
        self._check(events, "an event file")
        assert events.size >= 20, f"{self.label}: the example has {events.size} events, not 20"

    @pytest.mark.parametrize("count", [0, 1, 2, 1000, 5000])
    def test_what_is_written_is_read(self, count: int) -> None:
        self.needs("writes")
        for seed in range(4):
            events = self.drawn(count, seed)
            read = self.decode(self.encode(events))
            self._check(read, f"{count} written events")
            assert np.array_equal(read, events), (
                f"{self.label}: {count} events of seed {seed} are read back as {read.size} others"
            )

    def test_what_cannot_be_held_is_refused(self) -> None:
        """A value that does not fit raises; it is never rounded or wrapped."""
        self.needs("writes")
        for field, value in (("x", -1), ("y", 30_000), ("t", -1), ("t", 1 << 62), ("p", 2)):
            events = self.drawn(3)
            events[field][2] = value
            try:
                data = self.encode(events)
            except ValueError as error:
                self._check_named(error, f"{field} = {value}")
                continue
            assert np.array_equal(self.decode(data), events), (
                f"{self.label}: an event with {field} = {value} is written and read as another; "
                "raise a ValueError"
            )

    def test_blocks_are_the_whole(self) -> None:
        decoder, data = self.decoder(), self.example()
        if not hasattr(decoder, "blocks"):
            pytest.skip(f"{self.label} reads files whole")
        blocks = list(decoder.blocks(BytesIO(data), name=_NAME))
        for block in blocks:
            self._check(block, "a block")
        assert np.array_equal(np.concatenate(blocks), self.decode(data)), (
            f"{self.label}: the blocks are not what read() gives"
        )

    def test_events_lie_on_the_sensor(self) -> None:
        decoder, data = self.decoder(), self.example()
        size = decoder.size(BytesIO(data), name=_NAME) if hasattr(decoder, "size") else None
        if size is None:
            pytest.skip(f"{self.label} does not say the size of the sensor")
        events = self.decode(data)
        assert events["x"].max() < size[0], f"{self.label}: x reaches {events['x'].max()} of {size}"
        assert events["y"].max() < size[1], f"{self.label}: y reaches {events['y'].max()} of {size}"

    def test_a_file_may_stand_anywhere(self) -> None:
        data = self.example()
        file = BytesIO(data)
        file.seek(len(data) // 2)
        assert np.array_equal(self.decoder().read(file, name=_NAME), self.decode(data)), (
            f"{self.label}: read() does not begin at the beginning of the file"
        )

    def test_a_cut_file_is_an_error_or_a_beginning(self) -> None:
        data = self.example()
        whole = self.decode(data)
        places = {0, 1, len(data) // 2, *range(len(data) - 9, len(data))}
        places |= set(np.random.default_rng(1).integers(0, len(data), _CUTS).tolist())
        for place in sorted(places):
            read = self._attempt(data[:place], f"cut off at byte {place} of {len(data)}")
            assert read is None or np.array_equal(read, whole[: read.size]), (
                f"{self.label}: cut off at byte {place} of {len(data)}, the file gives events that "
                "are not the first of the whole file"
            )

    def test_damage_is_an_error_or_gives_events(self) -> None:
        for what, data in damaged(self.example()):
            self._attempt(data, what)

    def test_files_of_other_formats_are_errors_or_give_events(self) -> None:
        """Those that the installed formats write."""
        events = np.zeros(40, EVENT)
        events["t"] = np.arange(40) * 1000
        for component in registry.components(self.kind):
            if component.qualified == self.component:
                continue
            try:
                other = config.build(self.kind, component.qualified)
            except SnnError:
                # Another plugin's fault, which its own tests report.
                continue
            if hasattr(other, "write"):
                file = BytesIO()
                other.write(file, events, name=_NAME)
                self._attempt(file.getvalue(), f"a file of {component.qualified}")

    def test_foreign_files_are_errors_or_give_events(self) -> None:
        for data in _foreign():
            self._attempt(data, f"a foreign file that begins with {data[:12]!r}")

    def _attempt(self, data: bytes, what: str) -> Any:
        """What is read, or None after the proper error."""
        try:
            events = self.decode(data)
        except ValueError as error:
            self._check_named(error, what)
            return None
        except Exception as error:
            raise AssertionError(
                f"{self.label}, {what}: {error!r}; raise a ValueError that names file, place and "
                "what was expected"
            ) from error
        self._check(events, what)
        return events

    def _check_named(self, error: ValueError, what: str) -> None:
        assert _NAME in str(error), f"{self.label}, {what}: {error!r} does not name the file"

    def _check(self, events: Any, what: str) -> None:
        assert isinstance(events, np.ndarray), f"{self.label}, {what}: no array"
        assert events.dtype == EVENT, f"{self.label}, {what}: dtype {events.dtype}, not {EVENT}"
        assert events.ndim == 1, f"{self.label}, {what}: an array of {events.ndim} dimensions"
        wrong = events[(events["p"] > 1) | (events["x"] < 0) | (events["y"] < 0)]
        assert not wrong.size, f"{self.label}, {what}: nonsense such as {wrong[0]} is no error"


def _foreign() -> list[bytes]:
    """Files of no event format."""
    noise = np.random.default_rng(2).integers(0, 256, 3001, np.uint8).tobytes()
    text = b"user,label\nalice,3\nbob,4\n"
    page, archive = b"<!DOCTYPE html><html></html>", b"PK\x05\x06" + bytes(18)
    return [b"", bytes(4001), noise, text, page, archive]


def damaged(data: bytes) -> Iterator[tuple[str, bytes]]:
    """200 copies of a file with flipped bits, overwritten stretches, lost and doubled stretches.

    Yields: what was done, and the copy.
    """
    random = np.random.default_rng(3)
    for number in range(_DAMAGES):
        copy = bytearray(data)
        # Headers are short, and damage to them is the worst: half of it begins there.
        reach = len(data) if number % 2 else min(len(data), 256)
        place = int(random.integers(0, reach))
        length = int(random.integers(1, 64))
        sort = number // 2 % 4
        if sort == 0:
            copy[place] ^= 1 << int(random.integers(8))
        elif sort == 1:
            copy[place : place + length] = random.integers(0, 256, length, np.uint8).tobytes()
        elif sort == 2:
            del copy[place : place + length]
        else:
            copy[place:place] = copy[place : place + length]
        names = ("a flipped bit", "an overwritten stretch", "a lost stretch", "a doubled stretch")
        yield f"{names[sort]} at byte {place} (damage {number})", bytes(copy)
