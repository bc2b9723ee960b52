from __future__ import annotations

import dataclasses
import json

import pytest

from snncore.errors import ConfigError
from snncore.graph import Finding, Report, Table

POOL = Finding(
    code="TOY001",
    severity="error",
    path="features.2",
    op="Pool",
    what="max-pooling is not supported",
    value="max 2x2",
    allowed="none",
    why="data sheet, section 3 | table 4",
    fix="use a convolution of stride 2",
    auto_fix="stride_for_pool",
)
BIAS = dataclasses.replace(POOL, code="TOY-LOSS-002", severity="warn", path="", why="", value="")
FACT = Finding(code="TOY003", severity="info", path="0", op="Conv", what="one core is used")
COSTS = Table("Resources", ("layer", "neurons", "share %"), (("0", 128, 3.14159), ("1", None, 0.5)))
REPORT = Report("net for toy", (FACT, BIAS, POOL), (COSTS,))


def test_findings_read_as_sentences():
    assert str(POOL) == (
        "error TOY001 at features.2 (Pool): max-pooling is not supported, found max 2x2, allowed "
        "is none (data sheet, section 3 | table 4); use a convolution of stride 2 (pass "
        "stride_for_pool does it)"
    )
    assert str(FACT) == "info TOY003 at 0 (Conv): one core is used"
    assert str(BIAS).startswith("warn TOY-LOSS-002 at the network (Pool): ")


def test_text_has_errors_first_and_tables_after():
    assert str(REPORT).splitlines() == [
        "net for toy: 1 error, 1 warning, 1 note",
        str(POOL),
        str(BIAS),
        str(FACT),
        "",
        "Resources",
        "layer  neurons  share %",
        "0      128      3.142",
        "1               0.5",
    ]
    assert str(Report("net for toy")) == "net for toy: nothing found"


def test_markdown_is_a_page_of_tables():
    lines = REPORT.markdown().splitlines()
    assert lines[:3] == ["# net for toy", "", "net for toy: 1 error, 1 warning, 1 note"]
    table = [line for line in lines if line.startswith("| error")]
    assert len(table) == 1
    assert r"section 3 \| table 4" in table[0]
    assert "## Resources" in lines
    assert "| 0 | 128 | 3.142 |" in lines


def test_json_comes_back():
    assert Report.from_json(REPORT.json()) == REPORT
    content = json.loads(REPORT.json())
    assert (content["schema"], content["ok"], content["findings"][2]["code"]) == (
        1,
        False,
        "TOY001",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"this is no report \(JSONDecodeError"),
        ("[1]", r"this is no report \(TypeError"),
        ("{}", r"this is no report \(KeyError"),
        ('{"schema": 2}', "the report has schema 2, this version reads 1"),
        (REPORT.json().replace('"info"', '"fatal"'), "the report is damaged"),
    ],
)
def test_what_is_no_report_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        Report.from_json(text)


def test_damage_is_refused():
    """Cut off, or a bit of a byte changed: the same report, or an error that says why."""
    whole, refused = REPORT.json().encode(), 0
    for i in range(200):
        place = len(whole) * i // 200
        flipped = bytes([whole[place] ^ 1 << i % 7])
        damaged = whole[:place] + (flipped + whole[place + 1 :] if i % 4 else b"")
        text = damaged.decode("utf-8", "replace")
        if _same(text):
            assert Report.from_json(text) == REPORT
            continue
        with pytest.raises(ConfigError, match=r"this is no report|the report (has schema|is dama)"):
            Report.from_json(text)
        refused += 1
    assert refused > 150


def _same(text):
    """Whether only the layout of a text is another."""
    try:
        return json.loads(text) == json.loads(REPORT.json())
    except ValueError:
        return False


def test_errors_decide():
    assert [finding.code for finding in REPORT.errors] == ["TOY001"]
    assert (REPORT.ok, REPORT.exit_code) == (False, 1)
    calm = Report("net for toy", (FACT, BIAS))
    assert (calm.ok, calm.exit_code) == (True, 0)
    assert (calm + Report("other", (POOL,), (COSTS,))) == Report(
        "net for toy", (FACT, BIAS, POOL), (COSTS,)
    )


def test_codes_severities_and_rows_are_checked():
    for code in ("toy001", "TOY1", "001", "TOY_001"):
        with pytest.raises(ConfigError, match=f"as in LAVA012 or NIR-LOSS-003, got '{code}'"):
            dataclasses.replace(POOL, code=code)
    with pytest.raises(ConfigError, match="table 'Costs' has 2 columns, a row has 1"):
        Table("Costs", ("a", "b"), (("c",),))
