#!/usr/bin/env bash
# psql: what a person types, with the answers compared.
set -euo pipefail
url=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs one command, fails on an error, and looks for each of the texts in what it prints.
asked=0
says() {
  local command=$1 text
  shift
  asked=$((asked + 1))
  psql -X "$url" -v ON_ERROR_STOP=1 -c "$command" > "$work/out" 2>&1 || { cat "$work/out"; echo "psql: $command failed"; exit 1; }
  ! grep -q 'ERROR' "$work/out" || { cat "$work/out"; echo "psql: $command"; exit 1; }
  for text in "$@"; do
    grep -qF -- "$text" "$work/out" || { cat "$work/out"; echo "psql: $command does not say: $text"; exit 1; }
  done
}

says '\conninfo' 'database "runrate"'
says '\l' 'runrate'
says '\l+' 'runrate'
says '\dn' 'crm' 'collect' 'ops'
says '\dn+' 'canonical tables'
says '\d' 'opportunities' 'users'
says '\d+' 'one deal'
says '\dt crm.*' "($CRM_TABLES rows)"
says '\dt+ crm.*' 'one deal' 'kB' "($CRM_TABLES rows)"
says '\dv collect.*' "($COLLECT_VIEWS rows)"
says '\dv+ collect.*' 'What is in the pipeline'
says '\d crm.opportunities' 'numeric(18,2)' 'timestamp with time zone' '"opportunities_pkey" PRIMARY KEY, btree (opportunity_id)' \
  'FOREIGN KEY (owner_id) REFERENCES crm.users(user_id)' 'TABLE "activities" CONSTRAINT "activities_opportunity_id_fkey"'
says '\d+ crm.opportunities' 'value of the deal'
says '\d+ collect.pipeline_snapshot' 'FROM collect.open_pipeline'
says '\d crm.opportunities_pkey' 'opportunity_id | text'
says '\d pg_catalog.pg_class' 'relname' 'reltuples'
says '\di crm.*' "($CRM_TABLES rows)"
says '\di+ crm.*' 'opportunities_pkey'
says '\du' 'demo'
says '\du+' 'demo'
says '\dg' 'demo'
says '\df lead_score' 'fit, engagement'
says '\df+ lead_score' 'lead_score'
says '\dfa' 'win_rate'
says '\dT' '(0 rows)'
says '\dT+ numeric' 'numeric'
says '\dp crm.*' 'opportunities'
says '\z crm.accounts' 'accounts'
says '\db' 'pg_default'
says '\db+' 'pg_default'
says '\dC' 'bigint'
says '\dtS pg_catalog.pg_cl*' 'pg_class'
says '\sv collect.pipeline_snapshot' 'FROM collect.open_pipeline'
says '\sf lead_score(anyelement,anyelement,anyelement,anyelement,anyelement)' 'CREATE OR REPLACE FUNCTION public.lead_score('
says '\do' 'rows)'
for quiet in '\ds' '\dm' '\dE' '\dx' '\dc' '\dd' '\dD' '\ddp' '\drds' '\dF' '\dFd' '\dFp' '\dFt' '\dO' '\dL' '\dy' '\des' '\dew' '\det' '\deu' \
  '\dRp' '\dRs' '\dX' '\dA' '\dA+' '\dP' '\dconfig' '\encoding' '\lo_list'; do
  says "$quiet"
done
says "SELECT count(*), sum(amount) FROM crm.opportunities" "$OPPORTUNITIES" "$OPPORTUNITIES_AMOUNT"

# \copy, FETCH_COUNT, variables and expanded output, in one session.
cat > "$work/script.sql" <<SQL
\\set ON_ERROR_STOP on
\\copy (SELECT opportunity_id, amount FROM crm.opportunities ORDER BY 1) TO '$work/deals.csv' WITH (FORMAT csv, HEADER)
\\set FETCH_COUNT 400
\\o $work/fetched
SELECT opportunity_id FROM crm.opportunities;
\\o
\\set FETCH_COUNT 0
\\set id '$FIRST_OPPORTUNITY'
\\x
SELECT amount FROM crm.opportunities WHERE opportunity_id = :'id';
\\x
SELECT 1 AS a \\gset
SELECT :a + 1 AS two;
SELECT amount FROM crm.opportunities LIMIT 1 \\gdesc
SQL
psql -X "$url" -f "$work/script.sql" > "$work/out"
[ "$(wc -l < "$work/deals.csv")" = "$((OPPORTUNITIES + 1))" ]
grep -q "($OPPORTUNITIES rows)" "$work/fetched"
grep -q "amount | $FIRST_OPPORTUNITY_AMOUNT" "$work/out"
grep -q 'numeric(18,2)' "$work/out"
echo "  $(psql --version): $asked commands, \\copy, FETCH_COUNT, \\gset, \\gdesc"
