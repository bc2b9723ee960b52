"""A network that does what the attribute ``does`` of its file says."""

import multiprocessing
import os
from types import SimpleNamespace

import h5py
import numpy as np
from lava.lib.dl.slayer.neuron.rf import neuron_params  # noqa: F401
from lava.magma.compiler.var_model import CoreEncoder  # noqa: F401
from lava.magma.core.process.ports.ports import ReshapePort


class Port:
    def __init__(self, shape, owner):
        self.shape = tuple(shape)
        self.owner = owner
        self.other = None

    def connect(self, other):
        assert self.shape == other.shape, f"{self.shape} is connected to {other.shape}"
        self.other, other.other = other, self


def waits_forever():
    os.read(os.pipe()[0], 1)


class Network:
    def __init__(self, net_config, input_message_bits, reset_interval, reset_offset):
        with h5py.File(net_config) as file:
            self.does = file.attrs["does"]
            kinds = [file[f"layer/{i}/type"][0].decode() for i in range(len(file["layer"]))]
            shapes = [file[f"layer/{i}/shape"][()] for i in range(len(file["layer"]))]
        self.layers = [kind for kind in kinds if kind in ("dense", "dense_rec", "conv")]
        self.inp = Port([int(size) for size in shapes[0][::-1]], self)
        if "flatten" in kinds:
            self.inp = Port([int(np.prod(shapes[0]))], self)
        self.out = Port([int(size) for size in shapes[-1][::-1]], self)
        self.held = f"{net_config}.held"
        self.given = (input_message_bits, reset_interval, reset_offset)
        self.runtime = SimpleNamespace(_messaging_infrastructure=SimpleNamespace(actors=[]))

    def run(self, condition, run_cfg):
        x = self.inp.other.owner.data
        assert x.shape[-1] == condition.num_steps
        assert run_cfg.select_tag == "fixed_pt"
        getattr(self, f"does_{self.does}")(x, run_cfg)

    def does_repeat(self, x, run_cfg):
        """What it was given, a step later for each layer."""
        late = len(self.layers)
        found = np.zeros_like(x, dtype=float)
        found[..., late:] = x[..., : x.shape[-1] - late]
        # What the repair of the ports is for, forth and back.
        port = ReshapePort((-1, x.shape[-1]), found.shape)
        self.out.other.owner.found = port.backward()(port.forward()(found))

    def does_count(self, x, run_cfg):
        """The number of the step."""
        shape = (*self.out.shape, x.shape[-1])
        self.out.other.owner.found = np.broadcast_to(np.arange(x.shape[-1]) + 1.0, shape)

    def does_tell(self, x, run_cfg):
        raise ValueError(f"{self.given} {type(run_cfg).__name__}")

    def starts_another(self):
        """A second process, which like this one holds the pipe beside the file."""
        self.pipe = open(self.held, "w")  # noqa: SIM115
        multiprocessing.get_context("fork").Process(target=waits_forever).start()

    def does_fail_early(self, x, run_cfg):
        self.runtime = None
        raise OverflowError("said before there is a runtime")

    def does_fail_inside(self, x, run_cfg):
        self.starts_another()
        trace = "Traceback (most recent call last):\nTypeError: said by a process of the runtime"
        actors = self.runtime._messaging_infrastructure.actors
        actors += [SimpleNamespace(exception=None), SimpleNamespace(exception=(None, trace))]
        raise RuntimeError("1 Exception(s) occurred. See output above for details.")

    def does_wait(self, x, run_cfg):
        self.starts_another()
        waits_forever()

    def does_die(self, x, run_cfg):
        print("no memory left", file=os.fdopen(2, "w"), flush=True)
        os._exit(7)

    def stop(self):
        pass
