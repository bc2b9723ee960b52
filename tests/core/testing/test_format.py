"""Deliberately wrong formats: each promise of the kit catches the one that breaks it."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from snncore.hookspecs import hookimpl
from snncore.testing.format import EVENT, FormatConformance

_MAGIC = b"#!RIGHT\n"
_SIZE = (34, 34)


class Right:
    """Thirteen bytes per event after a magic word, the format that the wrong ones are made from."""

    extensions = (".right",)
    magic = _MAGIC

    def _data(self, file: Any, name: str) -> bytes:
        file.seek(0)
        data = file.read()
        if not data.startswith(_MAGIC) or (len(data) - len(_MAGIC)) % EVENT.itemsize:
            raise ValueError(f"{name} is cut off or of another format")
        return data[len(_MAGIC) :]

    def read(self, file: Any, *, name: str) -> Any:
        events = np.frombuffer(self._data(file, name), EVENT).copy()
        if events.size and (events["p"].max() > 1 or min(events["x"].min(), events["y"].min()) < 0):
            raise ValueError(f"{name} is damaged")
        return events

    def blocks(self, file: Any, *, name: str) -> Any:
        events = self.read(file, name=name)
        yield from (events[:7], events[7:])

    def size(self, file: Any, *, name: str) -> tuple[int, int]:
        return _SIZE

    def recognises(self, file: Any) -> bool:
        file.seek(0)
        return file.read(len(_MAGIC)) == _MAGIC

    def write(self, file: Any, events: Any, *, name: str) -> None:
        if events.size and (events["p"].max() > 1 or min(events["x"].min(), events["y"].min()) < 0):
            raise ValueError(f"{name}: no events")
        file.write(_MAGIC + events.tobytes())


class UpperCase(Right):
    extensions = (".RIGHT",)


class OtherMagic(Right):
    magic = b"#!WRONG\n"


class KnowsNothing(Right):
    def recognises(self, file):
        return False


class KnowsAll(Right):
    def recognises(self, file):
        return True


class OtherFields(Right):
    def read(self, file, *, name):
        return super().read(file, name=name)[["x", "y", "t", "p"]]


class Sorts(Right):
    def read(self, file, *, name):
        return np.sort(super().read(file, name=name), order="x")


class LosesOne(Right):
    def write(self, file, events, *, name):
        super().write(file, events[: max(events.size - 1, 1)], name=name)


class Wraps(Right):
    def write(self, file, events, *, name):
        events = events.copy()
        events["x"] &= 0xFF
        super().write(file, events, name=name)


class OtherBlocks(Right):
    def blocks(self, file, *, name):
        yield self.read(file, name=name)[:-1]


class SmallSensor(Right):
    def size(self, file, *, name):
        return (8, 8)


class ReadsOn(Right):
    def _data(self, file, name):
        start = file.tell()
        data = super()._data(file, name)
        return data[start // EVENT.itemsize * EVENT.itemsize :]


class FillsUp(Right):
    def _data(self, file, name):
        file.seek(0)
        data = file.read().ljust(len(_MAGIC), b"\0")[len(_MAGIC) :]
        return data + bytes(-len(data) % EVENT.itemsize)


class Crashes(Right):
    def _data(self, file, name):
        data = super()._data(file, name)
        for place in range(0, len(data), EVENT.itemsize):
            struct.unpack_from("<q", data, place)
            if data[place + 12] > 1:
                raise KeyError(data[place + 12])
        return data


class Anonymous(Right):
    def _data(self, file, name):
        return super()._data(file, "the file")


class Shy(Right):
    def _data(self, file, name):
        raise ValueError("no")


class Nonsense(Right):
    def read(self, file, *, name):
        return np.frombuffer(self._data(file, name), EVENT)


def kit(format: type) -> FormatConformance:
    class Kit(FormatConformance):
        pixels = _SIZE

        def make(self, **params: Any) -> Any:
            return format(**params)

    return Kit()


ALL = [name for name in vars(FormatConformance) if name.startswith("test_")]


def run(adopted: FormatConformance, test: str) -> None:
    arguments = (1000,) if test == "test_what_is_written_is_read" else ()
    getattr(adopted, test)(*arguments)


@pytest.mark.parametrize("test", ALL)
def test_the_right_one_passes(test: str) -> None:
    run(kit(Right), test)


@pytest.mark.parametrize(
    ("format", "test", "text"),
    [
        (UpperCase, "test_it_says_which_files_are_its_own", "is not lower case"),
        (OtherMagic, "test_it_says_which_files_are_its_own", "magic is b'#!WRONG"),
        (KnowsNothing, "test_it_says_which_files_are_its_own", "does not recognise its file"),
        (KnowsAll, "test_it_says_which_files_are_its_own", "recognises a foreign file"),
        (OtherFields, "test_events_are_arrays_of_the_platform", "an event file: dtype"),
        (Sorts, "test_what_is_written_is_read", "1000 events of seed 0 are read back as 1000 oth"),
        (LosesOne, "test_what_is_written_is_read", "are read back as 999 others"),
        (Wraps, "test_what_cannot_be_held_is_refused", "x = -1 is written and read as another"),
        (OtherBlocks, "test_blocks_are_the_whole", "the blocks are not what read"),
        (SmallSensor, "test_events_lie_on_the_sensor", r"x reaches 33 of \(8, 8\)"),
        (ReadsOn, "test_a_file_may_stand_anywhere", "does not begin at the beginning"),
        (FillsUp, "test_a_cut_file_is_an_error_or_a_beginning", "not the first of the whole"),
        (Crashes, "test_damage_is_an_error_or_gives_events", r"KeyError\(.*\); raise a ValueErr"),
        (Anonymous, "test_damage_is_an_error_or_gives_events", "does not name the file"),
        (Nonsense, "test_damage_is_an_error_or_gives_events", "nonsense such as"),
        (Anonymous, "test_foreign_files_are_errors_or_give_events", "does not name the file"),
    ],
)
def test_a_wrong_one_is_caught(format: type, test: str, text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        run(kit(format), test)


def test_files_that_other_formats_write_are_tried(isolated_registry) -> None:
    @hookimpl
    def snn_components(register):
        register("format", "right", f"{Right.__module__}:Right", summary="of a test")
        register("format", "broken", "no_such_module:Broken", summary="of a test")

    other = SimpleNamespace(API=1, snn_components=snn_components)
    test = "test_files_of_other_formats_are_errors_or_give_events"
    with isolated_registry.plugin(other, name="other"):
        run(kit(OtherMagic), test)
        with pytest.raises(AssertionError, match=r"a file of other/right: .* does not name the fi"):
            run(kit(Shy), test)


def test_what_only_reads_is_skipped_without_an_example() -> None:
    class Kit(FormatConformance):
        writes = False
        reason = "of a test"

        def make(self, **params: Any) -> Any:
            return Right(**params)

    for test in ("test_blocks_are_the_whole", "test_what_is_written_is_read"):
        with pytest.raises(pytest.skip.Exception, match="of a test"):
            run(Kit(), test)
    with pytest.raises(TypeError, match="declares writes = False without a reason"):
        type("Silent", (FormatConformance,), {"writes": False})
