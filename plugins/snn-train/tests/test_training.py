from __future__ import annotations

import csv
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest
import torch

import snncore
from snn_train import RunError, TrainingError, evaluate, load_network, train
from snn_train.checkpoint import read
from snn_train.parts import build_parts, items_to_test
from snn_train.recipe import load_recipe
from snn_train.report import write_report
from snncore.errors import ConfigError, UnknownComponent

Tables = Callable[..., dict[str, Any]]


def rows(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open(encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "toy"


def test_a_run_learns_and_leaves_everything(
    tables: Tables, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("snn_train.training.write_report", write_report)
    result = train(tables(train={"epochs": 30}))
    assert result["test_accuracy"] >= 0.95
    assert {path.name for path in folder.iterdir()} == {
        "config.toml",
        "checkpoint.pt",
        "best.pt",
        "metrics.csv",
        "result.json",
        "report.png",
    }
    assert result == json.loads((folder / "result.json").read_text())
    assert result["versions"]["torch"] == torch.__version__
    assert result["versions"]["toys"] == "0"
    assert result["parameters"] == 16 * 8 + 8 + 8 * 3 + 3
    assert result["seed"] == 0
    picture = matplotlib.image.imread(folder / "report.png")
    assert picture.shape[0] > 400
    assert picture.std() > 0.05, "the picture is not blank"


def test_metrics_of_each_epoch(tables: Tables, folder: Path):
    result = train(tables(), ["train.epochs=4"])
    found = rows(folder)
    assert [row["epoch"] for row in found] == [1, 2, 3, 4]
    assert found[-1]["test_accuracy"] == result["test_accuracy"]
    assert found[-1]["test_loss"] == result["test_loss"]
    assert found[0]["train_loss"] > found[-1]["train_loss"]
    assert [row["lr"] for row in found] == pytest.approx([0.02, 0.017071, 0.01, 0.002929], abs=1e-6)


def test_the_config_gives_the_run_again(tables: Tables, folder: Path):
    first = train(tables())
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["model"] == {"name": "mlp", "hidden": [8], "in_shape": [1, 4, 4], "classes": 3}
    again = train(folder / "config.toml", ["run.name=again"])
    for key in ("test_accuracy", "test_loss", "train_loss", "firing_rates"):
        assert again[key] == first[key]


def test_the_network_comes_back_through_the_registry(tables: Tables, folder: Path):
    result = train(tables())
    net = load_network(folder)
    assert not net.training
    test = snncore.build("dataset", "toy", split="test")
    with torch.no_grad():
        y = net(test.images.expand(3, *test.images.shape))
    right = (y.mean(0).argmax(1) == torch.from_numpy(test.targets)).float().mean()
    assert float(right) == pytest.approx(result["test_accuracy"])
    with snncore.registry.using(snncore.registry.Registry([])), pytest.raises(UnknownComponent):
        load_network(folder)


def test_evaluation_repeats_the_result(tables: Tables, folder: Path):
    result = train(tables(encoder={"name": "poisson", "T": 6}))
    score = evaluate(folder)
    assert (score.accuracy, score.loss, score.rates) == (
        result["test_accuracy"],
        result["test_loss"],
        result["firing_rates"],
    )
    assert evaluate(folder, ["data.noise=0.0"]).loss != score.loss
    with pytest.raises(ConfigError, match=r"'model.hidden=\[3\]' would change it"):
        evaluate(folder, ["model.hidden=[3]"])


def test_firing_rates_are_those_of_the_test_items(tables: Tables, folder: Path):
    result = train(tables(train={"eval_batch_size": 7}))
    net = load_network(folder)
    test = snncore.build("dataset", "toy", split="test")
    with torch.no_grad():
        currents = net.linear1(net.flatten(test.images.expand(3, *test.images.shape)))
        spikes = net.neuron1(currents)
    assert result["firing_rates"] == {"neuron1": pytest.approx(float(spikes.mean()))}
    assert result["firing_rate"] == pytest.approx(float(spikes.mean()))


def test_sequences_need_no_encoder(tables: Tables):
    recipe = tables(data={"name": "toy_sequence"}, encoder=None, train={"epochs": 30})
    assert train(recipe)["test_accuracy"] >= 0.9


def test_preloading_and_workers_change_nothing(tables: Tables):
    plain = train(tables(run={"name": "plain"}))
    for name, settings in (("kept", {"preload": True}), ("worked", {"workers": 2})):
        other = train(tables(train=settings, run={"name": name}))
        assert other["test_loss"] == plain["test_loss"]
        assert other["train_loss"] == plain["train_loss"]


def test_seeds_differ_and_repeat(tables: Tables):
    losses = [
        train(tables(run={"seed": seed, "name": f"r{i}"}))["test_loss"]
        for i, seed in enumerate((0, 0, 1))
    ]
    assert losses[0] == losses[1] != losses[2]


def test_a_run_is_named_by_recipe_and_seed(tables: Tables, tmp_path: Path):
    recipe = tables()
    del recipe["run"]["name"]
    train(recipe, ["run.seed=4", "train.epochs=1"])
    assert (tmp_path / "runs" / "custom-seed4" / "result.json").exists()


def test_a_finished_run_is_not_overwritten_by_chance(tables: Tables, folder: Path):
    train(tables(), ["train.epochs=1"])
    with pytest.raises(RunError, match=r"finished run; to train anew, add --set run.overwrite=tr"):
        train(tables())
    assert train(tables(), ["run.overwrite=true", "train.epochs=2"])["epochs"] == 2
    assert len(rows(folder)) == 2
    # The recipe that a run leaves behind gives it again, but never in its place.
    assert tomllib.loads((folder / "config.toml").read_text())["run"]["overwrite"] is False


def test_validation_chooses_the_network_that_is_tested(tables: Tables, folder: Path):
    # A rate that is far too high from the start makes later epochs worse now and then.
    result = train(tables(train={"validation": 0.3, "epochs": 6}, optimizer={"lr": 0.3}))
    found = rows(folder)
    best = max(row["validation_accuracy"] for row in found)
    first = next(row for row in found if row["validation_accuracy"] == best)
    assert result["network"] == "best.pt"
    assert result["best_epoch"] == first["epoch"]
    assert result["best_metric"] == best
    assert result["test_accuracy"] == first["test_accuracy"]
    assert evaluate(folder).accuracy == first["test_accuracy"]
    _, content = read(folder / "best.pt")
    assert content["epoch"] == first["epoch"]


def test_patience_stops_early(tables: Tables, folder: Path):
    result = train(tables(train={"epochs": 50, "patience": 2}, optimizer={"lr": 1e-12}))
    assert result["stopped_early"]
    assert result["epochs"] == 3, "the first epoch is the best of all, two more do not beat it"


def test_a_clipped_gradient_moves_no_further(tables: Tables, folder: Path):
    recipe = tables(
        optimizer={"name": "sgd", "lr": 1.0},
        train={"epochs": 1, "grad_clip": 1e-3, "batch_size": 50},
    )
    torch.manual_seed(0)
    before = snncore.build("model", "mlp", in_shape=[1, 4, 4], classes=3, hidden=[8])
    train(recipe)
    after = load_network(folder).state_dict()
    moved = sum(float((after[k] - v).square().sum()) for k, v in before.state_dict().items()) ** 0.5
    assert moved == pytest.approx(1e-3, rel=1e-2)


def test_mixed_precision_trains(tables: Tables, folder: Path):
    result = train(tables(train={"precision": "bf16-mixed", "epochs": 30}))
    assert result["test_accuracy"] >= 0.9
    assert next(load_network(folder).parameters()).dtype == torch.float32


def test_a_loss_that_is_not_finite_stops_the_run(tables: Tables):
    with pytest.raises(TrainingError, match=r"loss is nan in epoch 1, step 1; lower optimizer.lr"):
        train(tables(loss={"name": "diverging"}))


def test_tensorboard_gets_the_metrics(tables: Tables, folder: Path):
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="the extra 'tensorboard' is not installed",
    )
    train(tables(), ["run.log=tensorboard"])
    events = event_accumulator.EventAccumulator(str(folder / "tensorboard")).Reload()
    logged = [event.value for event in events.Scalars("train_loss")]
    assert logged == pytest.approx([row["train_loss"] for row in rows(folder)], rel=1e-6)


@pytest.mark.parametrize(
    ("over", "text"),
    [
        ({"encoder": None}, r"toys/toy gives images, so the recipe needs an encoder; write \[enco"),
        (
            {"data": {"name": "toy_sequence"}},
            r"toys/toy_sequence gives sequences; remove the table \[encoder\]",
        ),
        (
            {"data": {"name": "toy_sequence"}, "encoder": None, "train": {"augment": {"shift": 1}}},
            r"gives sequences, and train.augment changes images; remove it",
        ),
        ({"model": {"name": "mlp", "hiden": [3]}}, r"unknown parameter 'hiden' \(did you mean"),
        (
            {"model": {"name": "mlp", "neuron": {"name": "lif", "learnable": ["taus"]}}},
            r"\[model\] \(mlp\): LIF cannot learn 'taus'; its numeric parameters are",
        ),
        ({"run": {"devices": 51}}, r"leaves 50 items to train with, .* of 51 devices"),
        (
            {"run": {"accelerator": "cuda"}},
            r"sees no CUDA device here; for the CPU, add --set run.accelerator=cpu",
        ),
    ],
)
def test_parts_that_do_not_fit(tables: Tables, over: dict[str, Any], text: str):
    if over.get("run", {}).get("accelerator") and torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    if "devices" in over.get("run", {}):
        with pytest.raises(ConfigError, match=text):
            build_parts(load_recipe(tables(**over)))
        return
    with pytest.raises(ConfigError, match=text):
        train(tables(**over))


def test_a_dataset_without_test_items(tables: Tables):
    with pytest.raises(ConfigError, match="dataset list has no items to test with"):
        items_to_test([], load_recipe(tables()))


def test_runs_that_are_none(tmp_path: Path, tables: Tables, folder: Path):
    with pytest.raises(RunError, match=r"there is no run .*none; give the folder of one"):
        load_network(tmp_path / "none")
    with pytest.raises(RunError, match=r"holds no checkpoint.pt, so no epoch"):
        evaluate(tmp_path)
    train(tables(), ["train.epochs=1"])
    (folder / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"checkpoint.pt cannot be read: "):
        evaluate(folder)
    torch.save({"format": 99}, folder / "checkpoint.pt")
    with pytest.raises(RunError, match=r"no checkpoint that this version of snn-train wrote"):
        evaluate(folder)


def test_a_wrong_recipe_costs_no_run(tables: Tables, folder: Path, monkeypatch: pytest.MonkeyPatch):
    train(tables(), ["train.epochs=1"])
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"not installed; type: pip install 'snn-train\[tensor"):
        train(tables(), ["run.overwrite=true", "run.log=tensorboard"])
    with pytest.raises(ConfigError, match="unknown parameter 'hiden'"):
        train(tables(), ["run.overwrite=true", "model.hiden=[3]"])
    assert evaluate(folder).items == 24
