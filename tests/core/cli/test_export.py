from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from snncore.graph import Report


@pytest.fixture(autouse=True)
def _installed(deployed) -> None:
    deployed()


def test_a_network_is_written_and_told_of(snn, toy) -> None:
    result = snn("export", "model:chain", "--chip", "toy")
    assert result.exit_code == 0, result.output
    path = Path("chain.toy")
    program = toy.Toy().read(path)
    assert [layer[0] for layer in program.layers] == ["2", "4"]
    sha256 = toy.digest(program.content())
    assert result.stdout.splitlines()[0] == "network for toy: nothing found"
    assert "Quantisation" in result.stdout
    size = path.stat().st_size
    assert result.stdout.endswith(f"\nwrote chain.toy, {size:,} bytes, sha256 {sha256}\n")
    assert result.stderr == "model:chain has fresh weights; a run has trained ones\n"
    before = path.read_bytes()
    words = ("--chip", "snn-toy/toy", "--out", "new/b.net", "--untrained")
    assert snn("export", "model:snn-toy/chain", *words).stderr == ""
    # The same fresh weights again.
    assert Path("new/b.net").read_bytes() == before
    assert list(Path().glob(".*")) == []


def test_settings_and_shapes(snn, toy) -> None:
    words = ("export", "model:chain", "--chip", "toy", "--set", "hidden=5", "--set", "named=false")
    result = snn(*words)
    assert result.exit_code == 2
    assert "this network names no in_shape; say --shape, as in --shape 2,34,34" in result.stderr
    result = snn(*words, "--shape", "9")
    assert result.exit_code == 1
    assert "model:chain has no graph for an input [1, 9]: Sequential fails on the" in result.stderr
    assert result.stderr.endswith("; --shape gives another\n")
    assert snn(*words, "--shape", "8").exit_code == 0
    assert toy.Toy().read(Path("chain.toy")).layers[0][1].shape == (5, 8)


def test_json_is_the_report_and_the_file(snn) -> None:
    words = ("export", "model:chain", "--chip", "toy", "--json")
    result = snn(*words)
    data = json.loads(result.stdout)
    assert (data["ok"], data["findings"]) == (True, [])
    assert [table["title"] for table in data["tables"]] == ["Resources", "Quantisation"]
    whole = Path("chain.toy").read_text()
    assert data["file"]["path"] == "chain.toy"
    assert data["file"]["bytes"] == len(whole)
    assert data["file"]["sha256"] == json.loads(whole)["sha256"]
    assert Report.from_json(result.stdout).ok
    assert json.loads(snn(*words, "--check-only").stdout)["file"] is None


def test_checking_writes_nothing(snn) -> None:
    result = snn("export", "model:chain", "--chip", "toy", "--check-only", "--out", "a.toy")
    assert result.exit_code == 0
    assert "nothing found" in result.stdout
    assert "wrote" not in result.stdout
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize("words", [(), ("--check-only",), ("--json",)], ids=len)
def test_a_network_that_does_not_fit(snn, words) -> None:
    Path("chain.toy").write_text("what was there")
    wrong = ("--set", "v_reset=0.5")
    result = snn("export", "model:chain", "--chip", "toy", *wrong, *words)
    assert result.exit_code == 1
    if "--json" in words:
        report = Report.from_json(result.stdout)
        assert [finding.path for finding in report.errors] == ["2", "4"]
    else:
        assert "network for toy: 2 errors" in result.stdout
        assert "error TOY004 at 2 (Summing): v_reset is not supported, found 0.5" in result.stdout
        assert result.stdout.endswith("\nnothing was written\n")
    assert [path.name for path in Path().iterdir()] == ["chain.toy"]
    assert Path("chain.toy").read_text() == "what was there"


@pytest.mark.parametrize(
    ("name", "first"),
    [("r.md", "# network for toy"), ("r.json", "{"), ("r.txt", "network for toy: 2 errors")],
)
def test_a_report_is_kept(snn, name, first) -> None:
    words = ("export", "model:chain", "--chip", "toy", "--check-only", "--report", name)
    assert snn(*words, "--set", "v_reset=0.5").exit_code == 1
    text = Path(name).read_text()
    assert text.startswith(first)
    assert "TOY004" in text
    assert snn(*words).exit_code == 0
    assert "Quantisation" in Path(name).read_text()


def test_names_of_files_made_by_factories_and_runs(snn) -> None:
    Path("nets.py").write_text("from deployed import chain\ndef make():\n    return chain()\n")
    assert snn("export", "nets.py:make", "--chip", "toy").exit_code == 0
    Path("runs/one").mkdir(parents=True)
    Path("runs/one/config.toml").write_text('[model]\nname = "chain"\n')
    assert snn("export", "runs/one/", "--chip", "toy", "--untrained").exit_code == 0
    files = [Path(name) for name in ("make.toy", "one.toy")]
    assert len({hashlib.sha256(file.read_bytes()).hexdigest() for file in files}) == 1


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("--chip", "tyo"), 2, "unknown chip 'tyo'; did you mean 'toy'"),
        (
            ("--chip", "toy", "--report", "r.pdf"),
            2,
            "--report expects a file ending in .md, .json,",
        ),
        (("--chip", "toy", "--chip-set", "x"), 2, "--chip-set expects key=value, as in --chip-set"),
        (("--chip", "toy", "--chip-set", "x=1"), 2, "unknown parameter 'x'"),
        (("--chip", "toy", "--set", "y=1"), 2, "unknown parameter 'y'"),
        (("--chip", "toy", "--out", "folder"), 1, "cannot write folder: Is a directory"),
        (("--chip", "toy", "--report", "folder/x.md/y.md"), 1, "cannot write folder/x.md/y.md: "),
    ],
    ids=["chip", "report", "no-setting", "parameter", "model", "out", "no-folder"],
)
def test_wrong_words(snn, words, code, text) -> None:
    Path("folder").mkdir()
    Path("folder/x.md").touch()
    result = snn("export", "model:chain", *words)
    assert result.exit_code == code, result.output
    assert text in result.stderr
    assert not Path("chain.toy").exists()
