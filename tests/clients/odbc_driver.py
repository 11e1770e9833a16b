"""psqlODBC through pyodbc: what Excel, Power BI's ODBC connector and Tableau ask."""
import datetime
import os
import sys
from decimal import Decimal
from urllib.parse import urlsplit

import pyodbc

company = os.environ
url = urlsplit(sys.argv[1])
base = (f"DRIVER={sys.argv[2]};SERVER={url.hostname};PORT={url.port};DATABASE={url.path[1:]};"
        f"UID={url.username};PWD={url.password}")


def rows(cursor):
    names = [column[0].lower() for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]


for options in ("", ";UseDeclareFetch=1;Fetch=100", ";UseServerSidePrepare=1;ByteaAsLongVarBinary=1"):
    connection = pyodbc.connect(base + options)
    cursor = connection.cursor()
    assert connection.getinfo(pyodbc.SQL_DBMS_NAME) == "PostgreSQL"
    tables = rows(cursor.tables(schema="crm", tableType="TABLE"))
    assert len(tables) == int(company["CRM_TABLES"]), len(tables)
    views = rows(cursor.tables(schema="collect", tableType="VIEW"))
    assert len(views) == int(company["COLLECT_VIEWS"]), len(views)
    columns = {row["column_name"]: row for row in rows(cursor.columns(table="opportunities", schema="crm"))}
    assert len(columns) == int(company["OPPORTUNITIES_COLUMNS"]), len(columns)
    assert columns["amount"]["type_name"] == "numeric", columns["amount"]
    assert (columns["amount"]["column_size"], columns["amount"]["decimal_digits"]) == (18, 2), columns["amount"]
    keys = rows(cursor.primaryKeys(table="opportunities", schema="crm"))
    assert [row["column_name"] for row in keys] == ["opportunity_id"], keys
    foreign = rows(cursor.foreignKeys(foreignTable="opportunities", foreignSchema="crm"))
    assert {row["fkcolumn_name"] for row in foreign} == {"account_id", "campaign_id", "owner_id", "territory_id"}, foreign
    referring = rows(cursor.foreignKeys(table="opportunities", schema="crm"))
    assert len(referring) == int(company["OPPORTUNITIES_REFERRERS"]), referring
    statistics = rows(cursor.statistics(table="opportunities", schema="crm", unique=True))
    assert any(row["index_name"] == "opportunities_pkey" for row in statistics), statistics
    assert len(rows(cursor.getTypeInfo())) > 10
    assert rows(cursor.procedures(procedure="lead_score", schema="public")), "procedures"
    special = rows(cursor.rowIdColumns(table="opportunities", schema="crm"))
    assert special == [] or special[0]["column_name"] in ("opportunity_id", "ctid"), special

    cursor.execute("SELECT opportunity_id, amount, close_date, created_at, is_won, push_count FROM crm.opportunities"
                   " WHERE opportunity_id = ?", company["FIRST_OPPORTUNITY"])
    row = cursor.fetchone()
    assert row[1] == Decimal(company["FIRST_OPPORTUNITY_AMOUNT"]) and row[2] == datetime.date(2023, 5, 7), row
    assert str(row[3]).startswith(company["FIRST_OPPORTUNITY_CREATED"]), row
    total, count = Decimal(0), 0
    for (amount,) in cursor.execute("SELECT amount FROM crm.opportunities"):
        count, total = count + 1, total + (amount or 0)
    assert (count, total) == (int(company["OPPORTUNITIES"]), Decimal(company["OPPORTUNITIES_AMOUNT"])), (count, total)
    cursor.execute("SELECT count(*) FROM crm.opportunities WHERE close_date BETWEEN ? AND ? AND amount > ? AND is_won",
                   datetime.date(2023, 4, 1), datetime.date(2026, 12, 31), Decimal("1000.50"))
    assert 0 < cursor.fetchone()[0] <= int(company["OPPORTUNITIES_WON"])
    # A failure inside a transaction takes back only the statement: the driver keeps savepoints.
    try:
        cursor.execute("SELECT * FROM crm.nothing_here")
        raise SystemExit("a missing table was found")
    except pyodbc.Error as error:
        assert error.args[0] in ("42P01", "42S02"), error.args
    connection.rollback()
    assert cursor.execute("SELECT count(*) FROM crm.accounts").fetchone()[0] == int(company["ACCOUNTS"])
    connection.commit()
    version = connection.getinfo(pyodbc.SQL_DRIVER_VER)
    connection.close()
    print(f"  psqlODBC {version}{options or ' as it is'}: tables, columns, keys, types, parameters, {count} rows")
print(f"  pyodbc {pyodbc.version}")
