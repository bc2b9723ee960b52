"""The program beside this file, run by the interpreter of another environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from snncore.errors import ChipError

Chip: TypeAlias = Literal["loihi1", "loihi2"]

PROGRAM = Path(__file__).with_name("child.py")
# What processes get to end by themselves before they are killed.
_GRACE_S = 5.0
_PAUSE_S = 0.02


@dataclass(frozen=True)
class Job:
    """What Lava is to run.

    Args:
        net: the ``.net`` file.
        chip: which of Lava's two configurations for simulated chips.
        together: how many samples follow each other in one run, with a reset between.
        reset_offset: steps by which that reset is late in the first layer; 1 is exact.
        message_bits: 0 for spikes, else the width of the numbers of the input.
    """

    net: Path
    chip: Chip = "loihi2"
    together: int = 1
    reset_offset: int = 1
    message_bits: int = 0


def versions(interpreter: Path, timeout_s: float) -> dict[str, Any]:
    """What the environment of an interpreter holds, as ``child.py versions`` says it.

    Raises: ChipError when the interpreter gives no such answer.
    """
    with tempfile.TemporaryDirectory(prefix="snn-lava-") as name:
        folder = Path(name)
        _run(folder, interpreter, "versions", timeout_s)
        lines = (folder / "stdout.txt").read_text().splitlines()
        if not lines:
            raise ChipError(f"{interpreter} gave no answer: {_end_of(folder)}")
        return json.loads(lines[-1])


def run_job(
    interpreter: Path, job: Job, x: NDArray[np.generic], timeout_s: float
) -> NDArray[np.int32]:
    """Runs a job.

    Args:
        interpreter: of an environment with Lava.
        job: what to run.
        x: integers ``[T, N, *]``.
        timeout_s: after so many seconds all processes of the job are ended.

    Returns: ``[T + L, N, *]`` for L layers of neurons.

    Raises: ChipError with what Lava said, its traceback as a note; or when time is over.
    """
    with tempfile.TemporaryDirectory(prefix="snn-lava-") as name:
        folder = Path(name)
        described = {**asdict(job), "net": str(job.net.resolve())}
        (folder / "job.json").write_text(json.dumps(described))
        np.save(folder / "input.npy", x.astype(np.int32))
        _run(folder, interpreter, "run", timeout_s, folder)
        if (error := folder / "error.txt").exists():
            text = error.read_text().strip()
            raised = ChipError(f"{job.net}: Lava does not run it: {_last_line(text)}")
            raised.add_note(text)
            raise raised
        if not (folder / "output.npy").exists():
            raise ChipError(f"{job.net}: Lava ended without a result: {_end_of(folder)}")
        return np.load(folder / "output.npy")


def _run(folder: Path, interpreter: Path, command: str, timeout_s: float, *arguments: Path) -> None:
    # Files, not pipes: processes that outlive their parent would hold a pipe open.
    with (folder / "stdout.txt").open("w") as out, (folder / "stderr.txt").open("w") as err:
        process = _start(interpreter, command, arguments, out, err)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise ChipError(
                f"Lava was ended after {timeout_s:g} s; give it more with timeout_s, fewer steps "
                "or fewer samples"
            ) from None
        finally:
            if process.returncode is None:
                _end(process)
    (folder / "code.txt").write_text(str(code))


def _start(
    interpreter: Path, command: str, arguments: tuple[Path, ...], out: IO[str], err: IO[str]
) -> subprocess.Popen[bytes]:
    # A group of its own, so that Lava's processes can be ended together with their parent.
    return subprocess.Popen(
        [interpreter, PROGRAM, command, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with all of its group."""
    # Python's keeper of shared memory ignores the first signal, cleans up and leaves by itself.
    for kind in (signal.SIGTERM, signal.SIGKILL):
        until = time.monotonic() + _GRACE_S
        while time.monotonic() < until:
            try:
                os.killpg(process.pid, kind)
            except ProcessLookupError:
                return
            process.poll()
            time.sleep(_PAUSE_S)


def _end_of(folder: Path) -> str:
    code = (folder / "code.txt").read_text()
    words = _last_line((folder / "stderr.txt").read_text().strip())
    return f"status {code}{', ' if words else ''}{words}"


def _last_line(text: str) -> str:
    return text.rpartition("\n")[2]
