"""dbt-postgres: debug, docs, and where the role owns a schema a table model, a view over it and tests."""
import json
import os
import pathlib
import subprocess
import sys
from decimal import Decimal
from urllib.parse import urlsplit

import psycopg

company = os.environ
url, work, schema = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
parts = urlsplit(url)
here = pathlib.Path(__file__).parent / "dbt"
work.mkdir(parents=True, exist_ok=True)
(work / "profiles.yml").write_text(json.dumps({
    "runrate": {"target": "test", "outputs": {"test": {
        "type": "postgres", "host": parts.hostname, "port": parts.port, "user": parts.username,
        "pass": parts.password, "dbname": parts.path[1:], "schema": schema, "threads": 2,
    }}}
}))


def dbt(*arguments):
    command = [str(pathlib.Path(sys.executable).parent / "dbt"), *arguments, "--project-dir", str(here),
               "--profiles-dir", str(work)]
    places = {"DBT_TARGET_PATH": str(work / "target"), "DBT_LOG_PATH": str(work / "logs")}
    ran = subprocess.run(command, capture_output=True, text=True, cwd=work, env=os.environ | places)
    if ran.returncode:
        raise SystemExit(f"dbt {' '.join(arguments)} failed\n{ran.stdout[-4000:]}{ran.stderr[-1000:]}")
    return ran.stdout


assert "All checks passed" in dbt("debug")
dbt("parse")
owns = False
with psycopg.connect(url, autocommit=True) as connection:
    owns = connection.execute("SELECT has_schema_privilege(%s, 'CREATE') FROM pg_namespace WHERE nspname = %s", (schema, schema)).fetchone()
    owns = bool(owns and owns[0])
if owns:
    for _ in range(2):
        # The second run replaces what the first one made.
        dbt("run")
    dbt("test")
    with psycopg.connect(url, autocommit=True) as connection:
        got = connection.execute(f"SELECT sum(deal_count), sum(amount) FROM {schema}.deals_by_owner").fetchone()
        assert got == (int(company["OPPORTUNITIES"]), Decimal(company["OPPORTUNITIES_AMOUNT"])), got
        names = connection.execute(f"SELECT count(*) FROM {schema}.owners").fetchone()[0]
        assert names > 5, names
dbt("docs", "generate")
catalog = json.loads((work / "target" / "catalog.json").read_text())
deals = catalog["sources"]["source.runrate_models.crm.opportunities"]
assert len(deals["columns"]) == int(company["OPPORTUNITIES_COLUMNS"]), len(deals["columns"])
assert deals["columns"]["amount"]["type"].startswith("numeric"), deals["columns"]["amount"]
assert deals["metadata"]["comment"] == "one deal", deals["metadata"]
if owns:
    assert catalog["nodes"]["model.runrate_models.owners"]["metadata"]["type"] == "VIEW"
made = "a table, a view, tests" if owns else f"no models, for the role does not own {schema}"
print(f"  dbt-postgres: debug, docs generate, {made}")
