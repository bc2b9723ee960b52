"""Lava from outside: whether it is there, and what a run gives, of a stand-in for it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from snn_lava.chip import Loihi1
from snn_lava.lava.process import Job, run_job
from snn_lava.lava.toolchain import LavaToolchain
from snncore.errors import ChipError, ToolchainMissing

FLAT = (("input", 3), ("dense", 3), ("dense", 3))
IMAGE = (("input", 2, 3, 4), ("conv", 2, 3, 4))


def spikes(*shape):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.4).float()


def test_it_is_there_when_it_can_be_imported(toolchain):
    assert toolchain.available() is None


def test_the_variable_names_the_interpreter(lava, monkeypatch):
    monkeypatch.setenv("SNN_LAVA_PYTHON", str(lava))
    toolchain = Loihi1().toolchain()
    assert (toolchain.interpreter, toolchain.chip) == (lava, "loihi1")
    monkeypatch.delenv("SNN_LAVA_PYTHON")
    assert Loihi1().toolchain().interpreter == Path(sys.executable)


def test_a_missing_interpreter_is_named(tmp_path):
    reason = LavaToolchain(tmp_path / "python").available()
    assert (
        reason
        == f"{tmp_path}/python is no program; --python or SNN_LAVA_PYTHON names one with Lava"
    )


@pytest.mark.parametrize(
    ("installed", "text"),
    [
        ({}, "lava-nc is not installed for {}; make an environment of numpy, scipy, "),
        ({"lava-nc": "0.10.0"}, "lava-dl is not installed for {}; make an environment "),
        (
            {"lava-nc": "0.9.0", "lava-dl": "0.6.0"},
            "lava-nc of {} is 0.9.0, not 0.10.0; make an environment of numpy, scipy, h5py, "
            "networkx and asteval, add `pip install --no-deps --ignore-requires-python "
            "lava-nc==0.10.0 lava-dl==0.6.0`, and name its interpreter with --python or "
            "SNN_LAVA_PYTHON",
        ),
    ],
    ids=["none", "half", "older"],
)
def test_what_is_missing_is_named(environment, installed, text):
    for name, version in installed.items():
        environment.install(name, version)
    reason = LavaToolchain(environment.interpreter).available()
    assert reason.startswith(text.format(environment.interpreter))


def test_an_import_that_fails_says_why(environment):
    for name, version in (("lava-nc", "0.10.0"), ("lava-dl", "0.6.0")):
        environment.install(name, version)
    (environment.packages / "lava.pth").unlink()
    reason = LavaToolchain(environment.interpreter).available()
    assert reason == (
        f"Lava of {environment.interpreter} cannot be imported: "
        "ModuleNotFoundError: No module named 'lava'"
    )


def test_a_program_that_is_no_python_is_told(tmp_path):
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    program.chmod(0o755)
    assert LavaToolchain(program).available() == f"{program} gave no answer: status 3, broken"


def test_without_lava_the_file_is_ready(tmp_path):
    toolchain = LavaToolchain(tmp_path / "python")
    with pytest.raises(
        ToolchainMissing, match=r"^Lava cannot run: .* is no program.* The file is ready at a\.net$"
    ):
        toolchain.run(Path("a.net"), spikes(4, 1, 3))


def test_samples_come_back_in_our_layout(toolchain, net):
    for layers, x in ((FLAT, spikes(5, 4, 3)), (IMAGE, spikes(5, 2, 2, 3, 4))):
        late = len(layers) - 1
        run = toolchain.run(net("repeat", *layers), x)
        assert run.latency == late
        assert torch.equal(run.output, torch.cat((torch.zeros(late, *x.shape[1:]), x)))


def test_images_become_vectors_before_a_dense_layer(toolchain, net):
    path = net("repeat", ("input", 2, 3, 4), ("flatten", 24, 1, 1), ("dense", 24))
    x = spikes(5, 2, 2, 3, 4)
    assert torch.equal(toolchain.run(path, x).output[1:], x.flatten(2))


def test_samples_share_a_run_unless_one_reaches_the_next(toolchain, net):
    x = spikes(5, 3, 3)
    shared = toolchain.run(net("count", *FLAT, bias=[0]), x).output[..., 0]
    assert shared[2:].T.tolist() == [[3, 4, 5, 6, 7], [8, 9, 10, 11, 12], [13, 14, 15, 16, 17]]
    assert shared[:2].tolist() == [[1, 0, 0], [2, 0, 0]]
    alone = toolchain.run(net("count", *FLAT, bias=[1]), x).output[..., 0]
    assert alone.T.tolist() == 3 * [[1, 2, 3, 4, 5, 6, 7]]


def test_a_job_reaches_lava_whole(lava, net):
    x = np.ones((5, 3, 3), np.int64)
    job = Job(net("tell", *FLAT), "loihi1", together=3, reset_offset=4, message_bits=16)
    with pytest.raises(
        ChipError, match=r"Lava does not run it: ValueError: \(16, 5, 4\) Loihi1SimCfg"
    ):
        run_job(lava, job, x, 60)
    job = Job(net("tell", *FLAT))
    with pytest.raises(ChipError, match=r"\(0, None, 1\) Loihi2SimCfg"):
        run_job(lava, job, x, 60)


def test_errors_inside_its_processes_are_shown(toolchain, net, holders):
    """They end the run, though others still wait for what will never come."""
    path = net("fail_inside", *FLAT)
    left = holders(path)
    with pytest.raises(ChipError) as error:
        toolchain.run(path, spikes(5, 3, 3))
    assert str(error.value) == (
        f"{path}: Lava does not run it: TypeError: said by a process of the runtime"
    )
    assert "1 Exception(s) occurred" in error.value.__notes__[0]
    assert not left()


def test_errors_before_there_are_processes_are_shown(toolchain, net):
    with pytest.raises(ChipError, match=r"OverflowError: said before there is a runtime$"):
        toolchain.run(net("fail_early", *FLAT), spikes(5, 1, 3))


def test_an_end_without_words_is_told(toolchain, net):
    path = net("die", *FLAT)
    with pytest.raises(ChipError, match=r"Lava ended without a result: status 7, no memory left$"):
        toolchain.run(path, spikes(5, 3, 3))


def test_time_that_is_over_ends_all_processes(lava, net, holders):
    path = net("wait", *FLAT)
    left = holders(path)
    with pytest.raises(
        ChipError,
        match=r"^Lava was ended after 0\.6 s; give it more with timeout_s, fewer steps or fewer",
    ):
        run_job(lava, Job(path), spikes(5, 1, 3).numpy(), 0.6)
    assert not left()


def test_inputs_that_do_not_fit_are_refused(toolchain, net):
    with pytest.raises(ChipError, match="Lava takes everything but 0 for a spike, so the input"):
        toolchain.run(net("repeat", *FLAT), torch.full((5, 1, 3), 2.0))
    with pytest.raises(ChipError, match=r"input has shape \[4\], the network wants \[3\]"):
        toolchain.run(net("repeat", *FLAT), spikes(5, 1, 4))


def test_what_is_no_file_is_told(toolchain, tmp_path):
    path = tmp_path / "a.net"
    path.write_text("no network")
    with pytest.raises(ChipError, match=r"a\.net cannot be read: "):
        toolchain.run(path, spikes(5, 1, 3))
