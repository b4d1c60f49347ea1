"""Reports on several dumps, a broken one among them, collected and asked."""

import json
import os
import subprocess
import sys

import pytest
from dumps import TOP

FLEET = TOP / "Examples/fleet"


@pytest.fixture(scope="module")
def dumps(machine, entry, tmp_path_factory):
    """A directory of dumps: whole, of tables alone, cut short, none at all."""
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "whole").symlink_to(machine.path("vmcore.elf"))
    (folder / "tables").symlink_to(entry("deb612-4k").path("vmcore.tables.elf"))
    (folder / "crashed").symlink_to(entry("kdump-61-4k48").path("vmcore.d31-zlib"))
    (folder / "short").write_bytes(machine.path("vmcore.d31-snappy").read_bytes()[:5000])
    (folder / "text").write_text("This is no dump.\n" * 1000)
    return folder


@pytest.fixture
def report_one(program):
    def report(dump, **limits):
        environment = dict(os.environ, KVA=str(program), **limits)
        command = [FLEET / "report-one", dump]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    return report


def release(entry):
    return next(line.split("=")[1] for line in entry.lines("vmcoreinfo.txt") if line.startswith("OSRELEASE="))


def test_each_dump_has_one_report(dumps, report_one, machine):
    reports = {path.name: report_one(path) for path in dumps.iterdir()}
    assert [reports[name]["dump"] for name in reports] == [str(dumps / name) for name in reports]
    assert reports["whole"]["error"] is None and reports["whole"]["release"] == release(machine)
    for name in ("short", "text"):
        assert reports[name]["error"]["kind"] in ("truncated", "unsupported", "missing")


def test_limits_hold(dumps, report_one):
    assert report_one(dumps / "whole", KVA_SECONDS="0.01")["error"]["message"].endswith("status 124")
    assert report_one(dumps / "whole", KVA_BYTES="1000000")["error"]["kind"] == "no-report"


def test_collected_reports_answer(dumps, report_one, machine, entry, tmp_path):
    duckdb = pytest.importorskip("duckdb")
    sys.path.insert(0, str(FLEET))
    import collect

    lines = [json.dumps(report_one(path)) for path in sorted(dumps.iterdir())]
    (tmp_path / "1.ndjson").write_text("\n".join(lines[:2]) + "\n")
    (tmp_path / "2.ndjson").write_text("\n".join(lines[2:]) + "\n")
    parquet = str(tmp_path / "reports.parquet")
    reports = collect.collect(parquet, [str(tmp_path / "1.ndjson"), str(tmp_path / "2.ndjson")])
    assert (tmp_path / "reports.parquet").read_bytes()[:4] == b"PAR1"
    rows = reports.project("dump, error.kind, release, counts.modules").order("dump").fetchall()
    assert [(row[0].rsplit("/")[-1], row[2]) for row in rows] == [
        ("crashed", release(entry("kdump-61-4k48"))), ("short", None), ("tables", release(entry("deb612-4k"))),
        ("text", None), ("whole", release(machine)),
    ]  # fmt: skip
    assert [row[1] is None for row in rows] == [True, False, True, False, True]
    assert rows[4][3] == len(machine.lines("modules.txt"))
    answer = duckdb.sql(collect.QUESTION).fetchall()
    assert sum(row[1] for row in answer) == 5
    crashed = next(row for row in answer if "sysrq" in row[0])
    assert crashed[1:3] == (1, [release(entry("kdump-61-4k48"))])
