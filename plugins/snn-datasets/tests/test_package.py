from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import snn_datasets
from snn_datasets import Info
from snn_datasets.place import data_root, describe_root

MODULES = sorted(
    module.name.removeprefix("snn_datasets.")
    for module in pkgutil.walk_packages(snn_datasets.__path__, "snn_datasets.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"snn_datasets.{name}")).failed == 0


@pytest.mark.parametrize("name", snn_datasets.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(snn_datasets, name).__module__ is not None if name != "EVENT" else True
    assert name in dir(snn_datasets)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'snn_datasets' has no attribute 'Mnist'"):
        snn_datasets.Mnist  # noqa: B018


def test_declaring_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, snn_datasets, snn_datasets._plugin as plugin\n"
        "plugin.snn_components(lambda *a, **k: None)\n"
        "plugin.snn_doctor(lambda *a: None)\n"
        "assert not {'torch', 'numpy', 'sklearn', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["digits", "mnist", "fashion_mnist", "n_mnist", "synthetic"])
def test_manifests_are_complete(name: str) -> None:
    info = Info.load(name)
    assert info.name == name
    assert set(info.samples) == {"train", "test"}
    for archive in info.archives:
        assert archive.urls
        assert archive.md5 is not None
        assert info.archive(archive.file) is archive
    with pytest.raises(KeyError, match=r"has no archive 'x\.zip'"):
        info.archive("x.zip")


def test_the_doctor_says_where_data_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root() == tmp_path / "data"
    assert describe_root() == f"{tmp_path}/data (made when needed)"
    monkeypatch.setenv("SNN_DATA_OFFLINE", "1")
    assert describe_root().endswith(", offline (SNN_DATA_OFFLINE)")
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(PermissionError, match=r"cannot write to .*; set SNN_DATA to another fold"):
        describe_root()


def test_without_snn_data_the_users_data_folder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNN_DATA")
    assert data_root().is_absolute()
    assert data_root().name == "snn"
