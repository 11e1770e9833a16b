"""psycopg 3: parameters, binary results, types, errors, cancel, pipeline."""
import datetime
import decimal
import sys
import threading
import time

import psycopg

url = sys.argv[1]

with psycopg.connect(url, autocommit=True) as connection:
    cursor = connection.execute(
        "SELECT 1 + %s, %s::text, %s::date, 1.50::numeric(10,2), true, NULL",
        (41, "naïve", datetime.date(2026, 6, 30)),
    )
    row = cursor.fetchone()
    assert row == (42, "naïve", datetime.date(2026, 6, 30), decimal.Decimal("1.50"), True, None), row
    for binary in (False, True):
        with connection.cursor(binary=binary) as cursor:
            cursor.execute(
                "SELECT opportunity_id, amount, close_date, created_at, is_won, probability"
                " FROM crm.opportunities ORDER BY opportunity_id LIMIT 100"
            )
            rows = cursor.fetchall()
            assert len(rows) == 100, len(rows)
            assert any(isinstance(row[1], decimal.Decimal) for row in rows)
            assert any(isinstance(row[2], datetime.date) for row in rows)
            assert any(isinstance(row[3], datetime.datetime) for row in rows)
    try:
        connection.execute("SELECT * FROM crm.nothing_here")
        raise SystemExit("a missing table was found")
    except psycopg.errors.UndefinedTable:
        pass
    try:
        connection.execute("SELECT no_such_column FROM crm.accounts")
        raise SystemExit("a missing column was found")
    except psycopg.errors.UndefinedColumn:
        pass
    with connection.pipeline():
        answers = [connection.execute("SELECT %s::int8", (n,)) for n in range(20)]
    assert [a.fetchone()[0] for a in answers] == list(range(20))

    long_query = (
        "SELECT count(*) FROM generate_series(1, 100000) a"
        " CROSS JOIN generate_series(1, 100000) b WHERE a.a::int8 * b.b % 7 = 3"
    )
    threading.Timer(0.5, connection.cancel_safe).start()
    started = time.monotonic()
    try:
        connection.execute(long_query)
        raise SystemExit("the query was not cancelled")
    except psycopg.errors.QueryCanceled:
        print(f"cancelled after {time.monotonic() - started:.2f} s")
    connection.execute("SET statement_timeout = '300ms'")
    try:
        connection.execute(long_query)
        raise SystemExit("the query did not time out")
    except psycopg.errors.QueryCanceled:
        pass
    connection.execute("RESET statement_timeout")

with psycopg.connect(url) as connection:
    connection.execute("SELECT 1")
    try:
        connection.execute("SELECT 1/0")
    except psycopg.Error as error:
        assert error.sqlstate == "22012", error.sqlstate
    try:
        connection.execute("SELECT 1")
        raise SystemExit("a failed transaction went on")
    except psycopg.errors.InFailedSqlTransaction:
        connection.rollback()
    assert connection.execute("SELECT 2").fetchone() == (2,)
print("psycopg 3 ok")
