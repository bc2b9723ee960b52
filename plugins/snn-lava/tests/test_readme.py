"""The code in the README runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("place", range(len(BLOCKS)))
def test_a_block_runs(place):
    exec(compile(BLOCKS[place], str(README), "exec"), {"__name__": "readme"})


def test_the_blocks_are_found():
    assert BLOCKS
