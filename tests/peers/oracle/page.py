"""The page of agreements and differences, docs/peers.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from oracle import alone
from oracle.comparison import compare
from oracle.curve import compare_curve
from oracle.pair import Pair
from oracle.peer import LIBRARIES
from oracle.tables import curves, differences, pairs

PAGE = Path(__file__).resolve().parents[3] / "docs" / "peers.md"
HEADINGS = {
    "neuron": "Neurons",
    "surrogate": "Surrogates",
    "layer": "Layers",
    "encoder": "Encoders",
    "quantizer": "Quantisers",
}
_WORDS = """\
# Agreement with other libraries

Written by `make peers`, which installs the libraries in an environment of their own, runs every row
below and fails where one does not hold. The tables are `tests/peers/oracle`.

**Agreement.** Both sides get the same input, first states and parameters, in float64 on the CPU.
Compared are outputs (spikes to the last bit), every state after every step, and the gradients of a
random mixture of all of these with respect to input, first states and parameters. Where a library
runs step by step and all steps at once, each way of ours is compared with each way of theirs;
neurons of SpikingJelly also from the states that each side begins with by itself. Ours run their
equations (`backend="eager"`), to which other tests hold the kernels. Surrogates are compared over
[-3, 3] with the edges of their masks: value, derivative and, where the other library has one,
primitive; then in a neuron. Allowed is a relative difference of 1e-5; a row shows the largest
found, in units of the largest value of its tensor. snnTorch gives spikes in float32 whatever the
input is, which shows in its rows.

**Difference.** A row names what another library does otherwise, with the reason for ours. Each is a
test as well: it fails when the difference is gone.
"""


def columns(row: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(map(columns, (head, ["---"] * len(head), *rows)))


def theirs(library: str, name: str) -> str:
    """How the page names a component of another library."""
    return f"{LIBRARIES[library]} `{name}`"


def text() -> str:
    """The page, from what is found now."""
    found = {kind: list[list[str]]() for kind in HEADINGS}
    for pair in pairs():
        found[pair.kind].append(_agreement(pair))
    for curve in curves():
        apart = [compare_curve(curve, settings) for settings in curve.variants]
        most = max(max(one.values()) for one in apart)
        shown = ", ".join(apart[0])
        found["surrogate"].append(
            [
                f"`{curve.name}`",
                theirs(curve.library, curve.theirs),
                curve.mapping,
                str(len(apart)),
                shown,
                f"{most:.0e}",
            ]
        )
    sections = [_WORDS, versions()]
    head = ("ours", "theirs", "as", "settings", "compared", "apart")
    for kind, heading in HEADINGS.items():
        sections.append(f"## {heading}\n\n{table(head, sorted(found[kind]))}\n")
    rows = [(f"{d.kind} `{d.name}`", theirs(d.library, d.theirs), d.words) for d in differences()]
    sections.append(f"## Differences\n\n{table(('ours', 'theirs', 'what and why'), rows)}\n")
    sections.append(f"## Ours alone\n\n{table(('ours', 'why'), _alone())}\n")
    return "\n".join(sections)


def versions() -> str:
    """What was installed."""
    names = ("torch", *LIBRARIES)
    # Without the build of torch, "+cpu" here and something else there.
    found = (f"{name} {metadata.version(name).split('+')[0]}" for name in names)
    return f"Versions: {', '.join(found)}.\n"


def _agreement(pair: Pair) -> list[str]:
    runs = [compare(pair, variant) for variant in pair.variants]
    most = max(max(run.apart.values()) for run in runs)
    names = dict.fromkeys(name for run in runs for name in run.apart)
    gradients = [n.removeprefix("gradient of ") for n in names if n.startswith("gradient of ")]
    shown = [name for name in names if not name.startswith("gradient of ")]
    if gradients:
        shown.append(f"gradients of {', '.join(_grouped(gradients))}")
    return [
        f"`{pair.name}`",
        theirs(pair.library, pair.theirs),
        pair.mapping,
        str(len(runs)),
        ", ".join(shown),
        f"{most:.0e}",
    ]


def _grouped(names: Iterable[str]) -> list[str]:
    """Parameters of one name in several places once."""
    short = (".".join(part for part in name.split(".") if not part.isdigit()) for name in names)
    return list(dict.fromkeys(short))


def _alone() -> list[tuple[str, str]]:
    kinds = (("neuron", alone.NEURONS), ("surrogate", alone.SURROGATES))
    return [(f"{kind} `{name}`", why) for kind, table in kinds for name, why in table.items()]
