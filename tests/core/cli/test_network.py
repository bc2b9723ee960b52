from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch import nn

from snncore.cli.failure import CommandFailed, WrongUsage
from snncore.cli.network import open_network
from snncore.errors import ConfigError, UnknownComponent


class Tiny(nn.Module):
    def __init__(self, width: int = 2, *, depth: int = 1) -> None:
        super().__init__()
        if width < depth:
            raise ValueError("width must not be below depth")
        self.width, self.depth = width, depth


@pytest.fixture(autouse=True)
def models(make_plugin, install, module):
    module("tiny_models", Tiny=Tiny, Number=lambda: 3)
    install(
        make_plugin(
            "snn-tiny",
            components=[
                ("model", "tiny", "tiny_models:Tiny"),
                ("model", "number", "tiny_models:Number"),
            ],
        )
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "nets.py"
    path.write_text(
        "from torch import nn\n"
        "import beside\n"
        "def make(width: int = 2) -> nn.Module:\n"
        "    return nn.Linear(width, beside.OUT)\n"
        "def wrong() -> int:\n"
        "    return 3\n"
        "def crash() -> nn.Module:\n"
        "    raise RuntimeError('no luck')\n"
    )
    (tmp_path / "beside.py").write_text("OUT = 5\n")
    return path


def test_model_by_name() -> None:
    net = open_network("model:tiny", {"width": 4, "depth": 3})
    assert (net.width, net.depth) == (4, 3)
    assert open_network("model:snn-tiny/tiny", {}).width == 2


def test_model_errors() -> None:
    with pytest.raises(UnknownComponent, match="unknown model 'tny'; did you mean 'tiny'"):
        open_network("model:tny", {})
    with pytest.raises(ConfigError, match=r"unknown parameter 'widht' \(did you mean 'width'\?\)"):
        open_network("model:tiny", {"widht": 4})
    with pytest.raises(ConfigError, match="model 'tiny': width must not be below depth"):
        open_network("model:tiny", {"width": 1, "depth": 2})
    with pytest.raises(CommandFailed, match=r"model:number made 3, which is no torch\.nn\.Module"):
        open_network("model:number", {})


def test_factory_in_a_file(file: Path) -> None:
    net = open_network(f"{file}:make", {"width": 3})
    assert (net.in_features, net.out_features) == (3, 5)


def test_factory_errors(file: Path) -> None:
    with pytest.raises(WrongUsage, match="defines no function or class 'mak'; it defines make"):
        open_network(f"{file}:mak", {})
    with pytest.raises(ConfigError, match="width: input should be a valid integer"):
        open_network(f"{file}:make", {"width": "x"})
    with pytest.raises(CommandFailed, match=r"wrong made 3, which is no torch\.nn\.Module"):
        open_network(f"{file}:wrong", {})
    with pytest.raises(CommandFailed, match=r"nets\.py:crash raised RuntimeError: no luck"):
        open_network(f"{file}:crash", {})
    with pytest.raises(WrongUsage, match=r"there is no file .*other\.py"):
        open_network(f"{file.parent / 'other.py'}:make", {})
    file.write_text("width = 3\n")
    with pytest.raises(WrongUsage, match=r"no function or class 'make'; it defines none at all$"):
        open_network(f"{file}:make", {})
    file.write_text("from torch import nn\nnet = nn.Linear(2, 2)\n")
    with pytest.raises(WrongUsage, match=r":net is a network itself; name a function that makes"):
        open_network(f"{file}:net", {})
    file.write_text("import no_such_module_at_all\n")
    with pytest.raises(CommandFailed, match=r"running .*nets\.py raised ModuleNotFoundError"):
        open_network(f"{file}:make", {})


def test_run_folders(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[model]\nname = "tiny"\nwidth = 7\ndepth = 2\n')
    net = open_network(str(tmp_path), {"depth": 3})
    assert (net.width, net.depth) == (7, 3)
    (tmp_path / "config.toml").unlink()
    (tmp_path / "config.json").write_text(json.dumps({"model": {"name": "tiny", "width": 9}}))
    assert open_network(str(tmp_path), {}).width == 9


def test_run_folders_never_run_files(tmp_path: Path, file: Path) -> None:
    (tmp_path / "config.toml").write_text(f'[model]\nname = "{file}:make"\n')
    with pytest.raises(UnknownComponent, match="unknown model"):
        open_network(str(tmp_path), {})


def test_run_folder_errors(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"is no run: it holds no config\.toml or config\.json"):
        open_network(str(tmp_path), {})
    config = tmp_path / "config.toml"
    config.write_text("[data]\n")
    with pytest.raises(CommandFailed, match=r"has no table \[model\]"):
        open_network(str(tmp_path), {})
    config.write_text("[model\n")
    with pytest.raises(CommandFailed, match=r"config\.toml cannot be read: "):
        open_network(str(tmp_path), {})
    config.write_text("[model]\nwidth = 3\n")
    with pytest.raises(ConfigError, match="names no component"):
        open_network(str(tmp_path), {})


def test_other_words() -> None:
    with pytest.raises(
        WrongUsage,
        match=r"'foo' names no network; say model:NAME, FILE\.py:factory, or the folder of a run",
    ):
        open_network("foo", {})
