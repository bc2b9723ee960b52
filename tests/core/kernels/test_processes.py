"""Kernels in threads, forked and spawned workers, racing processes and copies.

The file is a script too: what could hang runs in a process of its own.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

import snncore as snn
from snncore.kernels import use_backend
from snncore.kernels.cpp import CppBackend
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    CppBackend().available() is not None, reason="no working C++ compiler is installed"
)
# A hang is a failure; nothing here takes a tenth of it.
PATIENCE = 240


class Learnt(Neuron):
    def __init__(self, leak=0.4, **options):
        super().__init__(**options)
        self.w = nn.Parameter(torch.tensor([leak, -0.2, 0.1]))

    def charge(self, x, v):
        return v + (x - v) * self.w.sigmoid()


class Adaptive(Neuron):
    states = {"v": 0.0, "b": 0.0}

    def step(self, x, v, b):
        h = 0.7 * v + x
        s = self.surrogate(h - self.v_threshold - 0.5 * b)
        return s, self.reset(h, s), 0.9 * b + 0.1 * s


def network(leak=0.4):
    net = nn.Sequential(Learnt(leak), Adaptive(v_reset=None))
    snn.set_step_mode(net, "m")
    return net


def given(seed, rows=4):
    return 2 * torch.rand(5, rows, 3, generator=torch.Generator().manual_seed(seed))


def train(net, x):
    """Output, and gradients of input and parameters."""
    snn.reset(net)
    net.zero_grad()
    x = x.clone().requires_grad_()
    y = net(x)
    (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
    # Copies, as workers hand on what outlives them.
    return [y.detach().clone(), x.grad.clone(), *(p.grad.clone() for p in net.parameters())]


def expected(leak, x):
    with use_backend("eager"):
        return train(network(leak), x)


def assert_right(found, leak, x):
    y, *grads = expected(leak, x)
    assert torch.equal(found[0], y)
    for a, b in zip(found[1:], grads, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6)


class Trained(Dataset):
    """An item is what training gives in the worker."""

    def __init__(self, rows, *nets):
        self.rows, self.nets = rows, nets

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return [train(net, given(index, self.rows)) for net in self.nets]


def workers(method):
    """One net has run before, in several threads; the other is new to the workers."""
    torch.set_num_threads(2)
    rows, warm, cold = 5000, network(0.4), network(0.3)
    assert_right(train(warm, given(9, rows)), 0.4, given(9, rows))
    loader = DataLoader(
        Trained(rows, warm, cold),
        batch_size=None,
        num_workers=2,
        multiprocessing_context=method,
    )
    for index, found in enumerate(loader):
        for leak, result in zip((0.4, 0.3), found, strict=True):
            assert_right(result, leak, given(index, rows))
    # The parent goes on, with its own memory.
    assert_right(train(warm, given(7, rows)), 0.4, given(7, rows))


def at_once(tasks):
    """Runs tasks in threads that begin together; raises what one of them raised."""
    gate, errors = threading.Barrier(len(tasks)), []

    def run(task):
        try:
            gate.wait()
            task()
        except BaseException as error:  # carried to the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def several():
    """Each thread has a network of its own; all are captured and compiled at once."""
    found = []

    def task(seed):
        net = network()
        found.extend((train(net, given(s)), given(s)) for s in (seed, seed + 8))

    at_once([lambda seed=seed: task(seed) for seed in range(8)])
    assert len(found) == 16
    for result, x in found:
        assert_right(result, 0.4, x)


def one():
    """All threads share a module and pass its state along explicitly."""
    net, found = Learnt(step_mode="m"), {}

    def task(seed):
        x = given(seed)
        (y,), (v,) = net.sequence((x,), net.init_states(x[0]))
        found[seed] = y, v, *torch.autograd.grad(y.sum() + v.sum(), [net.w])

    at_once([lambda seed=seed: task(seed) for seed in range(8)])
    plain = Learnt(step_mode="m", backend="eager")
    for seed, (y, v, grad) in found.items():
        wanted = plain(given(seed))
        assert torch.equal(y, wanted)
        assert torch.equal(v, plain.v)
        (wanted.sum() + plain.v.sum()).backward()
        assert torch.allclose(grad, plain.w.grad, rtol=1e-5, atol=1e-6)
        snn.reset(plain)
        plain.zero_grad()


def race():
    """What one of several processes does, and what they must agree on."""
    found = train(network(), given(0))
    assert_right(found, 0.4, given(0))
    print([tensor.sum().item().hex() for tensor in found])


def compiled():
    """Two threads let torch.compile trace the same kind of network."""
    found = {}

    def task(seed):
        net = network()
        fast = torch.compile(net, backend="aot_eager", fullgraph=True)
        snn.reset(net)
        x = given(seed)
        y = fast(x)
        y.sum().backward()
        found[seed] = y.detach(), *(p.grad for p in net.parameters())

    at_once([lambda seed=seed: task(seed) for seed in range(2)])
    for seed, (y, grad) in found.items():
        with use_backend("eager"):
            net = network()
            wanted = net(given(seed))
        wanted.sum().backward()
        assert torch.equal(y, wanted)
        assert torch.allclose(grad, net[0].w.grad, rtol=1e-5, atol=1e-6)


SCENES = {
    "fork": lambda: workers("fork"),
    "spawn": lambda: workers("spawn"),
    "several": several,
    "one": one,
    "race": race,
    "compiled": compiled,
}


def start(scene, cache, **more):
    """A process with a cold cache, where a fallback to eager is an error."""
    env = {**os.environ, "SNN_CACHE": str(cache), "SNN_KERNELS_STRICT": "1", **more}
    return subprocess.Popen(
        [sys.executable, __file__, scene],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"no end after {PATIENCE} s\n{err[-3000:]}")
    assert process.returncode == 0, err[-3000:]
    return out


@pytest.mark.slow
@pytest.mark.parametrize("scene", ["fork", "spawn"])
def test_workers_of_a_loader_train_as_eager_does(scene, tmp_path):
    finish(start(scene, tmp_path, OMP_NUM_THREADS="2"))


@pytest.mark.parametrize("scene", ["one", pytest.param("several", marks=pytest.mark.slow)])
def test_threads_on_a_cold_cache_get_what_eager_gives(scene, tmp_path):
    finish(start(scene, tmp_path))


@pytest.mark.slow
def test_two_threads_may_compile_at_once(tmp_path):
    finish(start("compiled", tmp_path))


@pytest.mark.slow
def test_processes_racing_on_a_cold_cache_agree(tmp_path):
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    said = finish(start("race", alone))
    racers = [start("race", shared) for _ in range(4)]
    assert {finish(racer) for racer in racers} == {said}
    # One of each, and nothing half done.
    kept = [sorted(p.name for p in (place / "kernels").iterdir()) for place in (alone, shared)]
    assert kept[0] == kept[1]


def test_a_capture_leaves_the_module_to_other_threads(monkeypatch):
    class Watched(Learnt):
        def charge(self, x, v):
            return v + (x - v) * torch.sigmoid(self.w)

    net, seen, inner = Watched(step_mode="m"), [], torch.sigmoid
    w = net.w
    # What another thread would find while the step is traced.
    monkeypatch.setattr(torch, "sigmoid", lambda x: seen.append(net.w is w) or inner(x))
    net(given(0))
    assert seen
    assert all(seen)


def test_copies_made_in_the_middle_of_training_go_on_alike():
    net = network()
    train(net, given(0))
    twins = [net, copy.deepcopy(net), pickle.loads(pickle.dumps(net)), copy.deepcopy(net)]
    nn.init.constant_(twins[-1][0].w, 0.25)
    for seed in (1, 2):
        found = [train(twin, given(seed)) for twin in twins]
        assert_right(found[0], 0.4, given(seed))
        for other in found[1:3]:
            assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))
        assert not torch.equal(found[0][1], found[3][1])


if __name__ == "__main__":
    SCENES[sys.argv[1]]()
