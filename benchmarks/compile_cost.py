"""What the first use of a neuron costs: in a new process, with an empty cache and a filled one.

See README.md in this folder.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

REGISTERED = ("lif", "plif", "alif")
OWN = "novel"
SHAPE, OTHER_BATCH = (8, 4, 2048), 5
IMPORTS = ("import torch", "import snncore")
USES = ("first", "again", "another batch size")


def first_uses(names: Sequence[str], uses: Sequence[str]) -> dict[str, float]:
    """Milliseconds of imports and of each forward with backward, in this process."""
    begun = time.perf_counter()
    import torch

    torch.set_num_threads(1)
    took = {IMPORTS[0]: elapsed(begun)}
    begun = time.perf_counter()
    import snncore as snn

    neurons = {name: made(name) for name in names}
    took[IMPORTS[1]] = elapsed(begun)
    for use in uses:
        batch = OTHER_BATCH if use == USES[2] else SHAPE[1]
        for name, neuron in neurons.items():
            x = torch.randn(SHAPE[0], batch, *SHAPE[2:], requires_grad=True)
            begun = time.perf_counter()
            snn.reset(neuron)
            neuron(x).sum().backward()
            took[f"{name}, {use}"] = elapsed(begun)
    return took


def made(name: str) -> Any:
    """A neuron on the C++ backend: a registered one, or one that nobody has seen."""
    if name == OWN:
        from novel import Novel

        return Novel(step_mode="m", backend="cpp")
    import snncore as snn

    return snn.build("neuron", name, step_mode="m", backend="cpp")


def elapsed(begun: float) -> float:
    return (time.perf_counter() - begun) * 1e3


def repeated(names: Sequence[str], repeats: int, *, filled: bool) -> dict[str, float]:
    """Medians over fresh processes with a cache each, empty or filled by an earlier process."""
    from measure import in_child

    found = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as cache:
            environment = {"SNN_CACHE": cache}
            if filled:
                # The other batch size stays one that no process has seen.
                in_child(__file__, {"names": names, "uses": USES[:1]}, environment)
            found.append(in_child(__file__, {"names": names, "uses": USES}, environment))
    return {key: statistics.median(took[key] for took in found) for key in found[0]}


def rows_of(names: Sequence[str], took: dict[str, float]) -> list[list[str]]:
    """A row for each neuron of one process, and their sum."""
    from page import number

    uses = [[took[f"{name}, {use}"] for use in USES] for name in names]
    rows = [[name, *map(number, times)] for name, times in zip(names, uses, strict=True)]
    if len(names) > 1:
        rows.append(["all together", *(number(sum(times)) for times in zip(*uses, strict=True))])
    return rows


def main() -> None:
    # Not at the top: a child measures what its imports cost.
    from page import Page, number, parser

    options = parser(__doc__)
    options.add_argument("--repeats", type=int, default=3, help="fresh processes of each kind")
    options.add_argument("--neurons", nargs="+", default=[*REGISTERED, OWN])
    chosen = options.parse_args()
    page = Page("compile_cost", "What the first use of a neuron costs")
    page.notes.append(
        f"Milliseconds of the wall's clock, medians over {chosen.repeats} processes; input "
        f"{list(SHAPE)}, then {[SHAPE[0], OTHER_BATCH, *SHAPE[2:]]}; forward with backward each."
    )
    head = ["neuron", *USES]
    cold = [head]
    for name in chosen.neurons:
        took = repeated([name], chosen.repeats, filled=False)
        cold += rows_of([name], took)
    page.add("Cold: a process each, with an empty cache", "Captured and compiled.", cold)
    together = [name for name in chosen.neurons if name in REGISTERED]
    warm, imports = [head], []
    for names in (together, [name for name in chosen.neurons if name not in together]):
        if names:
            took = repeated(names, chosen.repeats, filled=True)
            warm += rows_of(names, took)
            imports = [f"`{name}` {number(took[name])} ms" for name in IMPORTS]
    words = (
        f"Another process has filled the cache. {', '.join(together)} share a process. Before "
        f"them: {' and '.join(imports)}."
    )
    page.add("Warm: a new process", words, warm)
    page.publish(None, chosen)


def answer(request: dict[str, Any]) -> dict[str, float]:
    """What a child process measures."""
    return first_uses(request["names"], request["uses"])


if __name__ == "__main__":
    import sys

    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(answer(json.loads(sys.argv[2]))))
    else:
        main()
