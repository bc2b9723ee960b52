"""The pool of buffers: when memory is used again, and above all when it is not."""

from __future__ import annotations

import copy
import gc
import io
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import snncore as snn
from snncore.errors import ConfigError
from snncore.kernels import pool as module
from snncore.kernels.pool import SMALLEST, Pool, size_class
from snncore.neuron import Neuron

pytestmark = pytest.mark.skipif(
    not module._possible(), reason="the pool is off where memory cannot be mapped privately"
)
MIB = 1 << 20
WIDE = (2, 1 << 18)  # 2 MiB of float32: exactly one buffer of the smallest size
DTYPES = [
    torch.float32,
    torch.float64,
    torch.float16,
    torch.bfloat16,
    torch.uint8,
    torch.int32,
    torch.int64,
    torch.bool,
    torch.complex64,
]


@pytest.fixture
def pool():
    return Pool(64 * MIB)


def take(pool, value=None, shape=WIDE, dtype=torch.float32):
    made = pool.empty(shape, dtype)
    return made if value is None else made.fill_(value)


def test_memory_is_used_again_once_the_tensor_is_dead(pool):
    first = take(pool, 7.0)
    place = first.data_ptr()
    del first
    assert pool.info().held == 2 * MIB
    second = take(pool)
    assert second.data_ptr() == place
    # Not cleared: whoever takes it writes all of it.
    assert (second == 7.0).all()
    assert pool.info() == module.Info(64 * MIB, held=0, lent=2 * MIB, made=1, reused=1)


