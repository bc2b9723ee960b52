"""The examples run as scripts, and what they draw shows the effect that they are about."""

from __future__ import annotations

import importlib
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no examples beside these tests")
pytest.importorskip("matplotlib", reason="matplotlib is not installed")
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "panels")


@pytest.fixture
def example(monkeypatch):
    """Imports an example as its own run would."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(FOLDER) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height in points, of the first chunk of a PNG."""
    head = picture.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert head[12:16] == b"IHDR"
    return struct.unpack(">II", head[16:])


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_saves_its_picture(name, tmp_path):
    picture = tmp_path / "picture.png"
    command = [sys.executable, "-W", "error", str(FOLDER / f"{name}.py"), "--out", str(picture)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"wrote {picture}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert size_of(picture) == (800, 600)


@pytest.mark.parametrize("name", SCRIPTS)
def test_without_a_name_the_picture_is_called_after_the_script(
    name, example, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    example(name).main([])
    assert size_of(tmp_path / f"{name}.png") == (800, 600)


def test_the_picture_holds_the_curves(example):
    panels = {"a": {"one": np.arange(3.0)}, "b": {"two": np.ones(3), "three": np.zeros(3)}}
    figure = example("panels").draw("title", panels, np.array([0.0, 1.0, 0.0]))
    above, middle, below = figure.axes
    assert [line.get_ydata().tolist() for line in above.lines] == [[0.0, 1.0, 2.0]]
    assert [line.get_ydata().tolist() for line in middle.lines] == [[1.0] * 3, [0.0] * 3]
    assert [text.get_text() for text in middle.get_legend().get_texts()] == ["two", "three"]
    (lines,) = below.collections
    assert [path.vertices[0, 0] for path in lines.get_paths()] == [1.0]


def test_the_threshold_adapts(example):
    found = example("adaptive_threshold").run()
    # The recurrence by hand, from the numbers of the script.
    v, b, spikes, thresholds = 0.0, 0.0, [], []
    for x in found["current"]:
        h = v + (x - v) / 20.0
        threshold = 1.0 + 20.0 * b
        spike = float(h >= threshold)
        v = (1.0 - spike) * h
        b = 0.99 * b + 0.01 * spike
        spikes.append(spike)
        thresholds.append(threshold)
    assert found["spikes"].tolist() == spikes
    assert np.allclose(found["threshold"], thresholds, atol=1e-5)
    # Nothing before the current, then intervals that grow until they are all the same.
    assert not found["spikes"][:20].any()
    intervals = np.diff(np.flatnonzero(found["spikes"]))
    assert (np.diff(intervals) >= 0).all()
    assert intervals[-1] > 2 * intervals[0]
    # The least n at which 4 (1 - (1 - 1/tau)^n) reaches the threshold of a spike every n steps.
    steady = next(
        n
        for n in range(1, 100)
        if 4.0 * (1.0 - 0.95**n) >= 1.0 + 20.0 * 0.01 * 0.99 ** (n - 1) / (1.0 - 0.99**n)
    )
    assert set(intervals[-10:]) == {steady}
    assert (found["potential"] < found["threshold"]).all()


def test_the_neuron_chatters(example):
    found = example("chattering").run()
    v, w, spikes = -0.1, 0.0, []
    for x in found["current"]:
        h = v + (x + 2.0 * (v + 0.1) * (v - 0.8) - w) / 5.0
        spike = float(h >= 2.0)
        v = (1.0 - spike) * h + spike * 0.95
        w = w + (0.3 * (h + 0.1) - w) / 50.0 + 0.3 * spike
        spikes.append(spike)
    assert found["spikes"].tolist() == spikes
    # Bursts with pauses of several times the longest interval within one, again and again.
    times = np.flatnonzero(found["spikes"])
    assert times[0] >= 20
    intervals = np.diff(times)
    pauses = np.flatnonzero(intervals > 3 * np.median(intervals))
    bursts = np.split(times, pauses + 1)[:-1]
    assert len(bursts) >= 3
    assert min(map(len, bursts)) >= 2
    within = np.concatenate([np.diff(burst) for burst in bursts])
    assert intervals[pauses].min() > 5 * within.max()
    # W rises with each spike of a burst and decays in the pause.
    for burst in bursts:
        assert (np.diff(found["recovery"][burst]) > 0).all()
    for pause in pauses:
        recovery = found["recovery"][times[pause] : times[pause + 1] - 5]
        assert (np.diff(recovery) < 0).all()
