"""What a run says while it goes: a progress bar, a table row per epoch, and log files."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from snn_train.folder import EVENTS, METRICS, write
from snn_train.progress import Row
from snncore.errors import ConfigError

Item = TypeVar("Item")

_COLUMNS = {
    "epoch": ("epoch", "{:.0f}"),
    "lr": ("rate", "{:.2e}"),
    "train_loss": ("train loss", "{:.4f}"),
    "train_accuracy": ("accuracy", "{:.2%}"),
    "validation_loss": ("valid loss", "{:.4f}"),
    "validation_accuracy": ("accuracy", "{:.2%}"),
    "test_loss": ("test loss", "{:.4f}"),
    "test_accuracy": ("accuracy", "{:.2%}"),
    "firing_rate": ("firing", "{:.2%}"),
    "seconds": ("seconds", "{:.1f}"),
}
_WIDTH = 10


class Logs:
    """The voice of one process of a run; nothing is written before the first epoch.

    Args:
        folder: of the run.
        console: where to print.
        speaks: only one process of a run does.
        tensorboard: write event files too.
        first_epoch: where this session begins; later events of an earlier one are dropped.

    Raises: ConfigError when TensorBoard is asked for and not installed.
    """

    def __init__(
        self,
        folder: Path,
        console: Console,
        *,
        speaks: bool,
        tensorboard: bool,
        first_epoch: int = 0,
    ) -> None:
        self._folder = folder
        self._console = console
        self._speaks = speaks
        self._headed = False
        self._open = _opener(folder, first_epoch) if tensorboard and speaks else None
        self._events: Any = None

    def say(self, text: str) -> None:
        """Prints one line."""
        if self._speaks:
            self._console.print(text, markup=False, highlight=False)

    def track(self, items: Iterable[Item], name: str, *, done: int, total: int) -> Iterator[Item]:
        """Yields the items under a progress bar, which only a terminal shows."""
        if not (self._speaks and self._console.is_terminal):
            yield from items
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(
            *columns, TimeRemainingColumn(), console=self._console, transient=True
        ) as bar:
            task = bar.add_task(name, total=total, completed=done)
            for item in items:
                yield item
                bar.advance(task)

    def epoch(self, history: list[Row]) -> None:
        """Takes the rows of all epochs so far, of which the last is new."""
        if not self._speaks:
            return
        row = history[-1]
        shown = [column for column in _COLUMNS if column in row]
        if not self._headed:
            self._headed = True
            self.say(" ".join(f"{_COLUMNS[key][0]:>{_WIDTH}}" for key in shown))
        self.say(" ".join(f"{_COLUMNS[key][1].format(row[key]):>{_WIDTH}}" for key in shown))
        write(self._folder / METRICS, lambda aside: _write_csv(aside, history))
        if self._open is not None:
            self._events = self._events or self._open()
            for key, value in row.items():
                if key != "epoch":
                    self._events.add_scalar(key, value, int(row["epoch"]))
            self._events.flush()

    def close(self) -> None:
        """Closes the event files."""
        if self._events is not None:
            self._events.close()


def _write_csv(path: Path, history: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, list(history[0]))
        rows.writeheader()
        rows.writerows(history)


def _opener(folder: Path, first_epoch: int) -> Callable[[], Any]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError(
            "run.log is 'tensorboard', which is not installed; type: "
            "pip install 'snn-train[tensorboard]'"
        ) from None
    return partial(SummaryWriter, str(folder / EVENTS), purge_step=first_epoch + 1)
