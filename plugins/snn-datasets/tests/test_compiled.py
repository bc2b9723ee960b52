from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from snn_datasets import compiled

pytest.importorskip("numba")


def ran(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_numba_is_used_where_it_is_installed_unless_told_otherwise() -> None:
    assert compiled.loops("packed_loops") is not None
    with compiled.use(False):
        assert compiled.loops("packed_loops") is None
        with compiled.use(True):
            assert compiled.loops("packed_loops") is not None
        assert compiled.loops("packed_loops") is None
    assert compiled.loops("packed_loops") is not None


def test_the_choice_is_undone_after_an_error() -> None:
    with pytest.raises(KeyError), compiled.use(False):
        raise KeyError
    assert compiled.loops("packed_loops") is not None


def test_the_environment_turns_numba_off() -> None:
    code = "from snn_datasets.compiled import loops; print(loops('packed_loops'))"
    assert ran(code, SNN_NUMBA="0") == "None"
    assert "packed_loops" in ran(code, SNN_NUMBA="1")


def test_without_numba_numpy_computes_and_asking_for_it_says_what_to_install(
    tmp_path: Path,
) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('it is not there')")
    code = (
        "from snn_datasets import compiled, make_events\n"
        "from snn_datasets.packed import pack\n"
        "print(pack(make_events(t=[7], x=[1], y=[0], p=[0])).tolist())\n"
        "try:\n"
        "    with compiled.use(True): pass\n"
        "except ImportError as error: print(error)\n"
    )
    out = ran(code, PYTHONPATH=str(tmp_path)).splitlines()
    assert out[0] == "[2]"
    assert out[1].startswith("compiled loops need the package numba")
    assert out[1].endswith('pip install "snn-datasets[fast]"')


def test_where_nothing_can_be_written_loops_are_compiled_each_time(tmp_path: Path) -> None:
    """Files in the way of folders stop root too, whom no permission does."""
    package = Path(compiled.__file__).parent
    installed = tmp_path / "installed" / "snn_datasets"
    shutil.copytree(package, installed, ignore=shutil.ignore_patterns("__pycache__"))
    (installed / "__pycache__").write_text("in the way")
    (tmp_path / "home").write_text("in the way")
    code = (
        "import numba, snn_datasets\n"
        "from snn_datasets.packed import pack\n"
        "print(snn_datasets.__file__)\n"
        "print(pack(snn_datasets.make_events(t=[7], x=[1], y=[0], p=[0])).tolist())\n"
        "print(numba.config.CACHE_DIR)\n"
    )
    home, temporary = str(tmp_path / "home"), tmp_path / "temporary"
    temporary.mkdir()
    environment = {"HOME": home, "XDG_CACHE_HOME": home, "USERPROFILE": home}
    out = ran(
        code,
        PYTHONPATH=str(installed.parent),
        PYTHONDONTWRITEBYTECODE="1",
        TMPDIR=str(temporary),
        **environment,
    ).splitlines()
    assert Path(out[0]).is_relative_to(installed)
    assert out[1] == "[2]"
    assert Path(out[2]).is_relative_to(temporary)
    assert not list(temporary.iterdir())
