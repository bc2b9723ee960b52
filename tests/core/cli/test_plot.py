from __future__ import annotations

import builtins
import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch

import snncore
from snncore.cli import plot
from snncore.surrogate import Surrogate

drawn = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed"
)


class Bare(Surrogate):
    """Without primitive, and random."""

    def spike(self, x):
        return (torch.rand_like(x) < 0.5).to(x.dtype)

    def derivative(self, x):
        return torch.ones_like(x)


def curves(file: Path) -> dict[str, list[tuple[float, float]]]:
    """The lines of an SVG by name, in units of the page."""
    found = {}
    for group in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}g"):
        path = group.find("{http://www.w3.org/2000/svg}path")
        if group.get("id") in ("forward", "primitive", "derivative") and path is not None:
            pairs = re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path.get("d", ""))
            found[group.get("id")] = [(float(a), float(b)) for a, b in pairs]
    return found


@drawn
@pytest.mark.parametrize(
    ("suffix", "head"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89")]
)
def test_a_picture_is_written(suffix, head, snn, tmp_path: Path) -> None:
    file = tmp_path / f"picture.{suffix}"
    result = snn("plot", "surrogate", "atan", "--out", str(file))
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == f"wrote {file}"
    assert file.read_bytes().startswith(head)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


@drawn
def test_its_default_name_is_that_of_the_surrogate(snn, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("snncore/triangle", "atan"):
        assert snn("plot", "surrogate", name).exit_code == 0
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"piecewise_quadratic.png", "atan.png"}


def test_the_curves_are_those_of_the_surrogate() -> None:
    made = snncore.build("surrogate", "sigmoid", alpha=3.0)
    x, found = plot._curves(made, (-1.0, 0.5))
    s = 1 / (1 + torch.exp(-3 * torch.from_numpy(x)))
    assert (x[0], x[-1]) == (-1.0, 0.5)
    assert torch.allclose(torch.from_numpy(found["primitive"]), s)
    assert torch.allclose(torch.from_numpy(found["derivative"]), 3 * s * (1 - s))
    assert found["forward"].tolist() == (x >= 0).astype(float).tolist()


@drawn
def test_parameters_and_range_reach_the_picture(snn, tmp_path: Path) -> None:
    def draw(*words: str) -> dict[str, list[tuple[float, float]]]:
        file = tmp_path / "one.svg"
        assert snn("plot", "surrogate", "rect", *words, "--out", str(file)).exit_code == 0
        return curves(file)

    wide = draw("--set", "alpha=0.5", "--range", "-2", "2")["derivative"]
    narrow = draw("--set", "alpha=1", "--range", "-2", "2")["derivative"]
    left, right = wide[0][0], wide[-1][0]

    def width(points: list[tuple[float, float]]) -> float:
        # The vertical axis of a page points down.
        top = min(y for _, y in points)
        inside = [x for x, y in points if y < top + 1]
        return (inside[-1] - inside[0]) / (right - left) * 4

    assert width(wide) == pytest.approx(2.0, abs=0.02)
    assert width(narrow) == pytest.approx(1.0, abs=0.02)
    half = draw("--set", "alpha=1", "--range", "0", "2")["derivative"]
    assert width(half) == pytest.approx(1.0, abs=0.02)


@drawn
def test_what_has_no_primitive_is_drawn_without(
    make_plugin, install, module, snn, tmp_path
) -> None:
    module("bare_surrogate", Bare=Bare)
    install(make_plugin("snn-bare", components=[("surrogate", "bare", "bare_surrogate:Bare")]))
    files = [tmp_path / "one.svg", tmp_path / "two.svg"]
    for file in files:
        assert snn("plot", "surrogate", "bare", "--out", str(file)).exit_code == 0
    assert set(curves(files[0])) == {"forward", "derivative"}
    # Random spikes are drawn from the same seed each time.
    assert curves(files[0]) == curves(files[1])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["atn"], "unknown surrogate 'atn'; did you mean"),
        (["atan", "--set", "alpha=0"], "alpha must be > 0, got 0"),
        (["atan", "--set", "beta=1"], "unknown parameter 'beta'"),
        (["atan", "--set", "alpha"], "--set expects key=value"),
        (
            ["atan", "--set", "alpha=[1.0, 2.0]"],
            "alpha has 2 values; a picture shows one curve, so give one",
        ),
        (["atan", "--out", "picture.jpeg"], "--out expects a file ending in .png, .svg, .pdf"),
        (["atan", "--out", "nowhere/p.png"], "there is no folder nowhere; create it"),
        (["atan", "--range", "1", "1"], "--range expects LOW < HIGH, got 1 and 1"),
    ],
)
def test_wrong_words(words, text, snn, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plot, "find_spec", lambda name: object())
    result = snn("plot", "surrogate", *words)
    assert result.exit_code == 2, result.output
    assert re.search(text, result.stderr)
    assert not list(tmp_path.iterdir())


def test_without_matplotlib_the_command_says_what_to_type(snn, tmp_path, monkeypatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: object) -> object:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'")
        return real(name, *rest)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(builtins, "__import__", absent)
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    result = snn("plot", "surrogate", "atan")
    assert result.exit_code == 1
    assert result.stderr.strip() == (
        'Error: snn plot needs matplotlib: pip install "snncore[plot]"'
    )
    assert not list(tmp_path.iterdir())


@drawn
def test_a_folder_that_cannot_be_written(snn, tmp_path: Path, monkeypatch) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    result = snn("plot", "surrogate", "atan", "--out", str(tmp_path / "a.png"))
    assert result.exit_code == 1
    assert f"cannot write {tmp_path / 'a.png'}: No space left on device" in result.stderr
    assert not list(tmp_path.iterdir())
