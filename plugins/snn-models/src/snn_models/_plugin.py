"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl

API = 1

_MODELS = (
    ("mlp", "mlp:MLP", "fully connected spiking network"),
    ("convnet", "convnet:ConvNet", "convolution blocks, then fully connected layers"),
    ("rsnn", "rsnn:RSNN", "recurrent layers of spiking neurons"),
)


@hookimpl
def snn_components(register: Register) -> None:
    for name, target, summary in _MODELS:
        register("model", name, f"snn_models.{target}", summary=summary)
