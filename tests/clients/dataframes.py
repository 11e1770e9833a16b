"""pandas, polars over ADBC (COPY in binary) and connectorx: whole results into data frames."""
import os
import sys
from decimal import Decimal

import connectorx
import pandas
import polars
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi

company = os.environ
url = sys.argv[1]
count = int(company["OPPORTUNITIES"])
amount = float(company["OPPORTUNITIES_AMOUNT"])
ALL = "SELECT opportunity_id, amount, close_date, created_at, is_won, probability, push_count FROM crm.opportunities"

engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
frame = pandas.read_sql(ALL, engine)
assert len(frame) == count and abs(frame["amount"].astype(float).sum() - amount) < 0.01
assert str(frame["created_at"].dtype).startswith("datetime64"), frame.dtypes
assert frame["is_won"].dtype == bool and frame["push_count"].dtype == "int64", frame.dtypes
table = pandas.read_sql_table("opportunities", engine, schema="crm", columns=["opportunity_id", "amount"])
assert len(table) == count and abs(table["amount"].sum() - amount) < 0.01
chunks = list(pandas.read_sql(ALL, engine.connect().execution_options(stream_results=True), chunksize=1000))
assert sum(len(chunk) for chunk in chunks) == count and len(chunks) == -(-count // 1000)
given = pandas.read_sql(sa.text("SELECT count(*) AS n FROM crm.opportunities WHERE close_date >= :day"), engine,
                        params={"day": company["FIRST_CLOSE_DATE"]})
assert 0 < given["n"][0] <= count
print(f"  pandas {pandas.__version__}: read_sql, read_sql_table, chunks")

with dbapi.connect(url) as connection, connection.cursor() as cursor:
    cursor.execute(ALL)
    arrow = cursor.fetch_arrow_table()
    assert arrow.num_rows == count, arrow.num_rows
    assert str(arrow.schema.field("close_date").type) == "date32[day]", arrow.schema
    assert str(arrow.schema.field("created_at").type) == "timestamp[us, tz=UTC]", arrow.schema
    assert str(arrow.schema.field("push_count").type) == "int64", arrow.schema
    cursor.execute("SELECT count(*) FROM crm.opportunities WHERE is_won = $1", (True,))
    assert cursor.fetchone() == (int(company["OPPORTUNITIES_WON"]),)
    schema = connection.adbc_get_table_schema("opportunities", db_schema_filter="crm")
    assert len(schema) == int(company["OPPORTUNITIES_COLUMNS"]), schema
    objects = connection.adbc_get_objects(depth="tables", db_schema_filter="crm").read_all().to_pylist()
    names = {t["table_name"] for c in objects for s in c["catalog_db_schemas"] for t in s["db_schema_tables"]}
    assert "opportunities" in names and len(names) >= int(company["CRM_TABLES"]), names
frame = polars.read_database_uri(ALL, url, engine="adbc")
assert frame.height == count and frame["is_won"].sum() == int(company["OPPORTUNITIES_WON"])
# ADBC hands a numeric over as its text, for Arrow has none without a scale.
texts = frame["amount"].ext.storage()
assert sum(Decimal(text) for text in texts if text is not None) == Decimal(company["OPPORTUNITIES_AMOUNT"])
print(f"  polars {polars.__version__} over ADBC: COPY in binary, parameters, table schema, objects")

for protocol in ("binary", "csv", "cursor"):
    frame = connectorx.read_sql(url, ALL, return_type="polars", protocol=protocol)
    assert frame.height == count, (protocol, frame.height)
    assert abs(frame["amount"].cast(polars.Float64).sum() - amount) < 0.01, protocol
    assert frame["is_won"].sum() == int(company["OPPORTUNITIES_WON"]), protocol
parts = connectorx.read_sql(url, "SELECT push_count, amount FROM crm.opportunities WHERE push_count IS NOT NULL",
                            return_type="polars", partition_on="push_count", partition_num=3)
assert parts.height == count, parts.height
print(f"  connectorx {connectorx.__version__}: binary, csv, cursor, three partitions")
