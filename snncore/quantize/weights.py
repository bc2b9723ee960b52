"""Quantisation-aware training: quantisers on the weights of a network, and in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from snncore.config import info
from snncore.errors import ConfigError
from snncore.quantize.observed import Observed
from snncore.quantize.quantizer import Quantizer, as_quantizer

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_LAYERS = (nn.Linear, *_CONVOLUTIONS, *_TRANSPOSED)


def quantize_weights(
    net: nn.Module, quantizer: str | Mapping[str, Any] | None = None, *, per_channel: bool = False
) -> tuple[str, ...]:
    """Puts a quantiser of its own on the weight of every linear layer and convolution.

    A layer then computes with Q(weight), which is ``layer.weight``; the float weight that the
    optimiser trains is ``layer.parametrizations.weight.original``. Biases stay as they are. A
    layer whose weight has a quantiser already is left alone. Networks with quantised weights are
    copied by ``copy.deepcopy`` and saved by their state_dict; torch cannot pickle them whole.

    Args:
        net: changed in place.
        quantizer: a name, or a table with ``name`` and parameters; default is 8 bits, symmetric,
            over the current range of the weight.
        per_channel: whether each output channel has a scale of its own.
    Returns: the paths of the weights.
    Raises: ConfigError when there is no such layer, or per_channel and the quantiser has no
        parameter ``channels``; as :func:`snncore.build`.
    Example:
        >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> quantize_weights(net, {"name": "lsq", "bits": 4}, per_channel=True)
        ('0.weight', '2.weight')

    Source: Jacob et al., Quantization and training of neural networks for efficient
        integer-arithmetic-only inference, CVPR 2018, Section 3.
    """
    spec = quantizer or {"name": "observed", "observer": "moving_average", "momentum": 1.0}
    table = {"name": spec} if isinstance(spec, str) else dict(spec)
    layers = {path: m for path, m in net.named_modules() if isinstance(m, _LAYERS)}
    if not layers:
        raise ConfigError(
            f"quantize_weights found no linear layer or convolution in {type(net).__name__}"
        )
    if per_channel and not _takes_channels(str(table.get("name"))):
        raise ConfigError(
            f"quantizer {table['name']} has no parameter 'channels', so it cannot quantise per "
            "channel; take observed or lsq, or per_channel=False"
        )
    done: list[str] = []
    for path, layer in layers.items():
        if parametrize.is_parametrized(layer, "weight"):
            continue
        own = as_quantizer({**table, **(_channels(layer) if per_channel else {})})
        # It sees the weight once here, so that scales are there from the beginning.
        parametrize.register_parametrization(layer, "weight", own.to(layer.weight.device))
        own.train(layer.training)
        done.append(f"{path}.weight".lstrip("."))
    return tuple(done)


def quantizers(net: nn.Module) -> Iterator[tuple[str, Quantizer]]:
    """Every quantiser of a network with its path, wherever it is nested."""
    for path, module in net.named_modules():
        if isinstance(module, Quantizer):
            yield path, module


def enable(net: nn.Module, on: bool = True) -> None:
    """Switches all fake quantisation of a network on, or off: then floats pass as they are."""
    for _, quantizer in quantizers(net):
        quantizer.enabled = on


def freeze(net: nn.Module, on: bool = True) -> None:
    """Keeps the scales of all quantisers of a network as they are, or lets them move again."""
    for _, quantizer in quantizers(net):
        quantizer.freeze(on)


@contextmanager
def calibrating(net: nn.Module) -> Iterator[None]:
    """Within it, observing quantisers look at values in evaluation mode too.

    Example:
        >>> net = nn.Sequential(nn.Linear(4, 2), Observed()).eval()
        >>> with calibrating(net):
        ...     _ = net(torch.rand(8, 4))
        >>> net[1].ready
        True
    """
    watching = [q for _, q in quantizers(net) if isinstance(q, Observed)]
    before = [q.calibrating for q in watching]
    for quantizer in watching:
        quantizer.calibrating = True
    try:
        yield
    finally:
        for quantizer, was in zip(watching, before, strict=True):
            quantizer.calibrating = was


def _takes_channels(name: str) -> bool:
    return any(p.name == "channels" for p in info("quantizer", name).parameters)


def _channels(layer: nn.Module) -> dict[str, int]:
    axis = 1 if isinstance(layer, _TRANSPOSED) else 0
    return {"channels": layer.weight.shape[axis], "channel_axis": axis}  # pyright: ignore
