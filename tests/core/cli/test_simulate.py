from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from snncore import monitor
from snncore.chip import examine, run_source
from snncore.cli.weights import open_trained
from snncore.graph import trace

SIMULATE = ("simulate", "model:chain", "--chip", "toy")


@pytest.fixture(autouse=True)
def _installed(deployed, toy) -> None:
    class Late(toy.Toy):
        """Answers two steps later, the first layer one step; says what it takes, and counts."""

        def read(self, path):
            program = super().read(path)
            object.__setattr__(program, "input_shape", (2, 4))
            return program

        def simulate(self, program, x, record=()):
            ran = super().simulate(program, torch.cat((x, torch.zeros(2, *x.shape[1:]))), record)
            lags = {path: 1 + i for i, path in enumerate(self.layers(program)) if path in record}

            def shift(value, lag):
                return torch.cat((torch.ones_like(value[:lag]), value[:-lag]))

            return replace(
                ran,
                output=shift(ran.output, 2),
                spikes={path: shift(value, lags[path]) for path, value in ran.spikes.items()},
                counters={"wraps": 1234, "saturations": 0},
                latency=2,
                delays=lags,
            )

    deployed(late=Late)


@pytest.fixture
def source():
    """The same network in its own arithmetic, on an input."""

    def run(x):
        return run_source(trace(open_trained("model:chain", {}), torch.zeros(1, 2, 4)), x)

    return run


def toy_output(toy, steps, batch, rate, seed):
    chip = toy.Toy()
    graph = trace(open_trained("model:chain", {}), torch.zeros(1, 2, 4))
    x = monitor.random_input([2, 4], steps=steps, batch=batch, rate=rate, seed=seed)
    return chip.simulate(examine(chip, graph)[1], x).output


def heavy(x) -> list[int]:
    """Samples by the neuron that fires most, sample by sample."""
    counts = [0] * x.shape[2]
    for sample in x.sum(0).tolist():
        if max(sample):
            counts[sample.index(max(sample))] += 1
    return counts


def test_rows_are_what_the_layers_did(snn, source, toy) -> None:
    words = ("--steps", "9", "--batch", "5", "--rate", "0.6", "--seed", "7")
    data = json.loads(snn(*SIMULATE, *words, "--json").stdout)
    ran = source(monitor.random_input([2, 4], steps=9, batch=5, rate=0.6, seed=7))
    assert (data["schema"], data["input"], data["latency"]) == (1, [9, 5, 2, 4], 0)
    assert [row["layer"] for row in data["rows"]] == ["2", "4", "output"]
    first = data["rows"][0]
    assert (first["neurons"], first["delay"]) == (6, 0)
    # Weights of 8 bits fire almost as often.
    assert abs(first["rate"] - float(ran.spikes["2"].mean())) < 0.05
    assert first["spikes"] == round(first["rate"] * 9 * 5 * 6)
    assert first["spikes"] > 0
    assert data["counters"] == {}
    output = toy_output(toy, 9, 5, 0.6, 7)
    assert data["predicted"]["samples"] == heavy(output)
    assert data["predicted"]["silent"] == 5 - sum(heavy(output))


def test_a_late_chip_is_counted_by_its_answers(snn) -> None:
    words = ("--rate", "0.6", "--json")
    soon, late = (
        json.loads(snn("simulate", "model:chain", "--chip", chip, *words).stdout)
        for chip in ("toy", "late")
    )
    assert late["latency"] == 2
    assert [row.pop("delay") for row in late["rows"]] == [1, 2, 2]
    assert [row.pop("delay") for row in soon["rows"]] == [0, 0, 0]
    assert late["rows"] == soon["rows"]
    assert late["counters"] == {"wraps": 1234, "saturations": 0}


def test_text(snn) -> None:
    result = snn("simulate", "model:chain", "--chip", "late", "--rate", "0.6")
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["layer", "neurons", "spikes", "rate", "delay"]
    assert [line[0] for line in lines[1:4]] == ["2", "4", "output"]
    assert lines[1][3].endswith("%")
    assert "\nlatency 2\nwraps 1,234\nsaturations 0\n" in result.stdout
    assert "samples by predicted class: class " in result.stdout


