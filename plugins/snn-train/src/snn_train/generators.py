"""The states of torch's random generators, of every process of a run."""

from __future__ import annotations

from typing import TypeAlias

import torch
from lightning_fabric import Fabric
from torch import Tensor

States: TypeAlias = dict[str, Tensor]
"""``{"cpu": [processes, bytes], "cuda": ...}``."""


def generator_states(fabric: Fabric) -> States:
    """The states of the generators of all processes; every process must call it."""
    states = {"cpu": torch.get_rng_state()}
    if fabric.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(fabric.device)
    return {name: gather(fabric, state) for name, state in states.items()}


def set_generator_states(fabric: Fabric, states: States) -> None:
    """Gives this process its states back."""
    torch.set_rng_state(states["cpu"][fabric.global_rank].contiguous())
    if fabric.device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"][fabric.global_rank].contiguous(), fabric.device)


def gather(fabric: Fabric, value: Tensor) -> Tensor:
    """``value`` of every process, stacked ``[processes, *]`` on the CPU."""
    if fabric.world_size == 1:
        return value.cpu().unsqueeze(0)
    mine = value.to(fabric.device)
    pieces = [torch.empty_like(mine) for _ in range(fabric.world_size)]
    torch.distributed.all_gather(pieces, mine)
    return torch.stack(pieces).cpu()
