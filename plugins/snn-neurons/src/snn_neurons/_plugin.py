"""What this distribution registers."""

from __future__ import annotations

from snncore.hookspecs import Register, hookimpl

API = 1

_COMPONENTS = (
    ("neuron", "alif", "alif:ALIF", "leaky integrate-and-fire with a threshold that adapts"),
    ("neuron", "if", "integrate_fire:IF", "integrate-and-fire"),
    ("neuron", "izhikevich", "izhikevich:Izhikevich", "quadratic membrane, recovery current"),
    ("neuron", "lif", "lif:LIF", "leaky integrate-and-fire"),
    ("neuron", "plif", "plif:PLIF", "leaky integrate-and-fire with learnable time constant"),
    ("encoder", "constant_current", "constant_current:ConstantCurrent", "the value at every step"),
    ("encoder", "latency", "latency:Latency", "one spike, earlier for larger values"),
    ("encoder", "poisson", "poisson:Poisson", "random spikes with the value as probability"),
)


@hookimpl
def snn_components(register: Register) -> None:
    for kind, name, target, summary in _COMPONENTS:
        register(kind, name, f"snn_neurons.{target}", summary=summary)