def test_two_living_tensors_never_share(pool):
    tensors = [take(pool, float(i)) for i in range(8)]
    assert len({t.data_ptr() for t in tensors}) == 8
    assert [t.unique().tolist() for t in tensors] == [[float(i)] for i in range(8)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_pooled_tensor_looks_like_one_of_torch(pool, dtype):
    shape = (3, MIB, 1)
    made, plain = pool.empty(shape, dtype), torch.empty(shape, dtype=dtype)
    for ask in (
        lambda t: (t.shape, t.dtype, t.stride(), t.device, t.storage_offset()),
        lambda t: (t.is_contiguous(), t._is_view(), t.requires_grad, t.is_leaf),
        lambda t: t.untyped_storage().nbytes(),
    ):
        assert ask(made) == ask(plain)
    made.zero_()
    assert not made.any()


def test_buffers_start_on_a_huge_page(pool):
    assert [take(pool).data_ptr() % (2 * MIB) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("shape", [(), (0,), (5, 0, MIB), (SMALLEST // 4 - 1,)])
def test_small_tensors_are_torchs_own(pool, shape):
    made = pool.empty(shape, torch.float32)
    assert made.shape == shape
    assert pool.info().made == 0
    # Those of the pool cannot grow.
    made.resize_(MIB)


def test_the_smallest_size_of_the_pool(pool):
    pool.empty((SMALLEST // 4,), torch.float32)
    assert pool.info().made == 1


def test_growing_raises_as_documented(pool):
    with pytest.raises(RuntimeError, match="not resizable"):
        take(pool).resize_(MIB)


@given(st.integers(1, 1 << 40))
def test_size_classes_hold_what_is_asked_and_waste_little(count):
    size = size_class(count)
    assert size >= count
    assert size % (2 * MIB) == 0
    assert size - count < 2 * MIB or size - count <= count / 8
    assert size_class(size) == size


def test_size_classes_are_few():
    assert len({size_class(n) for n in range(MIB, 16 * MIB, MIB // 2)}) == 8
    assert len({size_class(n) for n in range(16 * MIB + 1, 32 * MIB, MIB // 4)}) == 8
    assert [size_class(n * MIB) // MIB for n in (1, 2, 3, 16, 17, 33, 64, 65)] == [
        2, 2, 4, 16, 18, 36, 64, 72,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "hold",
    [
        lambda t: t[1, 5:],
        lambda t: t.view(-1),
        lambda t: t.t(),
        lambda t: t.detach(),
        lambda t: t.numpy(),
        lambda t: t[0].numpy()[::2],
        lambda t: memoryview(t.numpy()),
        lambda t: np.asarray(t.numpy()).reshape(-1)[3:][1:],
        lambda t: t.untyped_storage(),
        lambda t: t.view(torch.int32),
        lambda t: torch.utils.dlpack.to_dlpack(t),
        lambda t: torch.from_numpy(t.numpy()),
        lambda t: torch.nn.Parameter(t),
    ],
    ids=[
        "slice", "view", "transpose", "detach", "numpy", "numpy-slice", "memoryview",
        "numpy-chain", "storage", "dtype-view", "dlpack", "from-numpy", "parameter",
    ],
)  # fmt: skip
def test_nothing_is_used_again_under_a_live_view(pool, hold):
    tensor = take(pool, 3.0)
    place = tensor.data_ptr()
    held = hold(tensor)
    del tensor
    others = [take(pool, 9.0) for _ in range(3)]
    assert place not in {t.data_ptr() for t in others}
    del held
    assert take(pool).data_ptr() == place


def test_saved_for_backward_keeps_its_memory(pool):
    x = torch.full(WIDE, 2.0, requires_grad=True)
    factor = take(pool, 5.0)
    y = x * factor
    del factor
    for _ in range(5):
        take(pool, float("nan"))
    y.sum().backward()
    assert (x.grad == 5.0).all()


def test_what_a_function_gives_out_may_be_changed_in_place(pool):
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.mul(x, 2, out=pool.empty(x.shape, x.dtype))

        @staticmethod
        def backward(ctx, g):
            return torch.mul(g, 2, out=pool.empty(g.shape, g.dtype))

    x = torch.linspace(-1, 1, 2 << 18).reshape(WIDE).requires_grad_()
    y = Double.apply(x)
    y.mul_(3)
    y.relu_()
    y.sum().backward()
    assert torch.equal(x.grad, 6.0 * (x > 0))


def test_a_parameter_may_take_over_a_pooled_tensor(pool):
    layer = torch.nn.Linear(512, 1024)
    layer.weight.data = take(pool, 0.5, shape=(1024, 512))
    for _ in range(3):
        take(pool, float("nan"))
    assert (layer.weight == 0.5).all()
    layer.load_state_dict({k: torch.ones_like(v) for k, v in layer.state_dict().items()})
    assert (layer.weight == 1).all()


def test_a_deep_copy_has_its_own_memory(pool):
    tensor = take(pool, 4.0)
    twin = copy.deepcopy(tensor)
    del tensor
    take(pool, float("nan"))
    assert (twin == 4.0).all()


def test_saving_writes_the_tensor_and_nothing_beside(pool):
    tensor = take(pool, 6.0, shape=(3, 100_000))
    file = io.BytesIO()
    torch.save(tensor, file)
    assert file.tell() < tensor.nbytes + 10_000
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=True), tensor)


def test_shared_memory_takes_a_copy_and_frees_the_buffer(pool):
    tensor = take(pool, 8.0)
    place = tensor.data_ptr()
    tensor.share_memory_()
    assert take(pool, float("nan")).data_ptr() == place
    assert (tensor == 8.0).all()


def test_a_reference_cycle_gives_its_memory_back(pool):
    ring = [take(pool)]
    ring.append(ring)
    del ring
    gc.collect()
    assert pool.info().held == 2 * MIB


def test_eight_threads_never_see_each_others_values(pool):
    wrong: list[int] = []

    def work(number):
        torch.manual_seed(number)
        kept = []
        for turn in range(100):
            tensor = take(pool, number * 1000.0 + turn, shape=((1, 1, 2)[turn % 3], 1 << 18))
            kept = [*kept[-2:], (tensor, number * 1000.0 + turn)]
            if turn % 10 == 9:
                wrong.extend(number for t, value in kept if not (t == value).all())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    now = pool.info()
    assert (now.lent, now.made + now.reused) == (0, 800)
    assert 0 < now.held <= pool.limit


def test_a_tensor_may_die_while_the_pool_is_busy(pool):
    """Its callback runs inside any allocation, so also while this thread holds the lock."""
    tensor = take(pool)
    with pool._lock:
        del tensor
    assert pool.info().held == 2 * MIB
    assert pool.info().lent == 0


def test_no_more_than_the_limit_is_held():
    pool = Pool(8 * MIB)
    tensors = [take(pool) for _ in range(10)]
    assert pool.info().lent == 20 * MIB
    del tensors
    assert pool.info().held == 8 * MIB


def test_sizes_that_are_no_longer_used_make_room():
    pool = Pool(8 * MIB)
    old = [take(pool) for _ in range(4)]
    del old
    new = take(pool, shape=(6, 1 << 18))
    del new
    assert pool.info().held == 6 * MIB + 2 * MIB
    made = pool.info().made
    take(pool, shape=(6, 1 << 18))
    assert pool.info().made == made


def test_a_buffer_above_the_limit_is_never_held():
    pool = Pool(2 * MIB)
    small = take(pool)
    del small
    take(pool, 1.0, shape=(16, 1 << 18))
    assert pool.info().held == 2 * MIB


def test_trim_gives_all_back(pool):
    tensors = [take(pool), take(pool), take(pool, 1.0)]
    del tensors[:2]
    assert pool.trim() == 4 * MIB
    assert pool.info().held == 0
    assert (tensors[0] == 1.0).all()
    assert pool.trim() == 0


def test_a_pool_of_nothing_is_off():
    pool = Pool(0)
    tensor = take(pool)
    tensor.resize_(4 * MIB)
    assert pool.info() == module.Info(0, 0, 0, 0, 0)


def test_windows_has_no_pool(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    pool = Pool(8 * MIB)
    take(pool).resize_(4 * MIB)
    assert pool.info().limit == 0


def test_without_huge_pages_it_works_as_well(monkeypatch, pool):
    # As on macOS, where the advice is not known.
    monkeypatch.delattr("mmap.MADV_HUGEPAGE", raising=False)
    assert (take(pool, 2.0) == 2.0).all()


def test_out_of_memory_is_reported_by_torch(monkeypatch, pool):
    kept = take(pool)
    del kept

    def refuse(size):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(module, "_Buffer", refuse)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        pool.empty((1 << 46,), torch.float32)
    # What was held has been given back first.
    assert pool.info().held == 0


@pytest.fixture
def fresh(monkeypatch):
    """The pool of this process, made anew with this setting."""

    def make(setting):
        monkeypatch.setenv("SNN_POOL_BYTES", setting)
        module._pool.cache_clear()

    yield make
    module._pool.cache_clear()


def test_the_setting_limits_the_pool_of_the_process(fresh):
    fresh(str(4 * MIB))
    tensors = [module.empty(WIDE, torch.float32) for _ in range(3)]
    assert module.info().lent == 6 * MIB
    del tensors
    assert module.info().held == 4 * MIB
    assert module.trim() == 4 * MIB


@pytest.mark.parametrize(("setting", "limit"), [("", 2 << 30), ("0", 0), (" 5000000 ", 5_000_000)])
def test_settings(fresh, setting, limit):
    fresh(setting)
    assert module.info().limit == limit


@pytest.mark.parametrize("setting", ["2GiB", "-1", "1e9", "many"])
def test_a_wrong_setting_is_an_error_that_says_what_to_write(fresh, setting):
    fresh(setting)
    with pytest.raises(
        ConfigError,
        match=f"SNN_POOL_BYTES is '{setting}', but must be a number of bytes, such as 2147483648; "
        "0 switches the pool off",
    ):
        module.empty(WIDE, torch.float32)


class Leaky(Neuron):
    def charge(self, x, v):
        return 0.5 * v + x


def test_kernels_rely_on_nothing_that_they_find_in_the_memory(fresh):
    fresh(str(64 * MIB))
    torch.manual_seed(0)
    x = torch.rand(4, 1 << 17)

    def run(backend):
        net = Leaky(step_mode="m", backend=backend, store_v_seq=True)
        y = net(inputs := x.clone().requires_grad_())
        (y * x + net.v_seq).sum().backward()
        return y.detach(), net.v_seq.detach(), inputs.grad

    expected = run("eager")
    for _ in range(2):
        poison = [module.empty(x.shape, torch.float32).fill_(torch.nan) for _ in range(8)]
        del poison
        # None: the compiled backend where there is a compiler.
        found = run(None)
        torch.testing.assert_close(found, expected, rtol=2e-6, atol=1e-6)
    assert snn.explain(Leaky()).rows


def child(code: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own: forks and exits are its own, too."""
    head = "import os, sys, torch\nfrom snncore.kernels import pool\nWIDE = (2, 1 << 18)\n"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(not hasattr(module.os, "fork"), reason="there is no fork here")
def test_a_forked_child_and_its_parent_do_not_write_into_each_other():
    ran = child(
        """
        import threading
        kept = pool.empty(WIDE, torch.float32).fill_(1.0)
        held = pool.empty(WIDE, torch.float32)
        del held
        # Another thread is inside the pool while this one forks.
        inside = pool._pool()._lock
        inside.acquire()
        pid = os.fork()
        if not pid:
            assert pool.info().held == 0
            kept.fill_(2.0)
            mine = pool.empty(WIDE, torch.float32).fill_(3.0)
            del mine
            again = pool.empty(WIDE, torch.float32)
            del kept
            assert pool.info().held == 2 << 20, pool.info()
            os._exit(0)
        inside.release()
        assert os.waitpid(pid, 0)[1] == 0
        assert (kept == 1.0).all()
        assert pool.info().held == 2 << 20
        """
    )
    assert ran.returncode == 0, ran.stderr


def test_workers_of_a_data_loader_use_pools_of_their_own():
    ran = child(
        """
        class Data(torch.utils.data.Dataset):
            def __len__(self):
                return 6
            def __getitem__(self, i):
                return pool.empty(WIDE, torch.float32).fill_(i)
        if __name__ == "__main__":
            mine = pool.empty(WIDE, torch.float32).fill_(-1.0)
            loader = torch.utils.data.DataLoader(Data(), batch_size=2, num_workers=2)
            found = [batch.flatten(1).unique(dim=1).flatten().tolist() for batch in loader]
            assert found == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], found
            assert (mine == -1.0).all()
        """
    )
    assert ran.returncode == 0, ran.stderr


def test_tensors_may_be_alive_when_python_ends():
    ran = child(
        """
        class Holder:
            pass
        first = pool.empty(WIDE, torch.float32).fill_(1.0)
        sys.modules["torch"].kept_to_the_end = pool.empty(WIDE, torch.float32).fill_(1.0)
        ring = Holder()
        ring.me, ring.tensor = ring, pool.empty(WIDE, torch.float32)
        array = pool.empty(WIDE, torch.float32).numpy()
        x = torch.ones(WIDE, requires_grad=True)
        y = x * first
        del first
        print("done")
        """
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "done\n", "")
