"""psycopg 3: parameters, binary results, types, named cursors, COPY, errors, cancel, pipeline."""
import datetime
import decimal
import os
import sys
import threading
import time

import psycopg

url = sys.argv[1]
company = os.environ
deals = int(company["OPPORTUNITIES"])
money = decimal.Decimal(company["OPPORTUNITIES_AMOUNT"])

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
        assert time.monotonic() - started < 3, "cancel took too long"
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

with psycopg.connect(url) as connection:
    for binary in (False, True):
        with connection.cursor("by_name", binary=binary) as cursor:
            cursor.itersize = 500
            cursor.execute("SELECT amount FROM crm.opportunities")
            amounts = [row[0] for row in cursor]
        assert len(amounts) == deals and sum(a for a in amounts if a is not None) == money
    cursor = connection.cursor()
    with cursor.copy("COPY (SELECT amount FROM crm.opportunities) TO STDOUT") as copy:
        texts = [row[0] for row in copy.rows()]
    assert sum(decimal.Decimal(text) for text in texts if text is not None) == money
    with cursor.copy("COPY (SELECT push_count, is_won, amount, close_date FROM crm.opportunities) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int8", "bool", "numeric", "date"])
        rows = list(copy.rows())
    assert len(rows) == deals and sum(row[1] for row in rows) == int(company["OPPORTUNITIES_WON"])
    assert min(row[3] for row in rows).isoformat() == company["FIRST_CLOSE_DATE"]
    cursor.executemany("SELECT %s::int8", [(n,) for n in range(5)], returning=True)
    got = []
    while True:
        got.append(cursor.fetchone()[0])
        if not cursor.nextset():
            break
    assert got == list(range(5)), got
    with connection.transaction():
        before = connection.execute("SELECT count(*) FROM crm.accounts").fetchone()[0]
        with connection.transaction():
            assert connection.execute("SELECT count(*) FROM crm.accounts").fetchone()[0] == before
    for _ in range(8):
        # From the sixth time on the statement is a prepared one.
        given = connection.execute("SELECT count(*) FROM crm.opportunities WHERE is_won = %s AND close_date >= %s", (True, datetime.date(2023, 4, 1)))
        assert given.fetchone()[0] == int(company["OPPORTUNITIES_WON"])
    among = connection.execute("SELECT count(*) FROM crm.opportunities WHERE opportunity_id = ANY(%s)", ([company["FIRST_OPPORTUNITY"]],))
    assert among.fetchone() == (1,)
    assert connection.info.parameter_status("server_encoding") == "UTF8"
print(f"  psycopg {psycopg.__version__}: binary and text, named cursors, COPY, pipeline, executemany, cancel, time limit")
