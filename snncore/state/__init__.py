"""Memory state: who holds it, and how a network resets, detaches, saves and passes it."""

from snncore.state.memory import MemoryModule as MemoryModule
from snncore.state.pure import functional as functional
from snncore.state.unroll import unroll as unroll
from snncore.state.walks import detach as detach
from snncore.state.walks import memories as memories
from snncore.state.walks import reset as reset
from snncore.state.walks import restore as restore
from snncore.state.walks import snapshot as snapshot
