"""What must not matter does not: order of rows, splitting over files, the machine's zone, packing."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from export_files import (
    KEY,
    NOW,
    chatwoot_csv,
    desk,
    freshdesk_csv,
    hubspot_csv,
    intercom_json,
    zendesk_csv,
    zendesk_json,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from staffcast.tickets.exports import import_log
from staffcast.tickets.exports import stage as staging

LINES = {"zendesk": zendesk_csv, "freshdesk": freshdesk_csv, "hubspot": hubspot_csv, "chatwoot": chatwoot_csv}


def table(tmp_path, files, zone="America/Sao_Paulo"):
    for old in tmp_path.glob("part*"):
        old.unlink()
    paths = []
    for k, (name, content) in enumerate(files):
        paths.append(tmp_path / f"part{k}-{name}")
        paths[-1].write_bytes(content)
    report = import_log(paths, tmp_path / "o.parquet", key=KEY, now=NOW, zone=zone)
    frame = pd.read_parquet(tmp_path / "o.parquet").sort_values("ticket_id").reset_index(drop=True)
    counts = {kind: sum(i["rows"] for i in report.findings.of(kind)) for kind in ("dropped", "mended", "suspicious")}
    return frame[sorted(frame)], (report.rows_in, report.rows_out, report.folded, counts)


@pytest.mark.parametrize("vendor", LINES)
@given(seed=st.integers(0, 2**32), parts=st.integers(1, 4))
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_order_and_splitting_change_nothing(tmp_path, vendor, seed, parts):
    """Rows in any order, in one file or four, packed or not: the same tickets and the same counts of what was done."""
    head, *rows = LINES[vendor](desk(24)).decode().splitlines(keepends=True)
    whole, counts = table(tmp_path, [(f"{vendor}.csv", (head + "".join(rows)).encode())])
    rng = np.random.default_rng(seed)
    shuffled = [rows[k] for k in rng.permutation(len(rows))]
    pieces = [list(piece) for piece in np.array_split(np.array(shuffled, dtype=object), parts)]
    files = [(f"{vendor}.csv.gz", gzip.compress((head + "".join(piece)).encode())) for piece in pieces]
    other, others = table(tmp_path, files)
    pd.testing.assert_frame_equal(whole, other, check_dtype=False)
    assert counts == others


def test_splitting_a_swapped_export_changes_nothing(tmp_path):
    """A part that holds only days 1–12 is swapped as the others are."""
    times = pd.date_range("2026-02-01", "2026-02-27", freq="3h")
    rows = [
        f"{k},{t.strftime('%Y-%d-%m %H:%M:%S' if t.day <= 12 else '%d-%m-%Y %H:%M:%S')}\n" for k, t in enumerate(times)
    ]
    whole, counts = table(tmp_path, [("a.csv", ("ticket_id,created_at\n" + "".join(rows)).encode())])
    cut = [("a.csv", ("ticket_id,created_at\n" + "".join(rows[a : a + 50])).encode()) for a in range(0, len(rows), 50)]
    other, others = table(tmp_path, cut)
    pd.testing.assert_frame_equal(whole, other)
    assert counts == others


def test_the_careful_way_and_the_straight_one_agree(tmp_path, monkeypatch):
    """Files that DuckDB reads itself give the same when read line by line."""
    for vendor, make in LINES.items():
        straight = table(tmp_path, [(f"{vendor}.csv", make(desk(30)))])
        with monkeypatch.context() as patch:
            patch.setattr(staging, "_straight", lambda *_: None)
            careful = table(tmp_path, [(f"{vendor}.csv", make(desk(30)))])
        pd.testing.assert_frame_equal(straight[0], careful[0])
        assert straight[1] == careful[1]


def test_json_in_any_order_and_shape_is_the_same(tmp_path):
    """Metrics in reverse, one object a line or pages: the same tickets."""
    truth = desk(24)
    first, _ = table(tmp_path, [("a.json", zendesk_json(truth))])
    second, _ = table(tmp_path, [("a.json", zendesk_json(truth, order=slice(None, None, -1)))])
    pd.testing.assert_frame_equal(first, second)
    page, _ = table(tmp_path, [("a.json", intercom_json(truth))])
    lines, _ = table(tmp_path, [("a.jsonl", intercom_json(truth, lines=True))])
    pd.testing.assert_frame_equal(page, lines)


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_the_machines_zone_changes_nothing(tmp_path, zone):
    """With another TZ in the environment the same bytes are written."""
    (tmp_path / "f.csv").write_bytes(freshdesk_csv(desk(24)))
    code = (
        "import sys, pandas as pd; from staffcast.tickets.exports import import_log\n"
        "now = pd.Timestamp('2026-06-01', tz='UTC')\n"
        "import_log([sys.argv[1]], sys.argv[2], key=bytes(32), zone='Europe/Berlin', now=now)"
    )
    written = []
    for tz in ("UTC", zone):
        out = tmp_path / f"{tz.replace('/', '-')}.parquet"
        subprocess.run([sys.executable, "-c", code, tmp_path / "f.csv", out], check=True, env={**os.environ, "TZ": tz})
        written.append(out.read_bytes())
    assert written[0] == written[1]


def test_chunks_change_nothing(tmp_path, monkeypatch):
    """Tickets that stand twice are found across chunks, and rows keep their numbers."""
    lines = zendesk_csv(desk(30)).decode().splitlines(keepends=True)
    content = "".join([*lines, lines[3], lines[20]]).encode()
    whole = table(tmp_path, [("a.csv", content)])
    monkeypatch.setattr(staging, "CHUNK_ROWS", 7)
    monkeypatch.setattr(staging, "_STAGED_ROWS", 5)
    small = table(tmp_path, [("a.csv", content)])
    pd.testing.assert_frame_equal(whole[0], small[0])
    assert whole[1] == small[1]
    assert whole[1][3]["dropped"] == 2
