"""What tools that cannot run here ask at their start, asked in their words; each answer is checked.

Above each statement of tools/*.sql stand its expectations:
  -- rows N      so many rows;  -- rows N+  at least so many
  -- has TEXT    a value of the answer is, or holds, this text
  -- error STATE the statement is refused with this SQLSTATE
A word $NAME of these is a figure of the file `company`.
The simple protocol is used, as a tool without parameters does, and then the extended one.
"""
import os
import pathlib
import re
import sys

import psycopg

url, *files = sys.argv[1:]


def statements(path):
    """Expectations and text of each; one may be several statements in one message."""
    expectations, lines = [], []
    for line in pathlib.Path(path).read_text().splitlines():
        is_expectation = re.match(r"-- (rows|has|error) ", line)
        if is_expectation and lines:
            yield expectations, "\n".join(lines).rstrip().rstrip(";")
            expectations, lines = [], []
        if is_expectation:
            expectations.append(os.path.expandvars(line[3:]))
        elif lines or (line.strip() and not line.startswith("--")):
            lines.append(line)
    if lines:
        yield expectations, "\n".join(lines).rstrip().rstrip(";")


def answer(cursor, sql, prepare):
    rows = []
    cursor.execute(sql, prepare=prepare)
    while True:
        if cursor.description:
            rows += cursor.fetchall()
        if not cursor.nextset():
            return rows


def wrong(expectations, rows, error):
    for expectation in expectations:
        kind, wanted = expectation.split(" ", 1)
        if kind == "error":
            if error is None or error.sqlstate != wanted:
                return f"expected {expectation}, got {error or rows[:3]}"
            continue
        if error is not None:
            return str(error)
        if kind == "rows":
            least = int(wanted.rstrip("+"))
            if len(rows) < least or (not wanted.endswith("+") and len(rows) != least):
                return f"expected {expectation}, got {len(rows)}: {rows[:3]}"
        elif not any(wanted in str(value) for row in rows for value in row):
            return f"expected {expectation}, got {rows[:5]}"
    return None if expectations else "the statement has no expectation"


failures = 0
for path in files:
    count = 0
    for protocol in ("simple", "extended"):
        factory = psycopg.ClientCursor if protocol == "simple" else psycopg.Cursor
        with psycopg.connect(url, autocommit=True, cursor_factory=factory) as connection:
            for expectations, sql in statements(path):
                if protocol == "extended" and ";" in sql:
                    continue
                rows, error = [], None
                try:
                    with connection.cursor() as cursor:
                        rows = answer(cursor, sql, protocol == "extended")
                except psycopg.Error as refused:
                    error = refused
                reason = wrong(expectations, rows, error)
                count += 1
                if reason:
                    failures += 1
                    print(f"{pathlib.Path(path).name} ({protocol}): {reason[:600]}\n{sql[:1500]}\n")
    print(f"  {pathlib.Path(path).stem}: {count} statements")
sys.exit(1 if failures else 0)
