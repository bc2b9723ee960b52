from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import snn_train
import snncore
from snn_train.toml import dumps
from snncore.cli import main

Tables = Callable[..., dict[str, Any]]


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return int(end.value.code or 0)


@pytest.fixture
def recipe(tables: Tables, tmp_path: Path) -> str:
    made = tables()
    del made["run"]["name"]
    path = tmp_path / "tiny.toml"
    path.write_text(dumps(made), encoding="utf-8")
    return str(path)


def test_train_and_eval(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder = tmp_path / "runs" / "tiny-seed2"
    assert run("train", recipe, "--seed", "2", "--set", "train.epochs=2") == 0
    out = capsys.readouterr().out
    assert "tiny: mlp with 163 parameters, 50 items to train with, 24 to test, on 1 x cpu" in out
    assert len([line for line in out.splitlines() if line.split()[:1] in (["1"], ["2"])]) == 2
    accuracy = out.split("test accuracy ")[1].split()[0]
    assert f"see {folder}/result.json" in out
    assert run("eval", str(folder)) == 0
    assert f"test accuracy {accuracy} on 24 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["train", "digitz"], 2, "unknown recipe 'digitz'; did you mean 'digits'"),
        (["train", "--set", "train.epoch=1"], 2, "did you mean 'epochs'"),
        (["train", "--set", "epochs"], 2, "--set expects key=value"),
        (["train", "digits", "--resume", "x"], 2, "--resume takes recipe, devices and seed from"),
        (["train", "--resume", "nowhere"], 1, "there is no run nowhere"),
        (["eval", "nowhere"], 1, "there is no run nowhere; give the folder of one, such as"),
    ],
)
def test_faults(words: list[str], code: int, text: str, capsys: pytest.CaptureFixture[str]):
    assert run(*words) == code
    assert text in capsys.readouterr().err


def test_an_occupied_folder(recipe: str, capsys: pytest.CaptureFixture[str]):
    assert run("train", recipe, "--set", "train.epochs=1") == 0
    assert run("train", recipe) == 1
    assert "add --set run.overwrite=true" in capsys.readouterr().err


def test_declaring_imports_no_torch():
    code = "import sys, snn_train, snn_train._plugin; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_declared_can_be_loaded():
    mine = [c for c in snncore.components() if c.provider == "snn-train"]
    assert len(mine) == 10
    for component in mine:
        assert snncore.get(component.kind, component.qualified).__doc__
    for name in snn_train._HOME:
        assert getattr(snn_train, name).__name__ == name
    assert not hasattr(snn_train, "fit")
