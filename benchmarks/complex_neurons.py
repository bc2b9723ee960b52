"""Neurons beyond LIF: this library beside its own eager loop and the peers that have them.

Peers that cannot be imported are left out. See README.md in this folder.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from agreement import HEAD, agree
from agreement import WORDS as AGREEMENT
from measure import COPY, MODES, Effort, compare, in_child
from page import Page, add_effort, number, parser, power
from peers import MODULES, failures
from subjects import CHANNELS, NEURONS, OURS

WORDS = {
    "plif": "PLIF: one learned time constant",
    "alif": "ALIF: a threshold that moves",
    "izhikevich": "Izhikevich: quadratic, with a recovery current",
    "channel_tau": "LIF with a time constant per channel",
    "learned_threshold": "LIF with a learned threshold per channel",
}
SHAPES = ((16, 1 << 18), (256, 1 << 16))
BATCH = 4


def rows_of(
    name: str, shape: tuple[int, int], allowed: list[str], effort: Effort
) -> dict[str, list[str]]:
    """A row of the table for each mode."""
    subject = NEURONS[name]
    names = [other for other in subject.names() if other in allowed]
    steps, size = shape
    images = (steps, BATCH, CHANNELS, size // (BATCH * CHANNELS))
    request = {"neuron": name, "names": names, "shape": images, "effort": vars(effort)}
    found = in_child(__file__, request)
    rows = {}
    for mode, times in found.items():
        base = times[OURS[0]]
        cells = [WORDS[name], str(steps), power(size), number(base)]
        for other in allowed[1:]:
            if other in names:
                cells.append(f"{number(times[other])} (**{times[other] / base:.1f}**)")
            else:
                cells.append("-")
        rows[mode] = [*cells, number(times[COPY])]
    return rows


def answer(request: dict[str, Any]) -> Any:
    """What a child process measures."""
    subject = NEURONS[request["neuron"]]
    layers = {name: subject.contender(name).make() for name in request["names"]}
    return compare(layers, tuple(request["shape"]), Effort(**request["effort"]))


def main() -> None:
    made = parser(__doc__)
    add_effort(made)
    made.add_argument("--neurons", nargs="+", default=list(WORDS), choices=list(WORDS))
    made.add_argument("--steps", type=int, nargs="+", default=[t for t, _ in SHAPES], metavar="T")
    made.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[n for _, n in SHAPES],
        metavar="N",
        help=f"one per T; multiples of {BATCH * CHANNELS}",
    )
    names = [*OURS, *MODULES]
    made.add_argument("--only", nargs="+", default=names, choices=names, metavar="NAME")
    chosen = made.parse_args()
    if chosen.child:
        print(json.dumps(answer(json.loads(chosen.child))))
        return
    if len(chosen.steps) != len(chosen.sizes):
        made.error(f"give one N for each of the {len(chosen.steps)} T, not {len(chosen.sizes)}")
    if any(size % (BATCH * CHANNELS) for size in chosen.sizes):
        made.error(f"each N must be a multiple of {BATCH * CHANNELS}, for batch and channels")
    effort = Effort(chosen.repeats, chosen.seconds, chosen.threads)
    broken = failures(chosen.only)
    for name, error in broken.items():
        print(f"left out: {name} ({error})", file=sys.stderr)
    # The first is what the others are compared with.
    allowed = [OURS[0], *(n for n in names[1:] if n in chosen.only and n not in broken)]
    page = Page("complex_neurons", "Neurons beyond LIF")
    head = ["neuron", "T", "N", "cpp ms", *(f"{n} ms (ratio)" for n in allowed[1:])]
    tables = {mode: [[*head, "copy ms"]] for mode in MODES}
    checked = [["neuron", *HEAD]]
    for name in chosen.neurons:
        subject = NEURONS[name]
        found = agree(subject, [n for n in subject.names() if n in allowed])
        absent = [[n, "-", f"not the same neuron: {why}"] for n, why in subject.absent.items()]
        checked += [[WORDS[name], *row] for row in (*found, *absent)]
        for shape in zip(chosen.steps, chosen.sizes, strict=True):
            for mode, row in rows_of(name, shape, allowed, effort).items():
                tables[mode].append(row)
                print(*row, sep=" | ", file=sys.stderr)
    ratio = (
        f"In brackets, how many times as long as {OURS[0]}; - where a library has no such neuron."
    )
    for mode in MODES:
        page.add(mode.capitalize(), ratio, tables[mode])
    page.add("Agreement", AGREEMENT, checked)
    page.publish(effort, chosen)


if __name__ == "__main__":
    main()
