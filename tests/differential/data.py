"""The rows that both servers get: three small tables, as SQL for one and as CSV for the other."""
import csv
import io

# name: (columns with the type in Runrate's `--types` and in PostgreSQL, rows as text; None is NULL).
POSTGRES_TYPES = {
    "text": "text", "integer": "bigint", "number": "double precision", "money": "numeric(18,2)",
    "date": "date", "timestamp": "timestamptz", "boolean": "boolean",
}

TABLES = {
    "deals": (
        {"id": "integer", "name": "text", "owner": "text", "region": "text", "stage": "text",
         "amount": "money", "probability": "number", "seats": "integer", "closed_on": "date",
         "created_at": "timestamp", "is_won": "boolean", "notes": "text"},
        """
        1|Acme renewal|ann|EMEA|won|12500.00|1|25|2026-01-15|2025-11-03 09:30:00+00|true|{"tags": ["renewal", "big"], "score": 87, "contact": {"name": "Zoë", "city": "Paris"}}
        2|Acme expansion|ann|EMEA|won|4300.50|1|10|2026-02-28|2025-12-20 14:05:10+00|true|{"tags": ["expansion"], "score": 55}
        3|Borealis pilot|ben|EMEA|lost|999.99|0|5|2026-01-31|2025-10-01 08:00:00+00|false|{"tags": [], "score": null}
        4|Borealis full|ben|EMEA|open|25000.00|0.6|80|2026-06-30|2026-01-12 23:59:59+00|false|
        5|Castor trial|ann|AMER|open|0.00|0.1|1|2026-04-01|2026-02-28 00:00:00+00|false|{"score": 12.5, "ok": true}
        6|Castor buy|cat|AMER|won|78000.25|1|200|2026-03-31|2025-09-15 17:45:00+00|true|{"tags": ["big", "new logo"], "contact": {"name": "O'Neil"}}
        7|Delta, Inc.|cat|AMER|lost|15000.00|0|40|2025-12-31|2025-08-08 12:00:00.123456+00|false|
        8|"Echo" GmbH|dan|APAC|open|333.33|0.25|3|2026-05-05|2026-03-01 03:30:00+00|false|{"tags": ["Ünïcode"]}
        9|Foxtrot_100%|dan|APAC|won|67000.00|1|150|2026-03-15|2025-12-31 23:30:00+00|true|
        10|golf club|eve|APAC|open||0.5||2026-07-01|2026-03-28 10:10:10.5+00||
        11|Hotel \\ backslash|eve||lost|-150.75|0|-2|2024-02-29|2024-01-31 06:00:00+00|false|
        12||ann|EMEA|open|1234.56|0.333333333333|7||2026-03-29 01:00:00+00||{}
        13|India|fay|AMER|won|1234.56|1|7|2026-02-01|2026-01-01 00:00:00+00|true|
        14|Juliet|fay|AMER|open|50.05|0.75|7|2026-08-31|2026-03-08 07:00:00+00|false|
        """,
    ),
    "reps": (
        {"name": "text", "region": "text", "quota": "money", "hired_on": "date", "manager": "text",
         "level": "integer"},
        """
        ann|EMEA|20000.00|2020-02-29|eve|3
        ben|EMEA|15000.00|2023-07-01|ann|1
        cat|AMER|80000.00|2019-11-15|eve|3
        dan|APAC|70000.00|2022-03-01|cat|2
        eve|||2018-01-02||4
        gus|APAC|10000.00|2026-03-01|dan|1
        """,
    ),
    "numbers": (
        {"n": "integer", "x": "number", "m": "money"},
        """
        1|0.5|1.00
        2|1.5|2.50
        3|2.5|-2.50
        4|-0.5|0.05
        5|-1.5|1000000.00
        6|1e20|7.77
        7|1e-7|-0.01
        -7|123456.789|3.00
        8||
        """,
    ),
}


def _rows(text):
    for line in text.strip().splitlines():
        yield [field or None for field in line.strip().replace("\\\\", "\\").split("|")]


def sql():
    """Statements that make the tables in PostgreSQL."""
    yield "CREATE SCHEMA raw"
    for name, (columns, text) in TABLES.items():
        spec = ", ".join(f"{column} {POSTGRES_TYPES[kind]}" for column, kind in columns.items())
        yield f"CREATE TABLE raw.{name} ({spec})"
        for row in _rows(text):
            values = ", ".join("NULL" if v is None else "'" + v.replace("'", "''") + "'" for v in row)
            yield f"INSERT INTO raw.{name} VALUES ({values})"


def files():
    """For each table its name, the argument of --types, and its CSV."""
    for name, (columns, text) in TABLES.items():
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(columns)
        for row in _rows(text):
            writer.writerow(["" if value is None else value for value in row])
        yield name, ",".join(f"{c}:{k}" for c, k in columns.items()), out.getvalue()
