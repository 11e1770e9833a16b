#!/usr/bin/env bash
# postgres_fdw: a PostgreSQL of its own reads Runrate's tables beside its own.
set -euo pipefail
url=$1
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
data=$(mktemp -d)
hostport=${url##*@}
hostport=${hostport%%/*}
login=${url#*://}
login=${login%%@*}
chmod 755 "$data"
chown nobody "$data"
# As root Postgres refuses to run.
as_nobody() { runuser -u nobody -- "$@"; }
stop() {
  as_nobody "$bin/pg_ctl" -D "$data/db" -m immediate -w stop > /dev/null 2>&1 || true
  rm -rf "$data"
}
trap stop EXIT
as_nobody "$bin/initdb" -D "$data/db" -U local -A trust > "$data/../initdb.$$" 2>&1 || { cat "$data/../initdb.$$"; exit 1; }
rm -f "$data/../initdb.$$"
as_nobody "$bin/pg_ctl" -D "$data/db" -o "-k $data -c listen_addresses=" -w -l "$data/db/log" start > /dev/null
ask() { psql -X -h "$data" -U local -d postgres -v ON_ERROR_STOP=1 -At "$@"; }

ask -q <<SQL
CREATE EXTENSION postgres_fdw;
CREATE SERVER runrate FOREIGN DATA WRAPPER postgres_fdw
  OPTIONS (host '${hostport%%:*}', port '${hostport##*:}', dbname 'runrate', fetch_size '500');
CREATE USER MAPPING FOR local SERVER runrate OPTIONS (user '${login%%:*}', password '${login#*:}');
CREATE SCHEMA crm;
IMPORT FOREIGN SCHEMA crm FROM SERVER runrate INTO crm;
CREATE SCHEMA collect;
IMPORT FOREIGN SCHEMA collect LIMIT TO (pipeline_snapshot) FROM SERVER runrate INTO collect;
CREATE TABLE regions (user_id text PRIMARY KEY, region text);
INSERT INTO regions SELECT user_id, CASE WHEN row_number() OVER (ORDER BY user_id) % 2 = 0 THEN 'north' ELSE 'south' END FROM crm.users;
SQL
equal() { [ "$2" = "$3" ] || { echo "postgres_fdw: $1: expected $2, got $3"; exit 1; }; }
equal tables "$CRM_TABLES" "$(ask -c "SELECT count(*) FROM information_schema.foreign_tables WHERE foreign_table_schema = 'crm'")"
equal deals "$OPPORTUNITIES|$OPPORTUNITIES_AMOUNT" "$(ask -c 'SELECT count(*), sum(amount) FROM crm.opportunities')"
equal type 'numeric(18,2)' "$(ask -c "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'crm.opportunities'::regclass AND attname = 'amount'")"
equal joined "$OPPORTUNITIES" "$(ask -c 'SELECT count(*) FROM crm.opportunities o JOIN regions r ON r.user_id = o.owner_id')"
equal won "$OPPORTUNITIES_WON" "$(ask -c "SELECT count(*) FROM crm.opportunities WHERE is_won AND close_date >= date '$FIRST_CLOSE_DATE'")"
ask -c "EXPLAIN VERBOSE SELECT owner_id, sum(amount) FROM crm.opportunities WHERE stage_id = 'x' GROUP BY 1" > "$data/plan"
grep -q 'Remote SQL: SELECT' "$data/plan"
equal view 5 "$(ask -c 'SELECT count(DISTINCT stage_label) FROM collect.pipeline_snapshot')"
echo "  postgres_fdw of $("$bin/postgres" --version): import of $CRM_TABLES tables, join with a local table, pushed down filters, EXPLAIN VERBOSE"
