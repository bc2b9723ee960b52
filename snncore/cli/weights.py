"""The weights that a run trained."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from snncore.cli.failure import CommandFailed
from snncore.cli.network import open_network

# The best by validation, where the run had any; else those of its last epoch.
_FILES = ("best.pt", "checkpoint.pt")
_SEED = 0


def open_trained(reference: str, settings: Mapping[str, Any], *, untrained: bool = False) -> Any:
    """The network that ``reference`` names; that of a run folder has the weights it trained.

    Fresh weights are drawn from the same seed each time, so that several commands speak of the
    same network.

    Args:
        reference, settings: as :func:`snncore.cli.network.open_network`.
        untrained: whether the network of a run has fresh weights too.

    Raises: as :func:`snncore.cli.network.open_network` and :func:`load`.
    """
    # By name: the command line itself stays free of torch.
    torch = importlib.import_module("torch")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_SEED)
        net = open_network(reference, settings)
    if Path(reference).is_dir() and not untrained:
        load(net, Path(reference))
    return net


def load(net: Any, run: Path) -> Path:
    """Gives a network the weights that a run trained; the file that holds them.

    Raises: CommandFailed for a run without weights, a damaged file, and weights of another network.
    """
    path = next((run / name for name in _FILES if (run / name).is_file()), None)
    if path is None:
        raise CommandFailed(
            f"{run} holds no trained weights ({' or '.join(_FILES)}); train it, or say --untrained "
            "for fresh ones"
        )
    try:
        # Plain values and tensors alone: nothing in the file is run.
        content = importlib.import_module("torch").load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch names no common base of what a damaged file raises
        raise CommandFailed(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    weights = content.get("model") if isinstance(content, dict) else None
    if not isinstance(weights, dict):
        raise CommandFailed(f"{path} is no checkpoint: it holds no table 'model' with weights")
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise CommandFailed(
            f"{path} does not fit the network: {why}; leave --set out, or say --untrained"
        ) from error
    return path
