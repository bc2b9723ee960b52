"""Layers of SpikingJelly, its parallel neurons and its readouts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from oracle.pair import Drawn, Pair, Variant, drive
from oracle.peer import implant, module
from oracle.side import Leaves, Run, Side, layer, once
from oracle.spikingjelly_surrogates import LIBRARY, spike_function

Renaming = Callable[[Leaves], Mapping[str, Tensor]]


def made_of(path: str) -> Any:
    """A module of theirs."""
    return module(f"spikingjelly.activation_based.{path}")


def runs_of(made: Any, modes: tuple[str, ...]) -> dict[str, Run]:
    """Their layer at once and step by step, from its beginning."""
    functional = made_of("functional")

    def whole(x: Tensor) -> Tensor:
        functional.set_step_mode(made, "m")
        functional.reset_net(made)
        return made(x)

    def steps(x: Tensor) -> Tensor:
        functional.set_step_mode(made, "s")
        functional.reset_net(made)
        return torch.stack([made(now) for now in x.unbind(0)])

    known = {"m": ("at once", whole), "s": ("step by step", steps)}
    return {name: once(run) for name, run in (known[mode] for mode in modes)}


def renamed(table: Mapping[str, str]) -> Renaming:
    """Our parameters by their names; what is not in the table has the same."""
    return lambda leaves: {table.get(name, name): value for name, value in leaves.items()}


_AS_THEY_ARE = renamed({})
_FIRING = {"neuron": {"name": "lif", "surrogate": "sigmoid"}}


def row(
    name: str,
    theirs: str,
    make: Callable[[Variant], Any],
    variants: tuple[Variant, ...],
    shape: tuple[int, ...],
    *,
    kind: str = "layer",
    modes: str = "ms",
    gain: float = 1.0,
    parameters: Renaming = _AS_THEY_ARE,
    draws: Drawn | None = None,
    spikes: bool = False,
    mapping: str = "",
) -> Pair:
    """A pair of layers that compute on sequences."""

    def peer(settings: Variant, leaves: Leaves) -> Side:
        made = make(settings).double()
        for path, value in parameters(leaves).items():
            implant(made, path, value)
        return Side(runs_of(made, tuple(modes)), leaves)

    return Pair(
        kind=kind,
        name=name,
        library=LIBRARY,
        theirs=theirs,
        ours=lambda settings: layer(kind, name, settings, stepwise="s" in modes, gain=gain),
        peer=peer,
        variants=variants,
        draws=draws or drive(shape, -1.0, 2.0),
        mapping=mapping,
        spikes=spikes,
    )


def binary(shape: tuple[int, ...]) -> Drawn:
    """Random spikes."""
    return lambda generator: (
        torch.rand(shape, dtype=torch.float64, generator=generator) < 0.4
    ).double()


def _parallel() -> list[Pair]:
    atan = spike_function
    neurons = "neuron"

    def psn(settings: Variant) -> Any:
        return made_of(neurons).PSN(settings["T"], atan("atan"))

    def masked(settings: Variant) -> Any:
        k, steps, closed = settings["k"], settings["T"], settings["lambda_"]
        return made_of(neurons).MaskedPSN(k, steps, closed, atan("atan"))

    def sliding(settings: Variant) -> Any:
        return made_of(neurons).SlidingPSN(settings["k"], surrogate_function=atan("atan"))

    shape = (8, 3, 5)
    strong = drive(shape, -3.0, 5.0)
    half = {"T": 8, "k": 3, "lambda_": 0.5}
    closed = {"T": 8, "k": 3, "lambda_": 1.0}
    options: dict[str, Any] = {"kind": "neuron", "draws": strong, "spikes": True}
    return [
        row("psn", "PSN", psn, ({"T": 8},), shape, modes="m", **options),
        row(
            "masked_psn",
            "MaskedPSN (lambda < 1)",
            masked,
            (half,),
            shape,
            modes="m",
            **options,
        ),
        row("masked_psn", "MaskedPSN (lambda = 1)", masked, (closed,), shape, **options),
        row("sliding_psn", "SlidingPSN", sliding, ({"k": 2}, {"k": 4}), shape, **options),
    ]


def _readouts() -> list[Pair]:
    decodes = {
        "sequence": None,
        "max_mem": "max-mem",
        "max_abs_mem": "max-abs-mem",
        "mean_mem": "mean-mem",
        "last_mem": "last_mem",
    }

    def pair(name: str, theirs: str, settings: Variant) -> Pair:
        def peer(variant: Variant, leaves: Leaves) -> Side:
            cls = getattr(made_of("neuron"), theirs)
            kwargs = {n: v for n, v in variant.items() if n != "decode"}
            made = cls(decode=decodes[variant["decode"]], **kwargs)

            def run(x: Tensor) -> Tensor:
                y = made(x)
                return y if isinstance(y, Tensor) else torch.stack(y)

            return Side({"at once": once(run)}, leaves)

        return Pair(
            kind="neuron",
            name=name,
            library=LIBRARY,
            theirs=theirs,
            ours=lambda variant: layer("neuron", name, variant, stepwise=False),
            peer=peer,
            variants=tuple({**settings, "decode": decode} for decode in decodes),
            draws=drive(low=-2.0, high=2.0),
            mapping="`decode` max_mem is `max-mem` and so on; their None is sequence",
            spikes=False,
        )

    return [
        pair("integrator", "NonSpikingIFNode", {}),
        pair("leaky_integrator", "NonSpikingLIFNode", {"tau": 2.5}),
    ]


def _norms() -> list[Pair]:
    features = {"num_features": 3}
    found = []
    for n, rest in ((1, (5,)), (2, (4, 4)), (3, (2, 3, 3))):
        shape = (6, 4, 3, *rest)

        def threshold_dependent(settings: Variant, n: int = n) -> Any:
            cls = getattr(made_of("layer"), f"ThresholdDependentBatchNorm{n}d")
            return cls(settings["alpha"], settings["v_threshold"], settings["num_features"])

        def effective(settings: Variant, n: int = n) -> Any:
            cls = getattr(made_of("layer"), f"TemporalEffectiveBatchNorm{n}d")
            return cls(settings["T"], settings["num_features"])

        def through_time(settings: Variant, n: int = n) -> Any:
            cls = getattr(made_of("layer"), f"BatchNormThroughTime{n}d")
            return cls(settings["T"], settings["num_features"])

        found += [
            row(
                f"tdbn{n}d",
                f"ThresholdDependentBatchNorm{n}d",
                threshold_dependent,
                ({**features, "alpha": 0.7, "v_threshold": 0.5},),
                shape,
                modes="m",
            ),
            row(
                "tebn",
                f"TemporalEffectiveBatchNorm{n}d",
                effective,
                ({**features, "T": 6},),
                shape,
                modes="m",
                parameters=renamed({"p": "scale", "norm.weight": "weight", "norm.bias": "bias"}),
            ),
            row(
                "bntt",
                f"BatchNormThroughTime{n}d",
                through_time,
                ({**features, "T": 6},),
                shape,
                parameters=lambda leaves: {
                    name.replace("norms", "bn_list"): value for name, value in leaves.items()
                },
            ),
        ]
    return found


def _attention() -> list[Pair]:
    gate = {"gate.down.weight": "sharedMLP.0.weight", "gate.up.weight": "sharedMLP.2.weight"}

    def spatial(leaves: Leaves) -> dict[str, Tensor]:
        table = {
            "temporal.gate.down.weight": "ta.sharedMLP.0.weight",
            "temporal.gate.up.weight": "ta.sharedMLP.2.weight",
            "channel.down.weight": "ca.sharedMLP.0.weight",
            "channel.up.weight": "ca.sharedMLP.2.weight",
        }
        found = {theirs: leaves[name][..., None, None, None] for name, theirs in table.items()}
        return {**found, "sa.conv.weight": leaves["spatial.weight"]}

    def temporal(settings: Variant) -> Any:
        return made_of("layer").TemporalWiseAttention(settings["T"], settings["reduction"])

    def everywhere(settings: Variant) -> Any:
        return made_of("layer").MultiDimensionalAttention(
            settings["T"], settings["C"], settings["reduction_t"], settings["reduction_c"]
        )

    size = {"T": 6, "C": 4, "reduction_t": 2, "reduction_c": 2}
    return [
        row(
            "temporal_attention",
            "TemporalWiseAttention",
            temporal,
            ({"T": 6, "reduction": 2},),
            (6, 3, 4, 5, 5),
            modes="m",
            parameters=renamed(gate),
        ),
        row(
            "multi_dimensional_attention",
            "MultiDimensionalAttention",
            everywhere,
            (size,),
            (6, 3, 4, 5, 5),
            modes="m",
            parameters=spatial,
        ),
    ]


def _mixing(name: str, theirs: str, first: str, options: Variant) -> Pair:
    parts = {"conv": "0", "norm": "1"}

    def parameters(leaves: Leaves) -> dict[str, Tensor]:
        found = {}
        for path, value in leaves.items():
            block, part, kind = path.split(".")
            owner = "proj_conv_bn" if block == "out" else f"{first}_conv_bn"
            found[f"{owner}.{parts[part]}.{kind}"] = value
        return found

    return row(
        name,
        theirs,
        lambda settings: getattr(made_of("layer"), theirs)(settings["dim"], settings["num_heads"]),
        (
            {
                "dim": 32,
                "num_heads": 2,
                "neuron": {"name": "lif", "surrogate": "sigmoid"},
                **options,
            },
        ),
        (6, 3, 32, 20),
        modes="m",
        parameters=parameters,
        spikes=True,
        gain=4.0,
    )


def _spike_driven() -> Pair:
    def parameters(leaves: Leaves) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for part, theirs in (("conv", "conv"), ("norm", "bn")):
            for kind in ("weight", "bias") if part == "norm" else ("weight",):
                wide = (..., None) if part == "conv" else (...,)
                chunks = leaves[f"qkv.{part}.{kind}"][wide].chunk(3)
                found |= {f"{n}_{theirs}.{kind}": c for n, c in zip("qkv", chunks, strict=True)}
                found[f"proj_{theirs}.{kind}"] = leaves[f"out.{part}.{kind}"][wide]
        # Their last convolution has a bias, which the norm behind it takes away.
        found["proj_conv.bias"] = torch.zeros(8, dtype=torch.float64)
        return found

    def make(settings: Variant) -> Any:
        inner = made_of("layer").SpikeDrivenSelfAttention(settings["dim"])
        return _Flat(inner)

    return row(
        "spike_driven_attention",
        "SpikeDrivenSelfAttention",
        make,
        ({"dim": 8, **_FIRING},),
        (6, 3, 8, 20),
        modes="m",
        parameters=lambda leaves: {f"inner.{n}": v for n, v in parameters(leaves).items()},
        mapping="places in one axis; the bias before their last norm is 0",
        gain=4.0,
    )


class _Flat(nn.Module):
    """Their module for images, on sequences of tokens."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.unsqueeze(-1)).squeeze(-1)


