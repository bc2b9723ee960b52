"""What ``snn doctor`` finds out about the machine. A missing optional thing is never a FAIL."""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import subprocess
import traceback
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from snncore.cli.diagnosis import Finding
from snncore.kernels import build

_OPTIONAL = "not installed (optional)"


def versions() -> Iterator[Finding]:
    """Python and what the core stands on."""
    yield Finding("versions", "python", "OK", platform.python_version())
    yield Finding("versions", "system", "OK", platform.platform())
    for name in ("snncore", "numpy"):
        try:
            yield Finding("versions", name, "OK", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Finding("versions", name, "WARN", "not installed", f"pip install {name}")
    torch = _import("torch")
    if isinstance(torch, Finding):
        yield torch
    else:
        yield Finding("versions", "torch", "OK", str(torch.__version__))


def _import(name: str) -> Any:
    # By name: the command line itself stays free of torch.
    try:
        return importlib.import_module(name)
    except Exception as error:  # a broken installation raises anything
        detail = f"{type(error).__name__}: {error}"
        trace = traceback.format_exc()
        advice = f"pip install --force-reinstall {name}"
        return Finding("versions", name, "FAIL", detail, advice, trace)


def processor() -> Iterator[Finding]:
    """The CPU and what kernels are compiled with."""
    torch = _import("torch")
    detail = f"{_cpu_name()}, {os.cpu_count()} cores"
    if not isinstance(torch, Finding):
        capability = torch.backends.cpu.get_cpu_capability()
        detail += f", {capability}, torch uses {torch.get_num_threads()} threads"
    yield Finding("machine", "CPU", "OK", detail)
    yield _tool(
        "C++ compiler",
        build.compiler(),
        "everything runs without one, compiled CPU kernels do not; install g++ (Debian, Ubuntu: "
        "apt install g++; Fedora: dnf install gcc-c++; macOS: xcode-select --install)",
    )


def _cpu_name() -> str:
    table = Path("/proc/cpuinfo")
    if table.is_file():
        for line in table.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _tool(name: str, path: str | None, advice: str) -> Finding:
    if path is None:
        return Finding("machine", name, "WARN", "not installed", advice)
    try:
        ran = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("machine", name, "WARN", f"{path} does not run: {error}", advice)
    lines = [line for line in ran.stdout.splitlines() if line.strip()]
    if ran.returncode != 0 or not lines:
        return Finding("machine", name, "WARN", f"{path} --version fails", advice)
    # nvcc says its version in the last but one line, others in the first.
    version = next((line for line in lines if "release" in line), lines[0])
    return Finding("machine", name, "OK", f"{path}: {version.strip()}")


def accelerators() -> Iterator[Finding]:
    """GPUs and what drives them."""
    torch = _import("torch")
    found = 0
    if not isinstance(torch, Finding):
        found = torch.cuda.device_count() if torch.cuda.is_available() else 0
        for index in range(found):
            gpu = torch.cuda.get_device_properties(index)
            size = f"{gpu.total_memory / 2**30:.0f} GiB"
            detail = f"{gpu.name}, {size}, compute capability {gpu.major}.{gpu.minor}"
            yield Finding("machine", f"GPU {index}", "OK", detail)
    if not found:
        advice = "for a GPU install a CUDA build of torch and its driver"
        yield Finding("machine", "GPU", "OK", "none that torch can use; the CPU runs", advice)
    yield _package("CuPy", ("cupy-cuda12x", "cupy-cuda13x", "cupy"), bool(found), _cupy_hint())
    yield _package("Triton", ("triton",), bool(found), "pip install triton")
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        yield Finding("machine", "nvcc", "OK", _OPTIONAL)
    else:
        yield _tool("nvcc", nvcc, "repair or remove it; kernels are compiled without it")


def _cupy_hint() -> str:
    return 'pip install "snncore[cuda12]" or "snncore[cuda13]", as your driver says'


def _package(name: str, distributions: tuple[str, ...], gpu: bool, advice: str) -> Finding:
    for distribution in distributions:
        try:
            detail = f"{distribution} {metadata.version(distribution)}"
            return Finding("machine", name, "OK", detail)
        except metadata.PackageNotFoundError:
            continue
    if gpu:  # worth a warning only where it would be of use
        return Finding("machine", name, "WARN", "not installed", advice)
    return Finding("machine", name, "OK", _OPTIONAL)
