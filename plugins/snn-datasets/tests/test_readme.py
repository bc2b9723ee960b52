from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*is not the published file")
@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_of_the_readme_run(
    block: str,
    nmnist_root: Path,
    write_sounds: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(nmnist_root, tmp_path / "data" / "n_mnist")
    for split in ("train", "test"):
        write_sounds(tmp_path / "data" / "shd" / f"shd_{split}.h5", keys=map(str, range(20)))
    exec(compile(block, "README.md", "exec"), {})


def test_the_examples_are_found() -> None:
    assert len(BLOCKS) >= 5
