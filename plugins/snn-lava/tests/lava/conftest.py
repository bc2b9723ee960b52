"""Environments with a stand-in for Lava."""

from __future__ import annotations

import os
import shutil
import venv
from pathlib import Path

import h5py
import numpy as np
import pytest

from snn_lava.lava.toolchain import LavaToolchain

STAND_IN = Path(__file__).with_name("stand_in")


class Environment:
    """An environment in which Lava is what lies in ``stand_in``."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=False, symlinks=True)
        self.interpreter = folder / "bin" / "python"
        (self.packages,) = folder.glob("lib/*/site-packages")
        # Where they lie, which need not be a site folder.
        needed = {Path(str(package.__file__)).parents[1] for package in (h5py, np)}
        (self.packages / "needed.pth").write_text("\n".join(map(str, sorted(needed))))

    def install(self, name: str, version: str) -> None:
        """A distribution; its modules are the stand-in's."""
        info = self.packages / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (self.packages / "lava.pth").write_text(str(STAND_IN))


@pytest.fixture(scope="session")
def toolchain(lava):
    return LavaToolchain(lava)


@pytest.fixture
def holders(net):
    """Says whether a process is left of a run of a file."""
    readers = []

    def watch(path):
        os.mkfifo(f"{path}.held")
        reader = os.open(f"{path}.held", os.O_RDONLY | os.O_NONBLOCK)
        readers.append(reader)

        def left():
            try:
                return os.read(reader, 1) != b""
            except BlockingIOError:
                return True

        return left

    yield watch
    for reader in readers:
        os.close(reader)


@pytest.fixture(scope="session")
def lava(tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp("lava"))
    environment.install("lava-nc", "0.10.0")
    environment.install("lava-dl", "0.6.0")
    return environment.interpreter


@pytest.fixture
def stand_in(tmp_path):
    """A copy of the stand-in."""
    return Path(shutil.copytree(STAND_IN, tmp_path / "stand_in"))


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path / "environment")


@pytest.fixture
def net(tmp_path):
    """Writes a file for the stand-in: layers by type and shape, and what a run of it does."""

    def write(does, *layers, bias=None):
        path = tmp_path / f"{does}.net"
        with h5py.File(path, "w") as file:
            file.attrs["does"] = does
            for i, (kind, *shape) in enumerate(layers):
                file[f"layer/{i}/type"] = [kind.encode()]
                file[f"layer/{i}/shape"] = shape
            if bias is not None:
                file["layer/1/bias"] = bias
        return path

    return write
