"""The lake without Runrate: the Python package deltalake finds the files, DuckDB reads them, and both agree with SQL."""
import decimal
import math
import os
import pathlib
import sys

import deltalake
import duckdb
import psycopg

url, lake = sys.argv[1], pathlib.Path(sys.argv[2])
NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "DOUBLE", "FLOAT", "DECIMAL")
ORDERED = ("DATE", "TIMESTAMP")


def asked(column, kind):
    """What is compared of a column: how many values, and their sum or their bounds."""
    name = '"' + column.replace('"', '""') + '"'
    if kind.startswith(NUMBERS):
        return [f"count({name})", f"sum({name})"]
    if kind.startswith(ORDERED):
        return [f"count({name})", f"min({name})", f"max({name})"]
    if kind == "BOOLEAN":
        return [f"count({name})", f"count(*) FILTER (WHERE {name})"]
    if kind == "VARCHAR":
        return [f"count({name})", f"count(DISTINCT {name})", f"sum(octet_length({name}))"]
    return [f"count({name})"]


def same(ours, theirs):
    if isinstance(ours, (float, decimal.Decimal)) and theirs is not None:
        return math.isclose(float(ours), float(theirs), rel_tol=1e-9)
    return ours == theirs


tables = columns = rows = 0
with psycopg.connect(url, autocommit=True) as connection, duckdb.connect() as engine:
    connection.execute("SET TimeZone = 'UTC'")
    engine.execute("SET TimeZone = 'UTC'")
    for log in sorted(lake.glob("*/*/_delta_log")):
        schema, table = log.parent.parent.name, log.parent.name
        if schema.startswith("_") or schema == "ops":
            continue
        stored = deltalake.DeltaTable(str(log.parent))
        files = stored.file_uris()
        if not files:
            continue
        engine.from_parquet(files, union_by_name=True).create_view("stored", replace=True)
        kinds = engine.execute("DESCRIBE stored").fetchall()
        wanted = ["count(*)"] + [part for column, kind, *_ in kinds for part in asked(column, kind)]
        # DuckDB calls the bytes of a text strlen.
        parts = ", ".join(wanted).replace("octet_length(", "strlen(")
        found = engine.execute(f"SELECT {parts} FROM stored").fetchall()[0]
        told = connection.execute(f'SELECT {", ".join(wanted)} FROM "{schema}"."{table}"').fetchone()
        for part, ours, theirs in zip(wanted, told, found, strict=True):
            assert same(ours, theirs), f"{schema}.{table}: {part} is {ours} over SQL and {theirs} in the files"
        names = {field.name for field in stored.schema().fields}
        assert names == {column for column, *_ in kinds}, f"{schema}.{table}: {names}"
        tables, columns, rows = tables + 1, columns + len(kinds), rows + found[0]
    amount = connection.execute("SELECT sum(amount) FROM crm.opportunities").fetchone()[0]
assert amount == decimal.Decimal(os.environ["OPPORTUNITIES_AMOUNT"]), amount
assert tables >= int(os.environ["CRM_TABLES"]) // 2 and rows > 0, (tables, rows)
print(f"  deltalake {deltalake.__version__} and DuckDB {duckdb.__version__}: {tables} tables, {columns} columns, {rows} rows")
