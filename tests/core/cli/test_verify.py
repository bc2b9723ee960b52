from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

VERIFY = ("verify", "model:chain", "--chip", "toy")


@pytest.fixture(autouse=True)
def _installed(deployed, toy) -> None:
    class Vendor:
        """The toy's simulator, a step later, and wrong in one place if asked."""

        name = "vendor"
        calls: ClassVar[list[Path]] = []

        def __init__(self, interpreter=None, *, reason=None, wrong=False):
            self.interpreter, self.reason, self.wrong = interpreter, reason, wrong

        def available(self):
            if self.interpreter is not None and self.reason is not None:
                return f"{self.interpreter} has not got it either"
            return self.reason

        def run(self, path, x):
            self.calls.append(path)
            chip = toy.Toy()
            ran = chip.simulate(chip.read(path), x)
            output = torch.cat((torch.ones_like(ran.output[:1]), ran.output))
            if self.wrong:
                output[-1, 0, 0] = 1 - output[-1, 0, 0]
            return replace(ran, output=output, latency=1)

    class Sold(toy.Toy):
        """With the vendor's software."""

        def __init__(self, *, missing: bool = False, wrong: bool = False):
            self.settings = {
                "reason": "vendor-sdk is not installed; pip install vendor-sdk" * missing or None,
                "wrong": wrong,
            }

        def toolchain(self, interpreter=None):
            return Vendor(interpreter, **self.settings)

    class Coarse(toy.Toy):
        """Its first threshold is far off."""

        def lower(self, graph):
            (path, weight, _), *rest = super().lower(graph).layers
            return toy.ToyProgram(((path, weight, 1), *rest))

    Vendor.calls.clear()
    deployed(sold=Sold, coarse=Coarse)


def test_a_chip_beside_its_network(snn) -> None:
    words = ("--rate", "0.6", "--batch", "40")
    result = snn(*VERIFY, *words)
    assert result.exit_code == 0, result.output
    first, second = result.stdout.splitlines()[:2]
    assert first == "model:chain on toy beside the network itself"
    assert second.startswith("same (behavioural): ")
    result = snn("verify", "model:chain", "--chip", "coarse", *words)
    assert result.exit_code == 1
    assert "different (behavioural): " in result.stdout
    assert "\nfirst: sample " in result.stdout
    assert ", layer 2, neuron (" in result.stdout


def test_json(snn) -> None:
    words = ("--rate", "0.6", "--steps", "5", "--batch", "2", "--json")
    data = json.loads(snn(*VERIFY, *words).stdout)
    assert (data["schema"], data["with"], data["policy"]) == (1, None, "behavioural")
    # Two layers, and the output once more.
    assert data["bins"] == 5 * 2 * (6 + 3 + 3)
    result = snn("verify", "model:chain", "--chip", "coarse", "--policy", "exact", *words)
    assert result.exit_code == 1
    data = json.loads(result.stdout)
    assert not data["ok"]
    assert data["mismatches"] > 0
    assert data["first"]["layer"] == "2"
    assert set(data["first"]["states"]) == {"v"}


def test_policies(snn) -> None:
    words = ("verify", "model:chain", "--chip", "coarse", "--rate", "0.6", "--policy", "rounded")
    assert snn(*words).exit_code == 1
    result = snn(*words, "--tolerance", "1")
    assert result.exit_code == 0
    assert "same (rounded): 0 of " in result.stdout


@pytest.mark.parametrize("wrong", [False, True])
def test_a_toolchain_beside_the_simulator(snn, wrong) -> None:
    words = ("--chip", "sold", "--chip-set", f"wrong={str(wrong).lower()}", "--with", "vendor")
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    for subject in ("model:chain", "net"):
        shape = ("--shape", "2,4") if subject == "net" else ()
        result = snn("verify", subject, *words, *shape, "--rate", "0.6")
        assert result.exit_code == int(wrong), result.output
        assert f"{subject} on sold beside vendor" in result.stdout
        word = "different (exact): 1 of 192" if wrong else "same (exact): 0 of 192"
        assert word in result.stdout
        assert ("first: sample 0, step 15, layer output, neuron (0): " in result.stdout) == wrong
    data = json.loads(snn("verify", "model:chain", *words, "--json").stdout)
    assert data["with"] == "vendor"
    calls = sys.modules["deployed"].sold().toolchain().calls
    assert calls[1] == Path("net")
    # The model's file was there for the run alone.
    assert not calls[0].exists()
    assert not calls[0].parent.exists()


def test_an_input_from_a_file(snn) -> None:
    np.save("x.npy", np.ones((3, 2, 2, 4)))
    data = json.loads(snn(*VERIFY, "--input", "x.npy", "--json").stdout)
    assert data["bins"] == 3 * 2 * 12


def test_a_missing_toolchain(snn) -> None:
    words = ("verify", "model:chain", "--chip", "sold", "--chip-set", "missing=true")
    result = snn(*words, "--with", "vendor")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: vendor cannot run: vendor-sdk is not installed; pip install vendor-sdk\n"
    )
    result = snn(*words, "--with", "vendor", "--python", sys.executable)
    assert result.exit_code == 1
    assert f"vendor cannot run: {sys.executable} has not got it either" in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (
            ("--with", "vendor"),
            2,
            "toy has no toolchain 'vendor'; it has none at all, leave --with",
        ),
        (("--chip", "sold", "--with", "vndr"), 2, "sold has no toolchain 'vndr'; it has vendor"),
        (
            ("--python", "python3"),
            2,
            "--python is where a toolchain lies; name one, as --with TOOL",
        ),
        (
            ("--chip", "sold", "--with", "vendor", "--python", "no-such-python"),
            2,
            "--python names a program that can be run; there is no no-such-python",
        ),
        (("--policy", "near"), 2, "--policy is exact, rounded or behavioural; got 'near'"),
        (
            ("--tolerance", "1"),
            2,
            "--tolerance is of --policy rounded, and the policy is behaviour",
        ),
        (("--set", "v_reset=0.5"), 1, "error TOY004 at 2 (Summing): v_reset is not supported"),
    ],
    ids=["none", "other", "python", "exe", "policy", "tolerance", "refused"],
)
def test_wrong_words(snn, words, code, text) -> None:
    result = snn(*VERIFY, *words)
    assert result.exit_code == code, result.output
    assert text in result.stderr


def test_a_file_alone_has_nothing_beside_it(snn) -> None:
    snn("export", "model:chain", "--chip", "toy", "--out", "net")
    result = snn("verify", "net", "--chip", "toy", "--shape", "2,4")
    assert result.exit_code == 2
    assert (
        "net holds a program, not the network that it was made of; name the mode" in result.stderr
    )
