"""Both ways of decoding words against decoders of one word at a time, written here."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

import numpy as np
import pytest

import snncore
from snn_datasets import FormatError, compiled, make_events
from snn_datasets.formats.words import Unwrap, last
from snn_datasets.formats.words import words as blocks_of

Rows = list[tuple[int, int, int, int]]
Named = str | dict[str, Any]


class Counter:
    """A clock's higher bits: over half a range back is on, over half a range on is back."""

    def __init__(self, bits: int) -> None:
        self.range = 1 << bits
        self.before = self.wraps = 0

    def __call__(self, value: int) -> int:
        if self.before - value > self.range / 2:
            self.wraps += 1
        if value - self.before > self.range / 2 and self.wraps:
            self.wraps -= 1
        self.before = value
        return value + self.wraps * self.range


def bin40(data: bytes) -> Rows:
    rows: Rows = []
    late = 0
    for x, y, high, middle, low in struct.iter_unpack("5B", data):
        if y == 240:
            late += 8192
        else:
            rows.append(((high % 128 << 16) + (middle << 8) + low + late, x, y, high // 128))
    return rows


def dat(version: int) -> Callable[[bytes], Rows]:
    def decode(data: bytes) -> Rows:
        clock = Counter(32)
        rows: Rows = []
        for t, word in struct.iter_unpack("<II", data):
            bits = f"{word:032b}"
            if version == 1:
                x, y, p = int(bits[23:], 2), int(bits[15:23], 2), int(bits[14])
            else:
                x, y, p = int(bits[18:], 2), int(bits[4:18], 2), int("1" in bits[:4])
            rows.append((clock(t), x, y, p))
        return rows

    return decode


def dvs128(data: bytes) -> Rows:
    clock = Counter(32)
    rows: Rows = []
    for address, t in struct.iter_unpack(">II", data):
        bits, t = f"{address:032b}", clock(t)
        if bits[16] == "0":
            rows.append((t, 127 - int(bits[24:31], 2), int(bits[17:24], 2), 1 - int(bits[31])))
    return rows


def davis(data: bytes) -> Rows:
    clock = Counter(32)
    rows: Rows = []
    for address, t in struct.iter_unpack(">II", data):
        bits, t = f"{address:032b}", clock(t)
        if bits[0] == "0" and bits[21] == "0":
            rows.append((t, 239 - int(bits[10:20], 2), int(bits[1:10], 2), int(bits[20])))
    return rows


def evt2(data: bytes) -> Rows:
    clock, high = Counter(28), None
    rows: Rows = []
    for (word,) in struct.iter_unpack("<I", data):
        bits = f"{word:032b}"
        if bits[:4] == "1000":
            high = clock(int(bits[4:], 2))
        elif bits[:3] == "000" and high is not None:
            t = high * 64 + int(bits[4:10], 2)
            rows.append((t, int(bits[10:21], 2), int(bits[21:], 2), int(bits[3])))
    return rows


def evt21(pattern: str) -> Callable[[bytes], Rows]:
    def decode(data: bytes) -> Rows:
        clock, high = Counter(28), None
        rows: Rows = []
        for halves in struct.iter_unpack("<II", data):
            mask, upper = halves if pattern == "little" else halves[::-1]
            bits = f"{upper:032b}"
            if bits[:4] == "1000":
                high = clock(int(bits[4:], 2))
            elif bits[:3] == "000" and high is not None:
                t, x = high * 64 + int(bits[4:10], 2), int(bits[10:21], 2)
                for k, bit in enumerate(reversed(f"{mask:032b}")):
                    if bit == "1":
                        rows.append((t, x + k, int(bits[21:], 2), int(bits[3])))
        return rows

    return decode


def evt3(data: bytes) -> Rows:
    clock, high, low = Counter(12), None, 0
    y = base = None
    p = 0
    rows: Rows = []
    for (word,) in struct.iter_unpack("<H", data):
        kind, value = divmod(word, 4096)
        known = high is not None and y is not None
        t = (high or 0) * 4096 + low
        if kind == 0:
            y = value % 2048
        elif kind == 2 and known:
            rows.append((t, value % 2048, y or 0, value // 2048))
        elif kind == 3:
            p, base = divmod(value, 2048)
        elif kind in (4, 5) and base is not None:
            width = 12 if kind == 4 else 8
            for k in range(width):
                if known and value >> k & 1:
                    rows.append((t, base + k, y or 0, p))
            base += width
        elif kind == 6:
            low = value
        elif kind == 8:
            counted = clock(value)
            if counted != high:
                high, low = counted, 0
    return rows


def drawn(
    random: np.random.Generator, count: int, *fields: tuple[Any, int]
) -> np.ndarray[Any, Any]:
    """Words of fields, each (values, bits), from the highest bit."""
    word = np.zeros(count, np.uint64)
    for values, bits in fields:
        chosen = random.choice(values, count) if isinstance(values, list) else values
        word = word << np.uint64(bits) | np.asarray(chosen).astype(np.uint64)
    return word


def clock(random: np.random.Generator, count: int, bits: int) -> np.ndarray[Any, Any]:
    """Times that wrap, now and then out of order."""
    step = random.integers(-3, (1 << bits) // 5, count)
    return np.cumsum(step) % (1 << bits)


def files(random: np.random.Generator, count: int) -> Iterator[tuple[Named, bytes, bytes, Any]]:
    """Format, header, words, and what decodes them."""

    def numbers(bits: int) -> np.ndarray[Any, Any]:
        return random.integers(0, 1 << bits, count)

    rows = random.integers(0, 256, (count, 5))
    rows[random.integers(0, 9, count) == 0, 1] = 240
    yield "bin40", b"", rows.astype(np.uint8).tobytes(), bin40
    for version in (1, 2):
        header = f"% Version {version}\n".encode() + b"\0\x08"
        words = drawn(random, count, (numbers(32), 32), (clock(random, count, 32), 32))
        yield "dat", header, words.astype("<u8").tobytes(), dat(version)
    for chip, decode in (("DVS128", dvs128), ("DAVIS240C", davis)):
        if chip == "DVS128":
            address = drawn(random, count, ([0, 0, 0, 1], 1), (numbers(15), 15))
        else:
            bits = ([0, 0, 0, 1], 1), (random.integers(0, 180, count), 9)
            bits += (random.integers(0, 240, count), 10), (numbers(1), 1), ([0, 0, 1], 1)
            address = drawn(random, count, *bits, (numbers(10), 10))
        words = address << np.uint64(32) | clock(random, count, 32).astype(np.uint64)
        header = f"#!AER-DAT2.0\r\n# AEChip: {chip}\r\n".encode()
        yield "aedat2", header, words.astype(">u8").tobytes(), decode
    kinds = [0, 0, 1, 1, 8, 0xA, 0xE, 0xF]
    word = drawn(random, count, (kinds, 4), (numbers(28), 28))
    time = word >> np.uint64(28) == 8
    word[time] = 8 << 28 | clock(random, int(time.sum()), 28)
    yield "evt2", b"% evt 2.0\n", word.astype("<u4").tobytes(), evt2
    word &= np.uint64(0xFFDFFFFF)  # x stays below 1024, x + 31 on the largest sensor
    mask = numbers(32) & numbers(32) & numbers(32)
    for order in ("little", "legacy"):
        halves = (mask, word) if order == "little" else (word, mask)
        data = np.stack([half.astype("<u4") for half in halves], axis=1).tobytes()
        yield "evt21", f"% evt 2.1\n% endianness {order}\n".encode(), data, evt21(order)
    kinds = [0, 2, 2, 2, 3, 3, 4, 5, 6, 6, 8, 7, 0xA, 0xE, 0xF]
    word = drawn(random, count, (kinds, 4), (numbers(12), 12))
    word[word >> np.uint64(12) == 3] &= np.uint64(0xFBFF)
    # Bases are set often enough that vectors stay on the largest sensor.
    word[::40] = 3 << 12 | 5
    time = word >> np.uint64(12) == 8
    word[time] = 8 << 12 | clock(random, int(time.sum()), 12)
    yield "evt3", b"% evt 3.0\n", word.astype("<u2").tobytes(), evt3


@pytest.mark.parametrize("block", [1, 7, 64, 1 << 15])
def test_both_ways_decode_word_by_word(
    way: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snn_datasets.formats.words.BLOCK", block)
    for seed, count in ((0, 700), (1, 300), (2, 1), (3, 0)):
        for format, header, data, decode in files(np.random.default_rng(seed), count):
            decoder: Any = snncore.from_spec("format", format)
            expected = decode(data)
            found = decoder.read(BytesIO(header + data), name="a")
            assert found.tolist() == expected, (format, header, seed)
            blocks = list(decoder.blocks(BytesIO(header + data), name="a"))
            assert [row for part in blocks for row in part.tolist()] == expected, (format, seed)


def said(format: str, data: bytes, caplog: pytest.LogCaptureFixture) -> tuple[Any, str, list[str]]:
    """What is read, the error, and what is logged."""
    caplog.clear()
    decoder: Any = snncore.build("format", format)
    try:
        rows, error = decoder.read(BytesIO(data), name="a").tolist(), ""
    except FormatError as caught:
        rows, error = [], str(caught)
    return rows, error, [record.getMessage() for record in caplog.records]


def test_both_ways_say_the_same_of_damaged_files(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba")
    caplog.set_level(logging.INFO, "snn_datasets")
    monkeypatch.setattr("snn_datasets.formats.words.BLOCK", 64)
    random = np.random.default_rng(9)
    told = 0
    for seed in range(3):
        made = list(files(np.random.default_rng(seed), 200))
        made.append(("evt2", b"% evt 2.0\n% geometry 9x9\n", made[5][2], None))
        events = make_events(t=np.arange(500) * 9_000_000, x=[3] * 500, y=[2] * 500, p=[1] * 500)
        file = BytesIO()
        snncore.build("format", "aedat31").write(file, events, name="a")
        made.append(("aedat31", b"", file.getvalue(), None))
        for format, header, data, _ in made:
            for _ in range(12):
                copy = bytearray(header + data)
                for place in random.integers(len(header), len(copy), 3):
                    copy[place] = random.integers(256)
                answers = []
                for numba in (True, False):
                    with compiled.use(numba):
                        answers.append(said(str(format), bytes(copy), caplog))
                assert answers[0] == answers[1], format
                told += bool(answers[0][1])
    assert told > 30


def test_an_unknown_word_is_named_with_its_place(way: str) -> None:
    words = np.array([8 << 28, 0, 0, 5 << 28, 7 << 28], "<u4").tobytes()
    with pytest.raises(FormatError, match=r"a holds at byte 22 a word of type 0x5, which EVT 2\.0"):
        snncore.build("format", "evt2").read(BytesIO(b"% evt 2.0\n" + words), name="a")


def test_events_off_the_sensor_are_numbered_through_all_blocks(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snn_datasets.formats.words.BLOCK", 2)
    words = np.array([8 << 28, 0, 1, 2, 9, 8], "<u4").tobytes()
    header = b"% evt 2.0\n% geometry 8x8\n"
    text = r"a: event 3 has x=0, y=9, which is off its sensor of 8 x 8 pixels \(2 such events here"
    with pytest.raises(FormatError, match=text):
        snncore.build("format", "evt2").read(BytesIO(header + words), name="a")


def test_dropped_events_are_counted(way: str, caplog: pytest.LogCaptureFixture) -> None:
    text = "a: 2 events are dropped, for which the file has said no time or place yet: it was cut "
    text += "off in front, or is damaged"
    words = np.array([0, 1, 8 << 28, 2], "<u4").tobytes()
    assert said("evt2", b"% evt 2.0\n" + words, caplog)[2] == [text]
    # One event has no time, one bit of a vector no base.
    words = np.array([0x2001, 0x8001, 0x0001, 0x4004, 0x2001], "<u2").tobytes()
    rows, _, told = said("evt3", b"% evt 3.0\n" + words, caplog)
    assert (rows, told) == ([(4096, 1, 1, 0)], [text])
    words = np.array([6, 0, 0, 8 << 28, 1, 0], "<u4").tobytes()
    rows, _, told = said("evt21", b"% evt 2.1\n" + words, caplog)
    assert (rows, told) == ([(0, 0, 0, 0)], [text])


def test_times_that_fall_are_told(way: str, caplog: pytest.LogCaptureFixture) -> None:
    events = make_events(
        t=[5, 3_000_000, 2_000_000, 4_000_000, 1_000_000, 10], x=[1] * 6, y=[1] * 6, p=[1] * 6
    )
    file = BytesIO()
    snncore.build("format", "dat").write(file, events, name="a")
    rows, _, told = said("dat", file.getvalue(), caplog)
    assert rows == events.tolist()
    assert told == [
        "a: times fall by more than a second 1 times, first at event 4: the clock was set back, "
        "or the file is damaged"
    ]


def test_a_clock_wraps_and_goes_back_over_its_wrap() -> None:
    unwrap = Unwrap(8)
    assert unwrap(np.array([200, 250, 3, 254, 4])).tolist() == [200, 250, 259, 254, 260]
    assert unwrap(np.array([250])).tolist() == [250]
    # Nothing lies before the first wrap.
    assert Unwrap(8)(np.array([3, 250, 1, 2])).tolist() == [3, 250, 257, 258]
    assert Unwrap(8)(np.array([], np.uint8)).tolist() == []


def test_the_latest_value_at_some_places() -> None:
    given = np.array([True, False, False, True])
    assert last(np.array([4, 6]), given, 9, np.array([1, 3])).tolist() == [4, 6]
    assert last(np.array([], np.int64), np.zeros(2, np.bool_), 9).tolist() == [9, 9]


class Bare:
    """A file that gives few bytes at a time, or has only the method read."""

    def __init__(self, data: bytes, most: int, fills: bool) -> None:
        self.file, self.most = BytesIO(data), most
        self.seek = self.file.seek
        if fills:
            self.readinto = lambda room: self.file.readinto(room[:most])

    def read(self, count: int) -> bytes:
        return self.file.read(count)


@pytest.mark.parametrize("fills", [True, False])
def test_any_file_is_read_whole(fills: bool) -> None:
    data = np.arange(40, dtype="<u2").tobytes()
    blocks = [
        part.copy() for _, part in blocks_of(Bare(data, 7, fills), "<u2", name="a", unit="words")
    ]
    assert np.concatenate(blocks).tolist() == list(range(40))


def test_a_file_that_becomes_shorter_meanwhile() -> None:
    file: Any = Bare(bytes(40), 100, True)
    file.readinto = lambda room: 0
    with pytest.raises(FormatError, match="a became shorter while it was read, at byte 0"):
        list(blocks_of(file, "<u2", name="a", unit="words"))
