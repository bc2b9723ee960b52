"""Exchange with Loihi."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from snn_lava import netfile
from snn_lava.lava.toolchain import LavaToolchain
from snn_lava.lowering import lower, table
from snn_lava.passes import fold_decay_input, fold_mean_pool
from snn_lava.program import ChipName, Flatten, Program
from snn_lava.records import LOIHI1, LOIHI2
from snn_lava.rules import findings
from snn_lava.simulation import simulate
from snncore.chip import Capabilities, Chip, Trace
from snncore.errors import ChipError
from snncore.graph import (
    Finding,
    Graph,
    Pass,
    Table,
    drop_dropout,
    drop_identities,
    fold_batch_norm,
)

_RUNS = {
    **dict.fromkeys(
        (
            "dense_if",
            "dense_lif",
            "dense_lif_decay_input",
            "dense_cuba",
            "flatten_dense_dense",
            "dense_recurrent",
            "delays_and_decays",
        ),
        "exact",
    ),
    **dict.fromkeys(
        ("conv_lif", "conv_grouped", "conv_norm", "conv_mean_pool"),
        "behavioural",
    ),
}


class _Loihi(Chip[Program]):
    """What the two chips share."""

    chip: ClassVar[ChipName]
    record: ClassVar[Capabilities]
    conformance: ClassVar[dict[str, object]] = {"runs": _RUNS}
    graded = False

    def capabilities(self) -> Capabilities:
        """The chip's record."""
        return self.record

    def passes(self) -> Sequence[Pass]:
        """Nothing of them changes a spike."""
        return (
            drop_dropout,
            drop_identities,
            fold_batch_norm,
            fold_mean_pool,
            fold_decay_input,
        )

    def own_findings(self, graph: Graph) -> tuple[Finding, ...]:
        """Rules of its structure, and what the numbers become."""
        return findings(graph, graded=self.graded)

    def lower(self, graph: Graph) -> Program:
        """Each layer at the scale that loses least."""
        return lower(graph, self.chip)

    def layers(self, program: Program) -> Sequence[str]:
        """Each layer of neurons."""
        return tuple(layer.path for layer in program.layers if not isinstance(layer, Flatten))

    def quantisation(self, graph: Graph, program: Program) -> Table | None:
        """Scales, and what they cost."""
        return table(graph)

    def write(self, program: Program, path: Path) -> None:
        """Lava's ``.net``, HDF5. Raises: ChipError for graded spikes, which have no file."""
        netfile.write(program, path)

    def read(self, path: Path) -> Program:
        """Raises: ChipError naming file, layer and dataset, or the other chip that it is for."""
        program = netfile.read(path, chip=self.chip)
        if program.chip != self.chip:
            raise ChipError(
                f"{path} was exported for {program.chip}, not for {self.chip}; the registered chip "
                f"of that name reads it"
            )
        return program

    def simulate(self, program: Program, x: Tensor, record: Sequence[str] = ()) -> Trace:
        """Bit for bit as Lava's model of the chip."""
        return simulate(program, x, record)

    def toolchain(self, interpreter: Path | None = None) -> LavaToolchain:
        """Lava, in an environment of its own."""
        return LavaToolchain(interpreter, self.chip)


class Loihi1(_Loihi):
    """Intel's Loihi: current-based LIF neurons in integers, chains of dense and conv layers.

    Example:
        >>> import torch, snncore as snn
        >>> from snncore.chip import prepare, validate
        >>> from snncore.graph import trace
        >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2, bias=False), snn.build("neuron", "if"))
        >>> graph = trace(net, torch.zeros(1, 3))
        >>> chip = Loihi1()
        >>> validate(chip, graph).ok
        True
        >>> program = chip.lower(prepare(chip, graph)[0])
        >>> chip.simulate(program, torch.ones(5, 1, 3)).output.shape
        torch.Size([6, 1, 2])

    Source: Davies et al., Loihi: a neuromorphic manycore processor with on-chip learning, IEEE
        Micro 2018; files and arithmetic of lava-dl 0.6 and lava-nc 0.10.
    """

    chip: ClassVar[ChipName] = "loihi1"
    record: ClassVar[Capabilities] = LOIHI1


class Loihi2(_Loihi):
    """Intel's Loihi 2.

    Args:
        graded: allow graded spikes, which carry the potential: in simulation only, as they reach
            Lava by no file.

    Source: Orchard et al., Efficient neuromorphic signal processing with Loihi 2, SiPS 2021; files
        and arithmetic of lava-dl 0.6 and lava-nc 0.10.
    """

    chip: ClassVar[ChipName] = "loihi2"
    record: ClassVar[Capabilities] = LOIHI2

    def __init__(self, graded: bool = False) -> None:
        self.graded = graded
