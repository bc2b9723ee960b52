from __future__ import annotations

from pathlib import Path

import pytest
import torch

from snncore.cli.failure import CommandFailed
from snncore.cli.weights import open_trained


@pytest.fixture(autouse=True)
def _installed(deployed) -> None:
    deployed()


@pytest.fixture
def run() -> Path:
    folder = Path("runs/one")
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text('[model]\nname = "chain"\n')
    return folder


def checkpoint(path: Path, seed: int) -> dict[str, torch.Tensor]:
    """Writes weights as a run does."""
    generator = torch.Generator().manual_seed(seed)
    weights = {
        "1.weight": torch.rand(6, 8, generator=generator),
        "3.weight": torch.rand(3, 6, generator=generator),
    }
    torch.save({"format": 1, "name": "one", "recipe": {}, "model": weights, "epoch": 3}, path)
    return weights


def holds(net, weights) -> bool:
    state = net.state_dict()
    return state.keys() == weights.keys() and all(
        torch.equal(state[key], weights[key]) for key in weights
    )


def test_a_run_has_its_best_weights_else_its_last(run: Path) -> None:
    last = checkpoint(run / "checkpoint.pt", 1)
    assert holds(open_trained(str(run), {}), last)
    best = checkpoint(run / "best.pt", 2)
    assert holds(open_trained(str(run), {}), best)
    assert not holds(open_trained(str(run), {}, untrained=True), best)


def test_fresh_weights_are_the_same_each_time() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, other = (open_trained("model:chain", {}).state_dict() for _ in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert torch.equal(torch.get_rng_state(), state)


def test_weights_that_cannot_be_had(run: Path) -> None:
    with pytest.raises(
        CommandFailed,
        match=r"runs/one holds no trained weights \(best\.pt or checkpoint\.pt\); train it, or say "
        "--untrained for fresh ones",
    ):
        open_trained(str(run), {})
    best = run / "best.pt"
    checkpoint(best, 0)
    with pytest.raises(
        CommandFailed,
        match=r"best\.pt does not fit the network: .* size mismatch for 1\.weight: .*; leave --set "
        "out, or say --untrained",
    ):
        open_trained(str(run), {"hidden": 7})
    whole = best.read_bytes()
    best.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CommandFailed, match=r"best\.pt cannot be read: RuntimeError: "):
        open_trained(str(run), {})
    for content in ([1, 2], {"weights": {}}, {"model": 3}):
        torch.save(content, best)
        with pytest.raises(
            CommandFailed, match=r"best\.pt is no checkpoint: it holds no table 'model' with weigh"
        ):
            open_trained(str(run), {})


class Evil:
    def __reduce__(self):
        return Path.touch, (Path("executed"),)


def test_nothing_in_a_checkpoint_is_run(run: Path) -> None:
    torch.save({"model": {"1.weight": Evil()}}, run / "best.pt")
    with pytest.raises(CommandFailed, match=r"best\.pt cannot be read: UnpicklingError"):
        open_trained(str(run), {})
    assert not Path("executed").exists()


def test_commands_take_the_trained_weights(run: Path, snn, toy) -> None:
    checkpoint(run / "best.pt", 3)
    for words in ((), ("--untrained",)):
        result = snn("export", str(run), "--chip", "toy", "--out", f"{len(words)}.toy", *words)
        assert result.exit_code == 0, result.output
        assert "fresh weights" not in result.stderr
    trained, fresh = (toy.Toy().read(Path(f"{i}.toy")).layers[0][1] for i in (0, 1))
    assert (trained >= 0).all()
    assert not (fresh >= 0).all()
    words = ("--steps", "2", "--repeats", "1", "--rate", "1", "--json")
    assert snn("profile", str(run), *words).stdout != ""
    (run / "best.pt").unlink()
    for command in ("profile", "export", "simulate", "verify"):
        chip = () if command == "profile" else ("--chip", "toy")
        result = snn(command, str(run), *chip)
        assert result.exit_code == 1
        assert "holds no trained weights" in result.stderr
        assert snn(command, str(run), *chip, "--untrained").exit_code == 0
