"""Only where Lava is; `make verify-lava` installs it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snn_lava.lava.toolchain import VARIABLE, LavaToolchain


@pytest.fixture(scope="session")
def lava():
    """The interpreter that has Lava. What it lacks is no reason to skip once it is named."""
    if not os.environ.get(VARIABLE):
        pytest.skip(f"{VARIABLE} is not set; make verify-lava sets it")
    interpreter = Path(os.environ[VARIABLE])
    assert LavaToolchain(interpreter).available() is None
    return interpreter
