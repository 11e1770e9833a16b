#!/usr/bin/env bash
# pgcli: lists the database, and answers a query with completion loaded behind it.
set -euo pipefail
url=$1
pgcli=$2
export XDG_CONFIG_HOME=$3
listed=$("$pgcli" --list "$url" < /dev/null 2>&1)
grep -q 'runrate' <<< "$listed" || { echo "$listed"; exit 1; }
out=$(echo "SELECT count(*) AS deals, sum(amount) AS money FROM crm.opportunities;" | timeout 60 "$pgcli" --less-chatty "$url" 2>&1)
grep -q "$OPPORTUNITIES" <<< "$out" && grep -q "$OPPORTUNITIES_AMOUNT" <<< "$out" || { echo "$out"; exit 1; }
echo "  pgcli $("$pgcli" --version | grep -oE '[0-9.]+' | head -1): --list, a query"
