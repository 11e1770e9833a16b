"""psycopg 2: named cursors, COPY, arrays, executemany, errors."""
import io
import os
import sys
from decimal import Decimal

import psycopg2
import psycopg2.extras

company = os.environ
count = int(company["OPPORTUNITIES"])

with psycopg2.connect(sys.argv[1]) as connection:
    with connection.cursor("by_name") as cursor:
        cursor.itersize = 250
        cursor.execute("SELECT amount FROM crm.opportunities")
        amounts = [row[0] for row in cursor]
    assert len(amounts) == count and sum(a for a in amounts if a) == Decimal(company["OPPORTUNITIES_AMOUNT"])
    with connection.cursor("scrolled", scrollable=True, withhold=True) as cursor:
        cursor.execute("SELECT opportunity_id FROM crm.opportunities ORDER BY 1")
        assert cursor.fetchone() == (company["FIRST_OPPORTUNITY"],)
        assert len(cursor.fetchmany(10)) == 10
        cursor.scroll(0, mode="absolute")
        assert cursor.fetchone() == (company["FIRST_OPPORTUNITY"],)
    with connection.cursor() as cursor:
        out = io.StringIO()
        cursor.copy_expert("COPY (SELECT opportunity_id, amount FROM crm.opportunities) TO STDOUT WITH (FORMAT csv, HEADER)", out)
        lines = out.getvalue().splitlines()
        assert lines[0] == "opportunity_id,amount" and len(lines) == count + 1
        cursor.execute("SELECT count(*) FROM crm.opportunities WHERE opportunity_id = ANY(%s)", ([company["FIRST_OPPORTUNITY"], "x"],))
        assert cursor.fetchone() == (1,)
        cursor.execute("SELECT ARRAY[1,2]::int[], ARRAY['a',NULL]::text[], '1 day'::interval, NULL::date")
        assert cursor.fetchone()[:2] == ([1, 2], ["a", None])
        cursor.executemany("SELECT %s::int", [(1,), (2,)])
    connection.rollback()
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT count(*) AS n FROM crm.accounts")
        assert cursor.fetchone() == {"n": int(company["ACCOUNTS"])}
        try:
            cursor.execute("SELECT * FROM crm.nothing_here")
            raise SystemExit("a missing table was found")
        except psycopg2.errors.UndefinedTable:
            connection.rollback()
    assert connection.server_version >= 140000 and connection.encoding == "UTF8"
connection.close()
print(f"  psycopg2 {psycopg2.__version__.split()[0]}: named and scrolled cursors, COPY to csv, {count} rows")
