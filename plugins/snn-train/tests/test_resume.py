from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from snn_train import Interrupted, load_network, resume, train
from snn_train import parts as parts_module
from snn_train.checkpoint import read, save
from snn_train.errors import RunError
from snn_train.folder import write
from snn_train.recipe import load_recipe
from snncore.errors import ConfigError

Tables = Callable[..., dict[str, Any]]
_EPOCH = 50  # items of the toy dataset


@pytest.fixture
def recipe(tables: Tables) -> Callable[[str], dict[str, Any]]:
    """A run whose every step draws random numbers: noise, dropout, augmentation, order."""

    def make(name: str) -> dict[str, Any]:
        return tables(
            encoder={"name": "poisson", "T": 4},
            model={"name": "mlp", "hidden": [8, 6], "dropout": 0.3, "norm": "batch_norm1d"},
            train={"epochs": 4, "augment": {"shift": 0.5, "rotate": 10.0}, "patience": 4},
            run={"name": name, "seed": 3},
        )

    return make


@pytest.fixture
def at_item(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], None]], None]:
    """Makes something happen while the n-th training item of the next run is read."""

    def plan(count: int, act: Callable[[], None]) -> None:
        build = parts_module.dataset_of

        def dataset_of(recipe: Any, split: str) -> Any:
            dataset = build(recipe, split)
            if split == "train":
                dataset.on_read = lambda reads: act() if reads == count else None
                monkeypatch.setattr(parts_module, "dataset_of", build)
            return dataset

        monkeypatch.setattr(parts_module, "dataset_of", dataset_of)

    return plan


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def content_of(folder: Path) -> dict[str, Any]:
    """A checkpoint without what may differ: the clock, and where the run lies."""
    _, content = read(folder / "checkpoint.pt")
    progress = {k: v for k, v in content["progress"].items() if k != "seconds"}
    progress["history"] = [
        {k: v for k, v in row.items() if k != "seconds"} for row in progress["history"]
    ]
    return {**content, "progress": progress, "recipe": None}


def assert_equal(a: Any, b: Any, path: str = "") -> None:
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            assert_equal(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    else:
        assert a == b, path


@pytest.mark.parametrize("item", [1, _EPOCH + 20, 2 * _EPOCH, 4 * _EPOCH - 1])
def test_a_run_that_was_interrupted_ends_like_one_that_was_not(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path, item: int
):
    whole = train(recipe("whole"))
    at_item(item, press_ctrl_c)
    folder = tmp_path / "runs" / "cut"
    with pytest.raises(Interrupted, match=f"saved; to go on, type: snn train --resume {folder}$"):
        train(recipe("cut"))
    progress = read(folder / "checkpoint.pt")[1]["progress"]
    # The step in which Ctrl-C came is finished first; 50 items make 3 steps of 16 and one of 2.
    assert (progress["epoch"], progress["step"]) == (
        (item - 1) // _EPOCH,
        (item - 1) % _EPOCH // 16 + 1,
    )
    torch.manual_seed(987)  # a new process starts with other generators
    resumed = resume(folder)
    assert_equal(content_of(folder), content_of(tmp_path / "runs" / "whole"))
    for key in ("test_accuracy", "test_loss", "train_loss", "firing_rates", "best_epoch"):
        assert resumed[key] == whole[key]


def test_an_encoder_goes_on_with_its_own_generator(
    tables: Tables, at_item: Callable[..., None], tmp_path: Path
):
    noise = {"name": "noise", "T": 2}
    train(tables(encoder=noise, run={"name": "whole"}))
    at_item(_EPOCH + 20, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(tables(encoder=noise, run={"name": "cut"}))
    resume(tmp_path / "runs" / "cut")
    whole, cut = (content_of(tmp_path / "runs" / name) for name in ("whole", "cut"))
    assert_equal(cut, whole)
    assert whole["encoder"]


def test_twice_interrupted(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path
):
    train(recipe("whole"))
    folder = tmp_path / "runs" / "cut"
    at_item(30, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(recipe("cut"))
    at_item(70, press_ctrl_c)
    with pytest.raises(Interrupted):
        resume(folder)
    resume(folder)
    assert_equal(content_of(folder), content_of(tmp_path / "runs" / "whole"))


def test_a_crash_goes_on_from_the_last_finished_epoch(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path
):
    def crash() -> None:
        raise OSError("the disk is gone")

    train(recipe("whole"))
    folder = tmp_path / "runs" / "cut"
    at_item(2 * _EPOCH + 20, crash)
    with pytest.raises(OSError, match="the disk is gone"):
        train(recipe("cut"))
    assert read(folder / "checkpoint.pt")[1]["progress"]["epoch"] == 2
    resume(folder)
    assert_equal(content_of(folder), content_of(tmp_path / "runs" / "whole"))


def test_an_unfinished_run_is_not_overwritten_by_chance(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path
):
    at_item(30, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(recipe("cut"))
    with pytest.raises(RunError, match=r"unfinished run; to go on, type: snn train --resume .*cut"):
        train(recipe("cut"))


def test_the_handler_of_ctrl_c_is_given_back(recipe: Callable[[str], Any]):
    before = signal.getsignal(signal.SIGINT)
    train(recipe("whole"))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_stops_at_once(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path
):
    def twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    at_item(_EPOCH + 5, twice)
    with pytest.raises(KeyboardInterrupt):
        train(recipe("cut"))
    # The checkpoint of the epoch before is whole.
    assert read(tmp_path / "runs" / "cut" / "checkpoint.pt")[1]["progress"]["step"] == 0


def test_a_run_without_a_best_network_yet_says_how_to_go_on(
    tables: Tables, at_item: Callable[..., None], tmp_path: Path
):
    folder = tmp_path / "runs" / "toy"
    at_item(1, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(tables(train={"validation": 0.2}))
    with pytest.raises(RunError, match=f"no best.pt; to go on .*: snn train --resume {folder}$"):
        load_network(folder)


def test_only_what_changes_no_number_may_be_set(
    recipe: Callable[[str], Any], at_item: Callable[..., None], tmp_path: Path
):
    at_item(30, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(recipe("cut"))
    folder = tmp_path / "runs" / "cut"
    with pytest.raises(ConfigError, match=r"'train.epochs=9' would change it. Only data.root, "):
        resume(folder, ["train.epochs=9"])
    resume(folder, ["train.workers=1"])
    with pytest.raises(ConfigError, match=r"is finished; to test its network, type: snn eval "):
        resume(folder)


def test_another_thread_count_is_said(
    tables: Tables,
    at_item: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    folder = tmp_path / "runs" / "toy"
    at_item(30, press_ctrl_c)
    with pytest.raises(Interrupted):
        train(tables())
    loaded, content = read(folder / "checkpoint.pt")
    content["threads"] = 7
    save(folder / "checkpoint.pt", loaded, content)
    resume(folder)
    assert "began with 7 threads and goes on with 1" in capsys.readouterr().out


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    recipe = load_recipe("digits")
    save(path, recipe, {"model": {"w": torch.ones(2)}})

    def fail(aside: Path) -> None:
        aside.write_bytes(b"half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        write(path, fail)
    assert torch.equal(read(path)[1]["model"]["w"], torch.ones(2))


def test_a_checkpoint_is_plain_data(tables: Tables, tmp_path: Path):
    train(tables())
    path = tmp_path / "runs" / "toy" / "checkpoint.pt"
    content = torch.load(path, weights_only=True)
    net = load_network(path.parent)
    assert_equal(dict(content["model"]), dict(net.state_dict()))