def test_silence_predicts_nothing(snn) -> None:
    words = ("simulate", "model:chain", "--chip", "toy", "--rate", "0", "--batch", "3")
    assert snn(*words).stdout.endswith("samples by predicted class: none, as no output fires: 3\n")
    predicted = json.loads(snn(*words, "--json").stdout)["predicted"]
    assert predicted == {"samples": [0, 0, 0], "silent": 3}


def test_an_image_predicts_nothing(snn, toy) -> None:
    class Picture(toy.Toy):
        """Its output is no vector."""

        def simulate(self, *given):
            ran = super().simulate(*given)
            return replace(ran, output=ran.output[..., None])

    sys.modules["deployed"].Toy = Picture
    assert json.loads(snn(*SIMULATE, "--json").stdout)["predicted"] is None
    assert "predicted" not in snn(*SIMULATE).stdout


def test_results_are_kept(snn, toy) -> None:
    x = (torch.rand(7, 3, 2, 4, generator=torch.Generator().manual_seed(0)) < 0.6).numpy()
    np.save("x.npy", x)
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    result = snn("simulate", "net", "--chip", "late", "--input", "x.npy", "--out", "new/run.npz")
    assert result.exit_code == 0, result.output
    with np.load("new/run.npz") as file:
        kept = dict(file)
    chip = toy.Toy()
    ran = chip.simulate(chip.read(Path("net")), torch.from_numpy(x).float(), ("2", "4"))
    assert set(kept) == {
        *("output", "latency", "counters/wraps", "counters/saturations"),
        *(f"{what}/{path}" for what in ("spikes", "delays") for path in "24"),
        *("states/2/v", "states/4/v"),
    }
    assert (kept["output"][2:] == ran.output.numpy()).all()
    assert (kept["spikes/2"][1:-1] == ran.spikes["2"].numpy()).all()
    assert (kept["states/2/v"][:7] == ran.states["2"]["v"].numpy()).all()
    assert (kept["latency"], kept["delays/2"], kept["counters/wraps"]) == (2, 1, 1234)
    assert list(Path("new").iterdir()) == [Path("new/run.npz")]


def test_a_file_runs_as_its_model_does(snn) -> None:
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    expected = snn(*SIMULATE, "--json").stdout
    assert snn("simulate", "net", "--chip", "toy", "--shape", "2,4", "--json").stdout == expected
    result = snn("simulate", "net", "--chip", "toy")
    assert result.exit_code == 2
    assert "net names no in_shape; say --shape, as in --shape 2,34,34" in result.stderr
    # The file of this chip says it.
    assert snn("simulate", "net", "--chip", "late").exit_code == 0
    np.savez("x.npz", other=np.zeros(3), x=np.zeros((2, 1, 8), np.uint8))
    assert snn("simulate", "net", "--chip", "toy", "--input", "x.npz").exit_code == 0


def test_some_layers_are_recorded(snn) -> None:
    data = json.loads(snn(*SIMULATE, "--record", "4", "--json").stdout)
    assert [row["layer"] for row in data["rows"]] == ["4", "output"]


def test_an_input_tells_the_shape(snn) -> None:
    np.save("x.npy", np.zeros((2, 3, 8)))
    words = ("--set", "named=false", "--input", "x.npy", "--json")
    assert json.loads(snn(*SIMULATE, *words).stdout)["input"] == [2, 3, 8]


def test_an_input_that_is_no_spikes_is_told_of(snn) -> None:
    x = np.zeros((2, 1, 2, 4))
    x[1, 0, 1, 2:] = 2, -1
    np.save("x.npy", x)
    result = snn(*SIMULATE, "--input", "x.npy")
    assert result.exit_code == 0
    text = "2 of 16 values of the input are neither 0 nor 1, and spikes of toy are"
    assert text in result.stderr
    assert "neither" not in snn(*SIMULATE).stderr


