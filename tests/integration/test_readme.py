"""The code in the README runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
pytestmark = pytest.mark.skipif(not README.exists(), reason="no README beside these tests")


def blocks(language: str) -> list[str]:
    text = README.read_text() if README.exists() else ""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    lines = [line.partition("  #")[0].strip() for b in blocks("bash") for line in b.splitlines()]
    # Installing, training and scaffolding have tests of their own.
    return [line for line in lines if re.match(r"snn (?!new|check|train)", line)]


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.splitlines()[-1][:40])
def test_a_python_block_runs(block):
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})


@pytest.mark.parametrize("line", commands())
def test_a_command_runs(line):
    words = shlex.split(line)
    ran = subprocess.run(
        [sys.executable, "-m", "snncore", *words[1:]], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_shown_error_is_the_real_one():
    import torch
    from torch import nn

    from snn_neurons import LIF
    from snncore.errors import StateError

    net = nn.Sequential(nn.Identity(), nn.Linear(2, 2), LIF())
    net(torch.rand(1, 2)).sum().backward()
    with pytest.raises(StateError) as caught:
        net(torch.rand(1, 2))
    (shown,) = [block for block in blocks("text") if block.startswith("StateError")]
    assert " ".join(shown.split()) == f"StateError: {caught.value}"


def test_there_is_something_to_run():
    assert len(blocks("python")) >= 3
    assert len(commands()) >= 3
