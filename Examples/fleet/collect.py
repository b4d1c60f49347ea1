"""Collects reports into a Parquet file and asks it a question: collect.py REPORTS.parquet REPORTS.ndjson ...

The question is what to look at first: which crash is how frequent, on which kernels, and how many of those dumps
have something wrong in their tables.
"""

import sys

import duckdb

# Of a report what is compared between dumps. The types are given, so that they do not hang on which dumps there are.
COLUMNS = {
    "dump": "VARCHAR",
    "error": "STRUCT(kind VARCHAR, message VARCHAR)",
    "signature": "VARCHAR",
    "crash": 'STRUCT(kind VARCHAR, "text" VARCHAR, "at" VARCHAR, comm VARCHAR)',
    "release": "VARCHAR",
    "buildID": "VARCHAR",
    "crashTime": "BIGINT",
    "pageSize": "BIGINT",
    "vaBits": "INTEGER",
    "taint": "STRUCT(letters VARCHAR)",
    "counts": "STRUCT(modules BIGINT, tasks BIGINT, pagesPresent BIGINT, pagesTotal BIGINT)",
    "audit": "STRUCT(findings BIGINT, codes MAP(VARCHAR, BIGINT))",
}

QUESTION = """
    SELECT coalesce(signature, error.kind, 'no crash') AS what, count(*) AS dumps,
           list(DISTINCT release ORDER BY release) AS releases, count_if(audit.findings > 0) AS withFindings
    FROM reports GROUP BY what ORDER BY dumps DESC, what
"""


def collect(parquet, reports):
    """Writes `parquet` from files of reports, one JSON object a line; a relation of them all."""
    duckdb.read_json(reports, columns=COLUMNS, format="newline_delimited").write_parquet(parquet)
    return duckdb.read_parquet(parquet)


if __name__ == "__main__":
    reports = collect(sys.argv[1], sys.argv[2:])
    duckdb.sql(QUESTION).show(max_width=160)
