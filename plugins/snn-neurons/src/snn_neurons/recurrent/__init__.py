"""Recurrent layers whose gates fire.

Importing this package imports no torch; a name imports its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from snn_neurons.recurrent.gru import SpikingGRU as SpikingGRU
    from snn_neurons.recurrent.gru import SpikingGRUCell as SpikingGRUCell
    from snn_neurons.recurrent.lstm import SpikingLSTM as SpikingLSTM
    from snn_neurons.recurrent.lstm import SpikingLSTMCell as SpikingLSTMCell
    from snn_neurons.recurrent.rnn import SpikingRNN as SpikingRNN
    from snn_neurons.recurrent.rnn import SpikingRNNCell as SpikingRNNCell

_HOME = {
    "SpikingGRU": "gru",
    "SpikingGRUCell": "gru",
    "SpikingLSTM": "lstm",
    "SpikingLSTMCell": "lstm",
    "SpikingRNN": "rnn",
    "SpikingRNNCell": "rnn",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'snn_neurons.recurrent' has no attribute {name!r}")
    return getattr(importlib.import_module(f"snn_neurons.recurrent.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
