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


def test_kubernetes_takes_the_job(dumps, program, tmp_path):
    validate = pytest.importorskip("kubernetes_validate")
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((FLEET / "kubernetes-job.yaml").read_text())
    validate.validate(job, validate.latest_version(), strict=True)
    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert [mount["name"] for mount in container["volumeMounts"]] == [volume["name"] for volume in pod["volumes"]]
    # What the container runs, with the claim elsewhere.
    listed = sorted(dumps.iterdir())
    (tmp_path / "dumps.txt").write_text("".join(f"{path}\n" for path in listed))
    (tmp_path / "reports").mkdir()
    (tmp_path / "report-one").symlink_to(FLEET / "report-one")
    (tmp_path / "kva").symlink_to(program)
    script = container["args"][0].replace("/dumps/", f"{tmp_path}/")
    for index in range(len(listed)):
        environment = dict(os.environ, JOB_COMPLETION_INDEX=str(index))
        subprocess.run([*container["command"], script], env=environment, check=True)
    reports = [json.loads((tmp_path / f"reports/{index}.ndjson").read_text()) for index in range(len(listed))]
    assert [report["dump"] for report in reports] == [str(path) for path in listed]


def test_clickhouse_reads_the_parquet_file(dumps, report_one, machine, entry, tmp_path):
    pytest.importorskip("duckdb")
    chdb = pytest.importorskip("chdb")
    sys.path.insert(0, str(FLEET))
    import collect

    lines = [json.dumps(report_one(path)) for path in sorted(dumps.iterdir())]
    (tmp_path / "1.ndjson").write_text("\n".join(lines) + "\n")
    collect.collect(str(tmp_path / "reports.parquet"), [str(tmp_path / "1.ndjson")])
    query = f"""
        SELECT count(), countIf(error.kind IS NOT NULL), countIf(release = '{release(machine)}')
        FROM file('{tmp_path}/reports.parquet')
    """
    answer = chdb.query(query, "CSV")
    releases = [release(one) for one in (machine, entry("kdump-61-4k48"), entry("deb612-4k"))]
    assert str(answer).strip() == f"5,2,{releases.count(release(machine))}"
