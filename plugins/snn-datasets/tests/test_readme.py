from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.mark.filterwarnings("ignore:.*is not the published file")
@pytest.mark.parametrize("block", BLOCKS)
def test_the_examples_of_the_readme_run(
    block: str, nmnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(nmnist_root, tmp_path / "data" / "n_mnist")
    exec(compile(block, "README.md", "exec"), {})


def test_the_examples_are_found() -> None:
    assert len(BLOCKS) >= 4
