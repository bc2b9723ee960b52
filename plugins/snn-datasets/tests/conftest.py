from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snn_datasets import compiled, place


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SNN_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SNN_DATA_OFFLINE", raising=False)
    place.notice.cache_clear()


@pytest.fixture
def shared() -> Path:
    folder = os.environ.get("SNN_TEST_DATA")
    if not folder:
        pytest.skip("SNN_TEST_DATA names no folder of real recordings")
    return Path(folder)


@pytest.fixture(params=["numba", "numpy"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test with compiled loops, and without."""
    if request.param == "numba":
        pytest.importorskip("numba")
    with compiled.use(request.param == "numba"):
        yield request.param


def _encode(t: Any, x: Any, y: Any, p: Any) -> bytes:
    rows = zip(*(np.asarray(column).tolist() for column in (t, x, y, p)), strict=True)
    return b"".join(
        bytes([xi, yi, pi << 7 | ti >> 16, ti >> 8 & 255, ti & 255]) for ti, xi, yi, pi in rows
    )


@pytest.fixture
def encode40() -> Callable[..., bytes]:
    """An encoder of 40-bit events that shares nothing with the decoder."""
    return _encode


@pytest.fixture
def nmnist_root(tmp_path: Path) -> Path:
    """A folder with two zip files laid out like the official ones, of 12 and 5 recordings."""
    random = np.random.default_rng(7)
    root = tmp_path / "n_mnist"
    root.mkdir()
    for name, count in (("Train", 12), ("Test", 5)):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}/", "")
            for digit in range(10):
                for number in range(digit + 1, count + 1, 10):
                    n = 40 + number
                    t = np.sort(random.integers(0, 300_000, n))
                    x, y = random.integers(0, 34, (2, n))
                    body = _encode(t, x, y, random.integers(0, 2, n))
                    archive.writestr(f"{name}/{digit}/{number:05d}.bin", body)
        (root / f"{name}.zip").write_bytes(packed.getvalue())
    return root


@pytest.fixture
def write_sounds() -> Callable[..., dict[str, Any]]:
    """Writes an HDF5 file like those of SHD, and returns what it holds."""
    h5py = pytest.importorskip("h5py")

    def write(
        path: Path, count: int = 7, *, extra: bool = True, least: int = 0, **parts: Any
    ) -> dict[str, Any]:
        random = np.random.default_rng([count, len(path.name)])
        lengths = [least, 1, *random.integers(20, 60, count - 2)]
        held: dict[str, Any] = {
            "times": [np.sort(random.uniform(0, 1.3, n)).astype("f2") for n in lengths],
            "units": [random.integers(0, 700, n).astype("u2") for n in lengths],
            "labels": np.arange(count) % 3,
            "speaker": np.arange(count) % 4,
            "keys": ("null", "eins", "zwei"),
        } | parts
        path.parent.mkdir(exist_ok=True, parents=True)
        with h5py.File(path, "w") as h5:
            for part, dtype in (("times", "f2"), ("units", "u2")):
                rows = np.empty(len(held[part]), object)
                for i, row in enumerate(held[part]):
                    rows[i] = np.asarray(row, dtype)
                h5.create_dataset(f"spikes/{part}", data=rows, dtype=h5py.vlen_dtype(dtype))
            h5["labels"] = np.asarray(held["labels"], "u2")
            if extra:
                h5["extra/speaker"] = np.asarray(held["speaker"], "u2")
                h5["extra/keys"] = np.array([key.encode() for key in held["keys"]])
        return held

    return write


@dataclass
class Answer:
    """One answer of the test server.

    ``cut`` ends the body after so many bytes; then ``sent`` is set, and the connection stays open
    until ``hold`` is.
    """

    body: bytes = b""
    status: int = 200
    type: str = "application/octet-stream"
    ranges: bool = True
    cut: int | None = None
    length: bool = True
    sent: threading.Event | None = None
    hold: threading.Event | None = None


@dataclass
class Server:
    """A local HTTP server: the answers of a path are given in turn, the last one for ever."""

    address: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return f"{self.address}{path}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Server = self.server.script  # type: ignore[attr-defined]
        wanted = self.headers.get("Range")
        server.requests.append((self.path, wanted))
        queue = server.answers[self.path]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        status, body, extra = answer.status, answer.body, {}
        if wanted and answer.ranges and status == 200:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                status, extra, body = 416, {"Content-Range": f"bytes */{len(body)}"}, b""
            else:
                extra = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
                status, body = 206, body[start:]
        self.send_response(status)
        self.send_header("Content-Type", answer.type)
        if answer.length:
            self.send_header("Content-Length", str(len(body)))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: answer.cut])
        if answer.sent and answer.hold:
            answer.sent.set()
            answer.hold.wait(60)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        script = Server(f"http://127.0.0.1:{http.server_port}")
        http.script = script  # type: ignore[attr-defined]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield script
        http.shutdown()
        thread.join()


@pytest.fixture
def answer() -> type[Answer]:
    return Answer
