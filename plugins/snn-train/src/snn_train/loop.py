"""The training loop of one process."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

import snncore
from snn_train import checkpoint
from snn_train.annealing import anneal
from snn_train.data import Plan, load
from snn_train.distributed import share_buffers
from snn_train.errors import TrainingError
from snn_train.evaluation import Score, score
from snn_train.folder import BEST, CHECKPOINT
from snn_train.generators import gather, generator_states, set_generator_states
from snn_train.interrupt import Interrupt
from snn_train.logs import Logs
from snn_train.optimizer import read_optimizer
from snn_train.parts import Parts
from snn_train.progress import Progress, Row


class Loop:
    """Trains the network of a run, epoch by epoch, and saves as it goes.

    Args:
        fabric: launched.
        parts: of the run.
        folder: of the run.
        logs: of this process.
    """

    def __init__(self, fabric: Fabric, parts: Parts, folder: Path, logs: Logs) -> None:
        self.fabric = fabric
        self.parts = parts
        self.folder = folder
        self.logs = logs
        self.settings = parts.recipe.train
        self.progress = Progress()
        run = parts.recipe.run
        self._schedule = read_optimizer(parts.recipe.tables["optimizer"])
        self._optimizer = self._schedule.make(parts.net.parameters())
        # What setup returns has the type of what it is given, known at run time alone.
        wrapped: Any = fabric.setup(parts.net, self._optimizer)
        self._model, self._wrapped = wrapped
        self._plan = Plan(
            parts.train.indices,
            self.settings.batch_size,
            seed=run.seed,
            rank=fabric.global_rank,
            world=fabric.world_size,
        )
        # Sum of losses, right answers and items of the running epoch.
        self._sums = torch.zeros(3, dtype=torch.float64)
        # Processes drop out different neurons; their weights are equal already.
        torch.manual_seed(run.seed + fabric.global_rank)

    def resume(self, content: dict[str, Any]) -> None:
        """Takes up where a checkpoint left off."""
        self.parts.net.load_state_dict(content["model"])
        self._optimizer.load_state_dict(content["optimizer"])
        if isinstance(self.parts.encoder, nn.Module):
            self.parts.encoder.load_state_dict(content["encoder"])
        self.progress = Progress(**content["progress"])
        self._sums = content["sums"][self.fabric.global_rank].clone()
        set_generator_states(self.fabric, content["generators"])
        if content["threads"] != torch.get_num_threads():
            self.logs.say(
                f"this run began with {content['threads']} threads and goes on with "
                f"{torch.get_num_threads()}: results may differ in the last bits"
            )

    def run(self) -> bool:
        """Trains to the end; False when it was interrupted and has saved."""
        progress = self.progress
        with Interrupt(self.fabric) as interrupt:
            while not progress.finished(self.settings.epochs):
                begin, before = time.perf_counter(), progress.seconds
                if not self._epoch(interrupt):
                    progress.seconds = before + time.perf_counter() - begin
                    self.save()
                    return False
                row, metric = self._measure()
                progress.seconds = before + time.perf_counter() - begin
                progress.epoch, progress.step = progress.epoch + 1, 0
                self._sums.zero_()
                progress.history.append({**row, "seconds": progress.seconds})
                if progress.judge(metric, self.settings.patience):
                    self.save_best()
                self.save()
                self.logs.epoch(progress.history)
        return True

    def test(self) -> Score:
        """Tests the network as it is."""
        parts = self.parts
        return score(parts.net, parts.test, parts.recipe, parts.loss, self.fabric)

    def save(self) -> None:
        """Writes ``checkpoint.pt``."""
        encoder = self.parts.encoder
        content = {
            **self._network(),
            "optimizer": self._optimizer.state_dict(),
            "encoder": encoder.state_dict() if isinstance(encoder, nn.Module) else {},
            "progress": self.progress.plain(),
            "sums": gather(self.fabric, self._sums),
            "generators": generator_states(self.fabric),
            "threads": torch.get_num_threads(),
        }
        self._write(CHECKPOINT, content)

    def save_best(self) -> None:
        """Writes ``best.pt``."""
        self._write(BEST, {**self._network(), "epoch": self.progress.epoch})

    def load_best(self) -> None:
        """Takes the weights of ``best.pt``."""
        _, content = checkpoint.read(self.folder / BEST)
        self.parts.net.load_state_dict(content["model"])

    def _network(self) -> dict[str, Any]:
        snncore.reset(self.parts.net)
        return {"model": self.parts.net.state_dict()}

    def _write(self, name: str, content: dict[str, Any]) -> None:
        if self.fabric.is_global_zero:
            checkpoint.save(self.folder / name, self.parts.recipe, content)
        if self.fabric.world_size > 1:
            self.fabric.barrier()

    def _epoch(self, interrupt: Interrupt) -> bool:
        parts, progress = self.parts, self.progress
        parts.net.train()
        anneal(parts.net, progress.epoch, self.settings.epochs)
        parts.train.set_epoch(progress.epoch)
        if parts.affine is not None:
            parts.affine.set_epoch(progress.epoch)
        mine = self._plan.shares(progress.epoch, progress.step)
        batches = load(parts.train, mine, workers=self.settings.workers)
        name = f"epoch {progress.epoch + 1}/{self.settings.epochs}"
        steps = len(self._plan)
        for batch in self.logs.track(batches, name, done=progress.step, total=steps):
            self._step(*batch)
            progress.step += 1
            if interrupt.asked():
                return False
        return True

    def _step(self, x: Tensor, y: Tensor, indices: Tensor) -> None:
        parts, progress, device = self.parts, self.progress, self.fabric.device
        rate = self._rate(progress.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        x, y = x.to(device), y.to(device)
        if parts.affine is not None:
            x = parts.affine(x, indices)
        snncore.reset(parts.net)
        output = self._model(parts.encoder(x))
        with self.fabric.autocast():
            loss = parts.loss(output, y)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} in epoch {progress.epoch + 1}, step {progress.step + 1}; "
                f"lower optimizer.lr (now {rate:.3g}), or set train.grad_clip=1.0"
            )
        # The mean of unequal shares must weigh each item alike.
        weight = len(y) * self.fabric.world_size / self._plan.total(progress.step)
        self._optimizer.zero_grad()
        self.fabric.backward(loss * weight if weight != 1 else loss)
        if self.settings.grad_clip is not None:
            self.fabric.clip_gradients(
                self._model,
                self._wrapped,
                max_norm=self.settings.grad_clip,
                error_if_nonfinite=False,
            )
        self._wrapped.step()
        snncore.reset(parts.net)
        right = (output.detach().mean(0).argmax(1) == y).sum()
        self._sums += torch.tensor([value * len(y), float(right), len(y)], dtype=torch.float64)

    def _rate(self, step: int) -> float:
        position = self.progress.epoch + step / len(self._plan)
        return self._schedule.rate(position, self.settings.epochs)

    def _measure(self) -> tuple[Row, float]:
        """The row of the epoch just trained, and the metric that chooses the best."""
        parts, fabric = self.parts, self.fabric
        share_buffers(fabric, parts.net)
        loss, right, count = gather(fabric, self._sums).sum(0).tolist()
        test = self.test()
        row: Row = {
            "epoch": self.progress.epoch + 1,
            "lr": self._rate(0),
            "train_loss": loss / count,
            "train_accuracy": right / count,
        }
        metric = test.accuracy
        if parts.validation is not None:
            held = score(parts.net, parts.validation, parts.recipe, parts.loss, fabric)
            row |= {"validation_loss": held.loss, "validation_accuracy": held.accuracy}
            metric = held.accuracy
        row |= {
            "test_loss": test.loss,
            "test_accuracy": test.accuracy,
            "firing_rate": test.rate,
        }
        return row, metric
