"""``snn verify``."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from snncore.chip import ParityReport, Toolchain, compare, parity, save
from snncore.chip.comparison import Policy
from snncore.cli import deployment, samples, settings
from snncore.cli.console import print_json, stdout
from snncore.cli.deployment import Deployment, Source
from snncore.cli.failure import FAILED, WrongUsage
from snncore.cli.options import (
    Batch,
    Chip,
    ChipSet,
    Input,
    Json,
    Rate,
    Seed,
    Set,
    Shape,
    Steps,
    Untrained,
)
from snncore.errors import ToolchainMissing


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL|FILE", help=deployment.HELP)],
    *,
    chip: Chip,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(get_args(Policy)),
            help="How like they must be; default is behavioural, and exact beside a toolchain.",
        ),
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(min=0.0, help="Allowed difference of --policy rounded.")
    ] = None,
    with_: Annotated[
        str | None,
        typer.Option("--with", metavar="TOOLCHAIN", help="Compare with the vendor's software."),
    ] = None,
    python: Annotated[
        str | None, typer.Option(metavar="EXE", help="The Python that has the toolchain.")
    ] = None,
    input_: Input = None,
    steps: Steps = None,
    batch: Batch = None,
    rate: Rate = None,
    seed: Seed = None,
    set_: Set = None,
    chip_set: ChipSet = None,
    shape: Shape = None,
    untrained: Untrained = False,
    json: Json = False,
) -> None:
    """Compare a network with what a chip makes of it, or our simulator with the vendor's."""
    chosen = _policy(policy, "behavioural" if with_ is None else "exact", tolerance)
    exchange = deployment.open_chip(chip, chip_set)
    toolchain = None
    if with_ is not None:
        toolchain = _toolchain(exchange.toolchain(_interpreter(python)), with_, chip)
    elif python is not None:
        raise WrongUsage("--python is where a toolchain lies; name one, as --with TOOLCHAIN")
    elif deployment.is_file(model):
        raise WrongUsage(
            f"{model} holds a program, not the network that it was made of; name the model, or "
            "compare with the vendor's software, as --with TOOLCHAIN"
        )
    deployed = deployment.deploy(
        exchange,
        Source(model, settings.parse(set_ or ()), untrained),
        shape,
        input_,
        {"steps": steps, "batch": batch, "rate": rate, "seed": seed},
    )
    with samples.running(model, deployed.x.shape):
        if toolchain is not None:
            found = _beside(toolchain, deployed, model, chosen, tolerance or 0.0)
        else:
            assert deployed.graph is not None
            found = parity(exchange, deployed.graph, deployed.x, chosen, tolerance=tolerance or 0.0)
    _print(found, f"{model} on {chip}", with_, json)
    if not found.ok:
        raise typer.Exit(FAILED)


def _policy(word: str | None, default: Policy, tolerance: float | None) -> Policy:
    known = get_args(Policy)
    chosen = default if word is None else word
    if chosen not in known:
        raise WrongUsage(f"--policy is {', '.join(known[:-1])} or {known[-1]}; got {word!r}")
    if tolerance is not None and chosen != "rounded":
        raise WrongUsage(f"--tolerance is of --policy rounded, and the policy is {chosen}")
    return cast("Policy", chosen)


def _interpreter(word: str | None) -> Path | None:
    if word is None:
        return None
    found = shutil.which(word)
    if found is None:
        raise WrongUsage(f"--python names a program that can be run; there is no {word}")
    return Path(found)


def _toolchain(found: Toolchain | None, wanted: str, chip: str) -> Toolchain:
    """Raises: WrongUsage for a name that the chip does not have; ToolchainMissing."""
    if found is None:
        raise WrongUsage(
            f"{chip} has no toolchain {wanted!r}; it has none at all, leave --with out"
        )
    if found.name != wanted:
        raise WrongUsage(f"{chip} has no toolchain {wanted!r}; it has {found.name}")
    reason = found.available()
    if reason is not None:
        raise ToolchainMissing(f"{found.name} cannot run: {reason}")
    return found


def _beside(
    toolchain: Toolchain, deployed: Deployment, model: str, policy: Policy, tolerance: float
) -> ParityReport:
    chip, program, x = deployed.chip, deployed.program, deployed.x
    simulated = chip.simulate(program, x, tuple(chip.layers(program)))
    with tempfile.TemporaryDirectory(prefix="snn-verify-") as folder:
        path = Path(model)
        if deployed.graph is not None:
            path = Path(folder, f"network.{chip.capabilities().name}")
            save(chip, program, path)
        ran = toolchain.run(path, x)
    return compare(simulated, ran, policy, tolerance=tolerance)


def _print(found: ParityReport, what: str, toolchain: str | None, json: bool) -> None:
    against = "the network itself" if toolchain is None else toolchain
    if json:
        print_json({"schema": 1, "ok": found.ok, "with": toolchain, **asdict(found)})
        return
    stdout().print(f"{what} beside {against}", markup=False, soft_wrap=True)
    stdout().print(str(found), markup=False, soft_wrap=True, style="" if found.ok else "red")
