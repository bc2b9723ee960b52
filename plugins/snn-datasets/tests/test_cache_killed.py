"""Preparing that is killed, raced and read by fresh processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.utils.data import DataLoader

from snn_datasets import NMNIST, read_events
from snn_datasets.cache import writer

pytestmark = pytest.mark.filterwarnings("ignore:.*is not the published file")

# Says when it begins, so that others may begin at the same time.
_PREPARE = """
import sys, warnings
warnings.simplefilter("ignore")
from snn_datasets import NMNIST
from snn_datasets.cache import writer
dataset = NMNIST(sys.argv[1])
writer._CHUNK = 1
if sys.argv[2:]:
    def hold(*_):
        print("begins", flush=True)
        sys.stdin.read()
    writer._fill = hold
else:
    print("begins", flush=True)
dataset.prepare()
print("ends", flush=True)
"""


def start(root: Path, *more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _PREPARE, str(root), *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begins\n"
    return process


def end(process: subprocess.Popen[str]) -> int:
    process.communicate()
    return process.returncode


def check(root: Path) -> None:
    """Every recording from the cache is that of the file, decoded without the dataset."""
    dataset = NMNIST(root)
    assert dataset.cache is not None
    unpacked = root / "unpacked"
    if not unpacked.exists():
        with zipfile.ZipFile(root / "Train.zip") as archive:
            archive.extractall(unpacked)
    for i in range(len(dataset)):
        expected = read_events(unpacked / dataset.recordings.path(i), "bin40")
        assert np.array_equal(dataset.events(i), expected)


def run(root: Path, last: int, calls: Path) -> None:
    """Prepares in a process of its own that kills itself at call ``last`` of any function.

    The file ``calls`` says how many there were if it comes to its end.
    """
    count = 0

    def watch(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += 1
        if count == last:
            os.kill(os.getpid(), signal.SIGKILL)

    warnings.simplefilter("ignore")
    dataset = NMNIST(root)
    sys.setprofile(watch)
    dataset.prepare(progress=False)
    sys.setprofile(None)
    calls.write_text(str(count))


def killed(root: Path, last: int, calls: Path) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork beside threads
        process = multiprocessing.get_context("fork").Process(target=run, args=(root, last, calls))
        process.start()
        process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def test_killed_at_twenty_moments(
    nmnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each kill leaves is not used, or is whole; the next run begins again there."""
    monkeypatch.setattr(writer, "_CHUNK", 1)
    calls = tmp_path / "calls"
    # Here first: what is imported and compiled on the way is no part of it.
    cache = NMNIST(nmnist_root).prepare()
    (cache.folder / "complete").unlink()
    assert not killed(nmnist_root, 0, calls)
    total = int(calls.read_text())
    # Half of the moments lie near the end, where files are renamed.
    random = np.random.default_rng(5)
    moments = [*random.integers(1, total, 10), *random.integers(total * 9 // 10, total, 10)]
    whole = 0
    for moment in moments:
        (cache.folder / "complete").unlink(missing_ok=True)
        assert killed(nmnist_root, int(moment), calls)
        if NMNIST(nmnist_root).cache is not None:
            whole += 1
            check(nmnist_root)
    assert whole < len(moments)
    (cache.folder / "complete").unlink(missing_ok=True)
    assert not killed(nmnist_root, 0, calls)
    check(nmnist_root)
    left = [path for path in (nmnist_root / ".snn").iterdir() if path.is_dir()]
    assert left == [cache.folder]


@pytest.mark.slow
def test_two_processes_at_once(nmnist_root: Path) -> None:
    both = [start(nmnist_root) for _ in range(2)]
    assert [end(process) for process in both] == [0, 0]
    check(nmnist_root)


@pytest.mark.slow
def test_the_one_that_waits_takes_over_from_one_that_was_killed(nmnist_root: Path) -> None:
    first = start(nmnist_root, "and holds the lock")
    second = start(nmnist_root)
    assert second.poll() is None
    first.send_signal(signal.SIGKILL)
    assert end(first) == -signal.SIGKILL
    assert end(second) == 0
    check(nmnist_root)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_fresh_processes_read_the_cache(nmnist_root: Path, method: Any) -> None:
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"this system has no {method}")
    dataset = NMNIST(nmnist_root, T=3)
    plain = [x for x, _ in dataset]
    dataset.prepare()
    (nmnist_root / "Train.zip").unlink()  # nothing is decoded any more
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        loader = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context=method)
        assert all(x.equal(y) for (x, _), y in zip(loader, plain, strict=True))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write everywhere")
def test_a_root_without_the_right_to_write(
    nmnist_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNN_CACHE", str(tmp_path / "user cache"))
    nmnist_root.chmod(0o555)
    try:
        folder = NMNIST(nmnist_root).prepare().folder
        assert folder.is_relative_to(tmp_path / "user cache")
        assert NMNIST(nmnist_root).cache is not None
    finally:
        nmnist_root.chmod(0o755)
