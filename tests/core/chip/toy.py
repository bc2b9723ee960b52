"""A chip for tests: layers of integrate-and-fire neurons behind weights of 8 bits, in a chain.

z = sum of W_int s,  v = v + z,  s = 1 and v = 0 where v >= threshold_int
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from snncore.chip import Capabilities, Chip, IntGrid, Limit, OneOf, Rule, Trace, digest
from snncore.errors import ChipError
from snncore.graph import Table, drop_dropout, drop_identities, fold_batch_norm, ops

NEURON = "Summing"


@dataclass(frozen=True)
class ToyProgram:
    """Layers of (path, weights ``[out, in]``, threshold)."""

    layers: tuple[tuple[str, np.ndarray, int], ...]

    def content(self) -> dict[str, Any]:
        return {
            f"{i}/{name}": value
            for i, layer in enumerate(self.layers)
            for name, value in zip(("path", "weight", "threshold"), layer, strict=True)
        }


class Toy(Chip[ToyProgram]):
    def capabilities(self):
        return Capabilities(
            name="toy",
            version="1",
            prefix="TOY",
            ops={"Linear": Rule(), "Reshape": Rule()},
            neurons={
                NEURON: Rule(
                    parameters={"v_reset": OneOf((0.0,)), "v_threshold": OneOf((1.0, 2.0))},
                    granularity="layer",
                    why="the toy's data sheet",
                    fixes={"v_reset": "train with a hard reset to 0"},
                )
            },
            refused={"Pool": "use a linear layer"},
            weight=IntGrid(-127, 127),
            limits={
                "fan_in": Limit(64, True, "the toy's data sheet"),
                "neurons": Limit(100, False, "an advertisement"),
            },
        )

    def passes(self):
        return (drop_dropout, drop_identities, fold_batch_norm)

    def lower(self, graph):
        layers, weight = [], None
        for node in graph:
            if isinstance(node.op, ops.Linear):
                weight = node.op.weight.detach().double().numpy()
            elif isinstance(node.op, ops.Neuron):
                scale = 127 / np.abs(weight).max()
                threshold = round(node.op.parameters["v_threshold"] * scale)
                layers.append((node.path, np.rint(weight * scale).astype(np.int32), threshold))
        return ToyProgram(tuple(layers))

    def layers(self, program):
        return [path for path, _, _ in program.layers]

    def quantisation(self, graph, program):
        rows = tuple((path, threshold) for path, _, threshold in program.layers)
        return Table("Quantisation", ("layer", "threshold"), rows)

    def write(self, program, path):
        content = program.content()
        table = {name: np.asarray(value).tolist() for name, value in content.items()}
        path.write_text(json.dumps({"sha256": digest(content), "layers": table}))

    def read(self, path):
        try:
            stored = json.loads(path.read_text())
            table = stored["layers"]
            count = len(table) // 3
            layers = tuple(
                (
                    table[f"{i}/path"],
                    np.array(table[f"{i}/weight"], np.int32),
                    int(table[f"{i}/threshold"]),
                )
                for i in range(count)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ChipError(f"{path} is no network of the toy ({error})") from error
        program = ToyProgram(layers)
        if digest(program.content()) != stored["sha256"]:
            raise ChipError(f"{path} is damaged: its content is not what was written")
        return program

    def simulate(self, program, x, record=()):
        spikes = x.flatten(2).to(torch.int64).numpy()
        kept: dict[str, torch.Tensor] = {}
        states: dict[str, dict[str, torch.Tensor]] = {}
        for path, weight, threshold in program.layers:
            v = np.zeros((x.shape[1], len(weight)), np.int64)
            rows, potentials = [], []
            for step in spikes:
                v = v + step @ weight.T.astype(np.int64)
                fired = v >= threshold
                v = np.where(fired, 0, v)
                rows.append(fired.astype(np.int64))
                potentials.append(v)
            spikes = np.stack(rows)
            if path in record:
                kept[path] = torch.from_numpy(spikes).float()
                states[path] = {"v": torch.from_numpy(np.stack(potentials))}
        return Trace(torch.from_numpy(spikes).float(), kept, states)
