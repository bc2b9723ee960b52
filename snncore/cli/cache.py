"""``snn cache``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from snncore.cli.console import print_json, stdout
from snncore.cli.failure import CommandFailed
from snncore.kernels.cache import PLAN, folder

app = typer.Typer(no_args_is_help=True, help="Show or clear the cache of kernels.")

# A compilation takes seconds; what is older was left by one that was killed.
# Libraries of C++, binaries and texts of CUDA, modules of Triton.
_KERNELS = {".so", ".cubin", ".ptx", ".py"}
_ABANDONED = 3600.0


@app.command()
def info(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the folder, the compiled kernels and captured steps (plans) in it, and their size."""
    place = _place()
    files = _files(place)
    kernels, plans = _count(files)
    size = sum(files.values())
    if json:
        found = {"folder": str(place), "kernels": kernels, "plans": plans, "bytes": size}
        print_json({"schema": 1, **found})
        return
    console = stdout()
    console.print(f"folder   {place}", markup=False, soft_wrap=True)
    console.print(f"kernels  {kernels}", markup=False)
    console.print(f"plans    {plans}", markup=False)
    console.print(f"size     {_readable(size)}", markup=False)


@app.command()
def clear() -> None:
    """Remove all kernels and plans; the next call of each neuron makes its own again."""
    place = _place()
    files = _files(place)
    try:
        for file in files:
            file.unlink(missing_ok=True)
    except OSError as error:
        raise CommandFailed(
            f"cannot remove {error.filename}: {error.strerror}; remove the folder {place} by hand"
        ) from error
    for work in _abandoned(place):
        shutil.rmtree(work, ignore_errors=True)
    kernels, plans = _count(files)
    stdout().print(
        f"removed {_several(kernels, 'kernel')} and {_several(plans, 'plan')} "
        f"({_readable(sum(files.values()))}) from {place}",
        markup=False,
        soft_wrap=True,
    )


def _place() -> Path:
    try:
        return folder()
    except OSError as error:
        raise CommandFailed(
            f"cannot open the kernel cache {error.filename}: {error.strerror}; "
            "set SNN_CACHE to a folder that you may write to"
        ) from error


def _files(place: Path) -> dict[Path, int]:
    """Finished files and their bytes; another process may remove some meanwhile."""
    found: dict[Path, int] = {}
    for path in sorted(place.iterdir()):
        try:
            if path.is_file():
                found[path] = path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def _count(files: Iterable[Path]) -> tuple[int, int]:
    """Compiled kernels and plans."""
    suffixes = [file.suffix for file in files]
    return sum(suffix in _KERNELS for suffix in suffixes), suffixes.count(PLAN)


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _abandoned(place: Path) -> list[Path]:
    """Folders of compilations that never ended; those of running ones are young."""
    oldest = time.time() - _ABANDONED
    return [path for path in place.iterdir() if path.is_dir() and path.stat().st_mtime < oldest]


def _readable(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    if size < 1 << 20:
        return f"{size / 1024:.1f} KiB"
    return f"{size / (1 << 20):.1f} MiB"