def pairs() -> list[Pair]:
    """All of them."""

    def filtered(settings: Variant) -> Any:
        return made_of("layer").SynapseFilter(settings["tau"], settings.get("learnable", False))

    def normalised(settings: Variant) -> Any:
        return made_of("layer").NeuNorm(4, 5, 5, settings["k"], settings["shared"])

    image = {"channels": 4, "height": 5, "width": 5, "k": 0.8}
    return [
        *_parallel(),
        *_readouts(),
        *_norms(),
        *_attention(),
        _mixing("spiking_self_attention", "SpikingSelfAttention", "qkv", {}),
        _mixing("qk_attention", "TokenQKAttention", "qk", {"form": "token"}),
        _mixing("qk_attention", "ChannelQKAttention", "qk", {"form": "channel"}),
        _spike_driven(),
        row(
            "synapse_filter",
            "SynapseFilter",
            filtered,
            ({"tau": 3.0}, {"tau": 3.0, "learnable": True}),
            (10, 3, 5),
            draws=binary((10, 3, 5)),
        ),
        row(
            "neu_norm",
            "NeuNorm",
            normalised,
            ({**image, "shared": False}, {**image, "shared": True}),
            (6, 3, 4, 5, 5),
            draws=binary((6, 3, 4, 5, 5)),
        ),
        row(
            "delay",
            "Delay",
            lambda settings: made_of("layer").Delay(settings["delay"]),
            ({"delay": 0}, {"delay": 3}),
            (8, 3, 5),
        ),
        row(
            "voting",
            "VotingLayer",
            lambda settings: made_of("layer").VotingLayer(settings["n"]),
            ({"n": 5},),
            (6, 3, 20),
        ),
    ]
