"""SQLAlchemy 2 through psycopg and psycopg2: what Superset, dbt's tools and notebooks stand on."""
import os
import sys
from decimal import Decimal

import sqlalchemy as sa

company = os.environ
url = sys.argv[1]

for driver in ("psycopg", "psycopg2"):
    engine = sa.create_engine(url.replace("postgresql:", f"postgresql+{driver}:"), pool_size=2)
    inspector = sa.inspect(engine)
    assert engine.connect().close() is None
    assert engine.dialect.server_version_info >= (14,), engine.dialect.server_version_info
    schemas = inspector.get_schema_names()
    assert {"crm", "collect", "ops", "information_schema"} <= set(schemas), schemas
    assert inspector.default_schema_name == "crm", inspector.default_schema_name
    tables = inspector.get_table_names(schema="crm")
    assert len(tables) == int(company["CRM_TABLES"]), tables
    assert inspector.get_table_names() == tables
    views = inspector.get_view_names(schema="collect")
    assert len(views) == int(company["COLLECT_VIEWS"]), views
    assert "FROM collect.open_pipeline" in inspector.get_view_definition("pipeline_snapshot", "collect")
    columns = {c["name"]: c for c in inspector.get_columns("opportunities", schema="crm")}
    assert len(columns) == int(company["OPPORTUNITIES_COLUMNS"]), list(columns)
    amount = columns["amount"]
    assert isinstance(amount["type"], sa.Numeric), amount
    assert (amount["type"].precision, amount["type"].scale) == (18, 2), amount
    assert amount["nullable"] and amount["comment"].startswith("value of the deal"), amount
    assert not columns["opportunity_id"]["nullable"]
    assert isinstance(columns["created_at"]["type"], sa.DateTime) and columns["created_at"]["type"].timezone
    assert isinstance(columns["close_date"]["type"], sa.Date)
    assert isinstance(columns["is_won"]["type"], sa.Boolean)
    assert isinstance(columns["push_count"]["type"], sa.BigInteger)
    key = inspector.get_pk_constraint("opportunities", schema="crm")
    assert key["constrained_columns"] == ["opportunity_id"], key
    foreign = inspector.get_foreign_keys("opportunities", schema="crm")
    pairs = {(k["constrained_columns"][0], k["referred_table"]) for k in foreign}
    assert ("owner_id", "users") in pairs and len(pairs) == int(company["OPPORTUNITIES_FOREIGN_KEYS"]), pairs
    assert inspector.get_indexes("opportunities", schema="crm") == []
    assert inspector.get_unique_constraints("opportunities", schema="crm") == []
    assert inspector.get_check_constraints("opportunities", schema="crm") == []
    assert inspector.get_table_comment("opportunities", schema="crm")["text"] == "one deal"
    assert inspector.get_sequence_names(schema="crm") == []
    assert inspector.get_materialized_view_names(schema="crm") == []
    assert inspector.get_enums(schema="*") == []
    assert inspector.has_table("opportunities", schema="crm")
    assert not inspector.has_table("nothing_here", schema="crm")

    meta = sa.MetaData(schema="crm")
    meta.reflect(engine)
    assert len(meta.tables) == int(company["CRM_TABLES"]), len(meta.tables)
    deals, users = meta.tables["crm.opportunities"], meta.tables["crm.users"]
    assert {k.target_fullname for k in deals.c.owner_id.foreign_keys} == {"crm.users.user_id"}
    with engine.connect() as connection:
        total = connection.execute(sa.select(sa.func.count(), sa.func.sum(deals.c.amount))).one()
        assert total == (int(company["OPPORTUNITIES"]), Decimal(company["OPPORTUNITIES_AMOUNT"])), total
        # The join is found through the reflected key.
        owned = sa.select(sa.func.count()).select_from(deals.join(users, deals.c.owner_id == users.c.user_id))
        assert connection.scalar(owned) == int(company["OPPORTUNITIES"])
        some = sa.select(deals.c.opportunity_id).where(deals.c.opportunity_id.in_([company["FIRST_OPPORTUNITY"], "x"]))
        assert connection.scalars(some).all() == [company["FIRST_OPPORTUNITY"]]
        streamed = connection.execution_options(stream_results=True, max_row_buffer=200)
        rows = streamed.execute(sa.select(deals.c.amount).where(deals.c.amount.is_not(None)))
        assert sum((row[0] for row in rows), Decimal(0)) == Decimal(company["OPPORTUNITIES_AMOUNT"])
        by_stage = sa.select(deals.c.stage_id, sa.func.count()).group_by(deals.c.stage_id).order_by(sa.desc(sa.literal_column("2"))).limit(3)
        assert len(connection.execute(by_stage).all()) == 3
    engine.dispose()
    print(f"  {driver} {sys.modules[driver].__version__}: inspector, reflection of {len(meta.tables)} tables, streaming")
print(f"  SQLAlchemy {sa.__version__}")