@pytest.mark.parametrize(
    ("save", "text"),
    [
        (
            lambda: np.save("x.npy", np.zeros((2, 4))),
            "x.npy has shape [2, 4]; expected is [T, N, *]",
        ),
        (lambda: np.save("x.npy", np.zeros((0, 1, 2, 4))), "has shape [0, 1, 2, 4]; expected is"),
        (
            lambda: np.save("x.npy", np.zeros((3, 1, 4, 2))),
            "x.npy has shape [3, 1, 4, 2], expected is [T, N, 2, 4]: time steps, items, and what",
        ),
        (lambda: np.save("x.npy", np.full((2, 1, 2, 4), np.nan)), "x.npy has values that are not"),
        (lambda: np.save("x.npy", np.array("word")), "x.npy holds <U4, expected are numbers"),
        (
            lambda: np.save("x.npy", np.array([{}]), allow_pickle=True),
            "x.npy cannot be read: Object arrays cannot be loaded when allow_pickle=False",
        ),
        (lambda: Path("x.npy").write_bytes(b"PK\x03\x04 no archive"), "x.npy cannot be read: "),
        (lambda: Path("x.npy").touch(), "x.npy cannot be read: "),
    ],
    ids=["rank", "empty", "shape", "nan", "text", "pickled", "archive", "nothing"],
)
def test_files_that_are_no_input(snn, save, text) -> None:
    save()
    result = snn(*SIMULATE, "--input", "x.npy")
    assert result.exit_code == 1, result.output
    assert text in result.stderr


def test_archives_of_several_arrays(snn) -> None:
    for names, text in ((("a", "b"), "x.npz holds a, b; expected is"), ((), "holds no array")):
        np.savez("x.npz", **{name: np.zeros((2, 1, 2, 4)) for name in names})
        result = snn(*SIMULATE, "--input", "x.npz")
        assert result.exit_code == 1
        assert text in result.stderr
    np.savez("x.npz", only=np.zeros((2, 1, 2, 4)))
    assert snn(*SIMULATE, "--input", "x.npz").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--record", "3"), 2, "there is no layer '3' to record; there are 2, 4"),
        (("--out", "run.npy"), 2, "--out expects a file ending in .npz; got run.npy"),
        (("--out", "folder.npz"), 1, "cannot write folder.npz: Is a directory"),
        (("--input", "x.txt"), 2, "--input expects a file ending in .npy or .npz; got x.txt"),
        (("--input", "x.npy"), 2, "there is no file x.npy"),
        (
            ("--input", "x.npy", "--steps", "3", "--seed", "0"),
            2,
            "--steps, --seed would say how random spikes are drawn, and --input brings its own",
        ),
        (("--set", "v_reset=0.5"), 1, "Error: network for toy: 2 errors"),
    ],
    ids=["record", "out", "folder", "ending", "missing", "both", "refused"],
)
def test_wrong_words(snn, words, code, text) -> None:
    Path("folder.npz").mkdir()
    result = snn(*SIMULATE, *words)
    assert result.exit_code == code, result.output
    assert text in result.stderr


def test_a_file_has_no_settings(snn) -> None:
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    for words in (("--set", "hidden=3"), ("--untrained",)):
        result = snn("simulate", "net", "--chip", "toy", *words)
        assert result.exit_code == 2
        assert "net is an exported file, and --set and --untrained are of models" in result.stderr
    Path("net").write_text("something else")
    result = snn("simulate", "net", "--chip", "toy", "--shape", "2,4")
    assert result.exit_code == 1
    assert "Error: net is no network of the toy" in result.stderr


def test_a_file_with_another_shape(snn) -> None:
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    result = snn("simulate", "net", "--chip", "toy", "--shape", "7")
    assert result.exit_code == 1
    assert "net does not run on an input [16, 4, 7]: matmul" in result.stderr
    assert result.stderr.endswith("; say --shape\n")
