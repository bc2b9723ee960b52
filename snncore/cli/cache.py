"""``snn cache``."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

from snncore.cli.console import print_json, stdout
from snncore.cli.failure import CommandFailed
from snncore.kernels.cache import folder

app = typer.Typer(no_args_is_help=True, help="Show or clear the cache of compiled kernels.")

# A compilation takes seconds; what is older was left by one that was killed.
_ABANDONED = 3600.0


@app.command()
def info(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the folder, and number and size of the compiled kernels in it."""
    place = _place()
    files = _files(place)
    kernels = sum(file.suffix == ".so" for file in files)
    size = sum(files.values())
    if json:
        print_json({"schema": 1, "folder": str(place), "kernels": kernels, "bytes": size})
        return
    console = stdout()
    console.print(f"folder   {place}", markup=False, soft_wrap=True)
    console.print(f"kernels  {kernels}", markup=False)
    console.print(f"size     {_readable(size)}", markup=False)


@app.command()
def clear() -> None:
    """Remove all compiled kernels; the next call of each neuron compiles it again."""
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
    kernels = sum(file.suffix == ".so" for file in files)
    word = "kernel" if kernels == 1 else "kernels"
    stdout().print(
        f"removed {kernels} {word} ({_readable(sum(files.values()))}) from {place}",
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
