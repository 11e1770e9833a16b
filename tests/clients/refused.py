"""Statements that write, define, copy or reach outside must be refused, each with its SQLSTATE."""
import sys

import psycopg

REFUSED = [
    "INSERT INTO crm.accounts (account_id) VALUES ('x')",
    "UPDATE crm.accounts SET name = 'x'",
    "DELETE FROM crm.accounts",
    "TRUNCATE crm.accounts",
    "MERGE INTO crm.accounts a USING crm.leads l ON a.account_id = l.lead_id WHEN MATCHED THEN DELETE",
    "CREATE TABLE t (a int)",
    "CREATE TABLE t AS SELECT 1 AS a",
    "SELECT 1 AS a INTO t",
    "CREATE VIEW v AS SELECT 1 AS a",
    "CREATE SCHEMA s",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE crm.accounts ADD COLUMN x int",
    "DROP TABLE crm.accounts",
    "DROP VIEW collect.win_loss",
    "COPY crm.accounts TO '/tmp/accounts.csv'",
    "COPY (SELECT 1) TO '/tmp/one.csv'",
    "COPY crm.accounts FROM '/etc/passwd'",
    "COPY crm.accounts FROM PROGRAM 'id'",
    "EXPLAIN ANALYZE INSERT INTO crm.accounts (account_id) VALUES ('x')",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/one.csv'",
    "WITH gone AS (DELETE FROM crm.accounts RETURNING account_id) SELECT * FROM gone",
    "GRANT ALL ON crm.accounts TO public",
    "CREATE ROLE intruder",
    "VACUUM",
    "SET datafusion.runtime.memory_limit = '900G'",
    "SET datafusion.execution.batch_size = 1",
    "LOAD 'library'",
    "CALL anything()",
    "DO $$ BEGIN END $$",
]
ALLOWED = {"42501", "0A000", "42601", "42704", "42883"}

with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for prepare in (False, True):
        for sql in REFUSED:
            try:
                connection.execute(sql, prepare=prepare)
                raise SystemExit(f"accepted: {sql}")
            except psycopg.Error as error:
                if error.sqlstate not in ALLOWED:
                    raise SystemExit(f"{error.sqlstate} {error}: {sql}")
                if not prepare:
                    print(f"{error.sqlstate}  {sql[:70]}")
print(f"{len(REFUSED)} statements refused, twice each")
