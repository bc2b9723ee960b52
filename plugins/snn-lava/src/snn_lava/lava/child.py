"""Runs a network in Lava. A program for an interpreter that has Lava, but needs nothing of ours.

    INTERPRETER child.py versions
    INTERPRETER child.py run FOLDER

``versions`` prints a line of JSON: the interpreter's version, those of the packages (null where one
is missing), and why Lava cannot be imported (null if it can).

``run`` reads ``job.json`` and ``input.npy`` (integers ``[T, N, *]``) from a folder and leaves
``output.npy`` (``[T + L, N, *]`` for L layers of neurons) or ``error.txt`` there. A job names:

    net            the ``.net`` file
    chip           "loihi1" or "loihi2"
    together       how many samples follow each other in one run; their states are reset between
    reset_offset   steps by which that reset is late in the first layer
    message_bits   0 for spikes, else the width of the numbers of the input
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import multiprocessing
import platform
import sys
import traceback
from pathlib import Path
from typing import Any

PACKAGES = ("lava-nc", "lava-dl", "numpy", "scipy", "h5py", "networkx")


def repair() -> None:
    """Installs the shim that lies beside this file."""
    spec = importlib.util.spec_from_file_location("shim", Path(__file__).with_name("shim.py"))
    assert spec is not None
    assert spec.loader is not None
    shim = importlib.util.module_from_spec(spec)
    sys.modules["shim"] = shim
    spec.loader.exec_module(shim)
    shim.install()


def versions() -> dict[str, Any]:
    """What is installed, and whether it can be imported."""
    found: dict[str, Any] = {"python": platform.python_version(), "error": None}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    if found["lava-nc"] and found["lava-dl"]:
        try:
            repair()
            importlib.import_module("lava.lib.dl.netx.hdf5")
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}"
    return found


def run(folder: Path) -> None:
    """Does the job of a folder."""
    import numpy as np

    job: dict[str, Any] = json.loads((folder / "job.json").read_text())
    x = np.load(folder / "input.npy")
    repair()
    parts = [
        _together(job, x[:, first : first + job["together"]])
        for first in range(0, x.shape[1], job["together"])
    ]
    np.save(folder / "output.npy", np.concatenate(parts, axis=1))


def _together(job: dict[str, Any], x: Any) -> Any:
    """Runs samples one after the other in one network: [T, N, *] -> [T + L, N, *]."""
    import numpy as np

    hdf5 = importlib.import_module("lava.lib.dl.netx.hdf5")
    steps, samples = x.shape[:2]
    net = hdf5.Network(
        net_config=job["net"],
        input_message_bits=job["message_bits"],
        reset_interval=steps if samples > 1 else None,
        reset_offset=job["reset_offset"],
    )
    late = len(net.layers)
    fed = np.swapaxes(x, 0, 1).reshape(samples * steps, *x.shape[2:])
    fed = np.concatenate([fed, np.zeros_like(fed[:1]).repeat(late, axis=0)])
    out = _from_lava(_steps(net, _to_lava(fed, net.inp.shape), job["chip"]))
    parts = np.stack([out[n * steps : (n + 1) * steps + late] for n in range(samples)], axis=1)
    # There the sample before still comes out.
    parts[:late, 1:] = 0
    return parts


def _steps(net: Any, data: Any, chip: str) -> Any:
    """Feeds ``[*, T]``, gives what leaves the network: ``[*, T]``."""
    io = importlib.import_module("lava.proc.io")
    conditions = importlib.import_module("lava.magma.core.run_conditions")
    configs = importlib.import_module("lava.magma.core.run_configs")
    config = {"loihi1": configs.Loihi1SimCfg, "loihi2": configs.Loihi2SimCfg}[chip]
    steps = data.shape[-1]
    source = io.source.RingBuffer(data=data)
    sink = io.sink.RingBuffer(shape=net.out.shape, buffer=steps)
    source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    try:
        net.run(
            condition=conditions.RunSteps(num_steps=steps), run_cfg=config(select_tag="fixed_pt")
        )
    except RuntimeError as error:
        if said := _processes(net):
            raise RuntimeError(f"{error}\n{said}") from error
        raise
    found = sink.data.get()
    net.stop()
    return found


def _processes(net: Any) -> str:
    """What the processes of Lava's runtime raised, which its own error only counts."""
    if net.runtime is None:
        return ""
    actors = net.runtime._messaging_infrastructure.actors
    return "\n".join(actor.exception[1] for actor in actors if actor.exception)


def _to_lava(x: Any, shape: tuple[int, ...]) -> Any:
    """[T, C, H, W] -> [W, H, C, T]; for a dense network whatever there is -> [features, T]."""
    if len(shape) == 1:
        x = x.reshape(len(x), -1)
    if x.shape[:0:-1] != tuple(shape):
        raise ValueError(
            f"input has shape {list(x.shape[1:])}, the network wants {list(shape[::-1])}"
        )
    return x.T.copy()


def _from_lava(y: Any) -> Any:
    """[W, H, C, T] -> [T, C, H, W]; [features, T] -> [T, features]."""
    return y.T.astype("int32")


def main(command: str, *arguments: str) -> None:
    """Does what the command line says."""
    if command == "versions":
        print(json.dumps(versions()))
        return
    folder = Path(arguments[0])
    try:
        run(folder)
    except Exception:
        (folder / "error.txt").write_text(traceback.format_exc())
        # Those that wait for the one that failed would be waited for at exit.
        for process in multiprocessing.active_children():
            process.kill()
        sys.exit(1)


# Lava's runtime forks this process.
if __name__ == "__main__":
    main(*sys.argv[1:])
