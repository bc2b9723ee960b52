"""Processes of a run: one, or several that share every batch."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.multiprocessing.spawn import ProcessException

from snn_train.errors import TrainingError
from snn_train.recipe import Recipe
from snncore.errors import ConfigError

Answer = TypeVar("Answer")

_CPU = "for the CPU, add --set run.accelerator=cpu"


def make_fabric(recipe: Recipe, *, devices: int | None = None) -> Fabric:
    """Fabric for a recipe's devices and precision.

    Raises: ConfigError when the machine has fewer devices.
    """
    run = recipe.run
    count = run.devices if devices is None else devices
    accelerator = _accelerator(run.accelerator)
    if accelerator == "cuda" and torch.cuda.device_count() < count:
        raise ConfigError(
            f"run.devices is {count}, and this machine has {torch.cuda.device_count()} GPUs; "
            "ask for fewer, or for --set run.accelerator=cpu"
        )
    if accelerator == "mps" and count > 1:
        raise ConfigError("run.accelerator 'mps' runs on one device; set run.devices to 1")
    return Fabric(
        accelerator=accelerator,
        devices=count,
        # Spawned, so that the caller's own command line or notebook is not run again.
        strategy="ddp_spawn" if count > 1 else "auto",
        precision=recipe.train.precision,
    )


def _accelerator(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"run.accelerator is 'cuda', and torch sees no CUDA device here; {_CPU}")
    if wanted == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f"run.accelerator is 'mps', and torch sees no such device here; {_CPU}")
    return wanted


def launch(fabric: Fabric, work: Callable[[Fabric], Answer]) -> Answer:
    """Runs ``work(fabric)`` in each process and returns the first one's answer.

    Raises: TrainingError with the text of a process that failed.
    """
    if fabric.world_size == 1:
        fabric.launch()
        return work(fabric)
    try:
        with _passing_on_interrupts():
            return fabric.launch(partial(_share, work=work))
    except ProcessException as error:
        last = str(error).strip().splitlines()[-1]
        raise TrainingError(f"process {error.error_index} of the run failed: {last}") from error


def _share(fabric: Fabric, work: Callable[[Fabric], Answer]) -> Answer:
    answer = work(fabric)
    # A process that leaves first takes its connections with it, and gloo's threads in the others
    # abort on that.
    fabric.barrier()
    torch.distributed.destroy_process_group()
    return answer


@contextmanager
def _passing_on_interrupts() -> Iterator[None]:
    """Lets the processes of a run end by themselves on Ctrl-C; a second one ends this process."""

    def pass_on(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Lets torch use ``count`` threads inside the ``with`` block; None changes nothing."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def share_buffers(fabric: Fabric, net: nn.Module) -> None:
    """Gives every process the first one's buffers (running statistics)."""
    if fabric.world_size == 1:
        return
    for buffer in net.buffers():
        buffer.copy_(fabric.broadcast(buffer, src=0))
