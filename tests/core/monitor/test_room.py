from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

import snncore as snn


def test_every_name_resolves():
    room = importlib.import_module("snncore.monitor")
    for name in room._HOME:
        assert getattr(room, name).__doc__ or name == "MODELS"
    assert set(dir(room)) >= set(room._HOME)
    with pytest.raises(AttributeError, match=r"module 'snncore\.monitor' has no attribute 'Prob'"):
        _ = room.Prob


def test_importing_the_room_imports_no_torch():
    code = "import snncore.monitor, sys; print('torch' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_built_by_name():
    mean = snn.build("monitor", "mean", of="v_seq", over="all")
    assert (mean.of, mean.over) == ("v_seq", "all")
    assert snn.build("monitor", "attribute", name="v").name == "v"
    with pytest.raises(snn.config.ConfigError, match="over"):
        snn.build("monitor", "mean", over="space")
    with pytest.raises(snn.config.ConfigError, match="index: "):
        snn.build("monitor", "output", index=-1)
