"""A PostgreSQL with Odoo's CRM tables, synced into a lake, changed, synced again and compared.

The connection is encrypted with a certificate of our own authority, and the login has a password:
both are what a company has. The rows are compared as text, column by column, both ways.
"""
import csv
import io
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
PORT = int(os.environ.get("PORT", "5540"))
PASSWORD = "canary-Tz8-sources"
PROGRAMS = pathlib.Path("/usr/lib/postgresql/15/bin")
FAULTS = []


def check(is_right, what):
    print(("ok      " if is_right else "WRONG   ") + what)
    if not is_right:
        FAULTS.append(what)


def unprivileged():
    """PostgreSQL refuses to run as root; words to put before its commands."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


def certificates(base):
    """An authority and a certificate of it for 127.0.0.1, and an authority that signed nothing."""
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, cwd=base, stderr=subprocess.DEVNULL)
    for name in ["root", "stranger"]:
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem",
                "-addext", "basicConstraints=critical,CA:TRUE")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    (base / "server.ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "root.pem", "-CAkey", "root.key",
            "-CAcreateserial", "-days", "2", "-extfile", "server.ext", "-out", "server.pem")


class Postgres:
    def __init__(self, base):
        if not (PROGRAMS / "initdb").exists():
            print("PostgreSQL 15 is not installed: apt-get install postgresql-15")
            raise SystemExit(75)
        become, home = unprivileged(), base / "postgres"
        home.mkdir()
        for name in ["server.key", "server.pem"]:
            shutil.copy(base / name, home)
        (home / "password").write_text(PASSWORD + "\n")
        if become:
            for path in [home, *home.iterdir()]:
                shutil.chown(path, "nobody", "nogroup")
            os.chmod(base, 0o755)
        os.chmod(home / "server.key", 0o600)
        subprocess.run(
            [*become, PROGRAMS / "initdb", "-D", home / "data", "-U", "odoo", "-E", "UTF8", "--locale=C.UTF-8",
             "-A", "scram-sha-256", "--pwfile", home / "password", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*become, PROGRAMS / "postgres", "-D", home / "data", "-p", str(PORT), "-h", "127.0.0.1", "-k", "",
             "-c", "fsync=off", "-c", "timezone=Europe/Brussels", "-c", "ssl=on",
             "-c", f"ssl_cert_file={home / 'server.pem'}", "-c", f"ssl_key_file={home / 'server.key'}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            if subprocess.run([PROGRAMS / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(PORT)]).returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit("PostgreSQL did not start")

    def run(self, sql):
        environment = {**os.environ, "PGPASSWORD": PASSWORD, "PGSSLMODE": "require"}
        done = subprocess.run(
            [PROGRAMS / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(PORT), "-U", "odoo",
             "-d", "postgres", "--csv", "-t"],
            input=sql, text=True, capture_output=True, env=environment)
        if done.returncode:
            raise SystemExit(f"psql: {done.stderr}\n{sql[:400]}")
        return sorted(tuple(row) for row in csv.reader(io.StringIO(done.stdout)))


class Runrate:
    def __init__(self, binary, base):
        self.binary, self.base = binary, base
        self.config({})

    def config(self, changes, crm="template", schema="outgoing", watermark="updated_at", tables=()):
        keys = {
            "kind": "postgres", "crm": crm, "location": f"host=127.0.0.1 port={PORT} dbname=postgres",
            "user": "odoo", "password_env": "ODOO_PASSWORD", "tls_root": str(self.base / "root.pem"),
            "schema": schema, "watermark": watermark, "tables": list(tables), **changes,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in keys.items() if value is not None]
        (self.base / "runrate.toml").write_text("[source.odoo]\n" + "\n".join(lines) + "\n")

    def call(self, *words, password=PASSWORD):
        environment = {**os.environ, "ODOO_PASSWORD": password, "RUST_LOG": "debug"}
        done = subprocess.run(
            [self.binary, "--config", self.base / "runrate.toml", "--lake", self.base / "lake", *words],
            capture_output=True, text=True, env=environment)
        said = done.stdout + done.stderr
        if password in said:
            check(False, f"the password is in the output of {words}")
        return done.returncode, said

    def rows(self, sql):
        done = subprocess.run(
            [self.binary, "--lake", self.base / "lake", "query", sql, "--format", "csv"],
            capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{sql}: {done.stderr}")
        return sorted(tuple(row) for row in list(csv.reader(io.StringIO(done.stdout)))[1:])

    def counts(self, said):
        """Rows read, loaded, quarantined and known already, of all objects."""
        total = [line for line in said.splitlines() if line.startswith("total")]
        return [int(word) for word in total[0].split()[1:]] if total else [0, 0, 0, 0]


def fill(postgres, seed):
    pick = random.Random(seed)
    postgres.run((HERE / "odoo.sql").read_text())
    leads = []
    for n in range(1, 501):
        name = pick.choice(["Résumé; renewal", 'A "quoted" deal', "Deal\nof two lines", "Plain", "C:\\temp", "tab\there"])
        leads.append(
            f"({n}, $q${name} {n}$q$, '{pick.choice(['lead', 'opportunity'])}', {pick.randint(1, 40)}, "
            f"{pick.randint(1, 4)}, {pick.randint(1, 5)}, {pick.randint(1, 3)}, "
            f"{pick.choice(['NULL', '0', str(pick.randint(1, 10**9) / 100)])}, {pick.randint(0, 100)}, "
            f"{pick.choice(['true', 'true', 'false'])}, '2026-0{pick.randint(1, 9)}-1{pick.randint(0, 9)}', "
            f"'2026-01-01 10:00:00.{n:06d}', '2026-0{pick.randint(1, 9)}-0{pick.randint(1, 9)} 08:30:00.{n:06d}')")
    postgres.run(
        "INSERT INTO crm_lead (id, name, type, partner_id, user_id, stage_id, team_id, expected_revenue, probability, "
        f"active, date_deadline, create_date, write_date) VALUES {', '.join(leads)}")


def template(postgres, runrate):
    """Views that are named like canonical tables, which any home-made CRM can have."""
    there = """SELECT id::text, name, coalesce(expected_revenue::numeric(18,2)::text, ''), stage_id::text,
        to_char(write_date, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') FROM crm_lead WHERE type = 'opportunity'"""
    here = """SELECT opportunity_id, name, amount, stage_id,
        to_char(updated_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at FROM crm.opportunities"""
    code, said = runrate.call("sync", "odoo", "--dry-run")
    check(code == 0 and not runrate.rows(here), f"a dry run writes nothing (exit {code})")
    code, said = runrate.call("sync", "odoo")
    check(code == 0, f"the first sync loads (exit {code})" + ("" if code == 0 else said[-2000:]))
    check(runrate.rows(here) == postgres.run(there), "the lake equals the source")
    code, said = runrate.call("sync", "odoo")
    read, loaded, _, _ = runrate.counts(said)
    check(code == 0 and read < 60, f"a second sync reads {read} rows, not all of them, and loads {loaded}")
    odd = runrate.rows("SELECT opportunity_id, extra FROM crm.opportunities WHERE opportunity_id = '7001'")
    check(not odd, "rows that are not there yet are not there")
    postgres.run("""
        UPDATE crm_lead SET expected_revenue = 123456789012.34, write_date = '2026-11-25 09:00:00.000001'
            WHERE id % 25 = 0;
        -- Committed late: its time is older than the newest, but not by more than the overlap.
        UPDATE crm_lead SET name = 'late', write_date = '2026-11-25 08:30:00' WHERE id = 7;
        INSERT INTO crm_lead (id, name, type, stage_id, active, write_date, x_odd)
            VALUES (7001, E'line\\n"quoted", \\\\ and \\u2028' || repeat(E'\\nmore', 300), 'opportunity', 1, true,
                    '2026-11-25 09:30:00', ROW('NaN', 0.1::float8 + 0.2, '1 year 2 days', '\\xDEAD',
                    ARRAY[1, NULL], '{"a": [1, 2]}', true, 12345678901234567890.123456789)::odd)""")
    code, said = runrate.call("sync", "odoo")
    read, loaded, quarantined, _ = runrate.counts(said)
    check(code == 0 and 0 < loaded < 60 and quarantined == 0, f"changes are {read} rows, {loaded} loaded (exit {code})")
    check(runrate.rows(here) == postgres.run(there), "the lake equals the changed source")
    extra = json.loads(runrate.rows("SELECT opportunity_id, extra FROM crm.opportunities WHERE opportunity_id = '7001'")[0][1])
    wanted = {"x_decimal": "NaN", "x_float": "0.30000000000000004", "x_interval": "P1Y2D", "x_bytes": "\\xdead",
              "x_list": "{1,NULL}", "x_json": '{"a": [1, 2]}', "x_flag": "true", "x_exact": "12345678901234567890.123456789"}
    check(extra == wanted, f"columns that no mapping takes keep every digit: {extra}")
    # A row from the future does not hide what changes before it.
    postgres.run("UPDATE crm_lead SET name = 'far', type = 'opportunity', write_date = '2999-01-01' WHERE id = 50")
    runrate.call("sync", "odoo")
    postgres.run("UPDATE crm_lead SET name = 'near', type = 'opportunity', write_date = now() AT TIME ZONE 'UTC' WHERE id = 51")
    runrate.call("sync", "odoo")
    check(runrate.rows(here) == postgres.run(there), "a row from the future does not hide a change of today")
    code, said = runrate.call("sync", "odoo", "--full")
    all_of_them = len(postgres.run(there))
    check(code == 0 and runrate.counts(said)[0] == all_of_them, f"--full reads all {all_of_them} again (exit {code})")
    check(runrate.rows(here) == postgres.run(there), "and changes nothing")
    lines = runrate.rows("SELECT object, sum(rows_read) - sum(rows_loaded) - sum(rows_quarantined) - sum(rows_duplicate) "
                         "FROM ops.ingest_runs GROUP BY object")
    check(all(row[1] == "0" for row in lines) and lines, f"rows read are loaded, quarantined or known: {lines}")
    left = list((runrate.base / "lake" / "_sources" / "odoo").iterdir())
    check(not any(path.name == "copies" for path in left), "copies are gone")


def refusals(runrate):
    for changes, words, password, wanted in [
        ({}, ["sync", "odoo"], "canary-wrong-password", "password authentication failed"),
        ({"tls_root": str(runrate.base / "stranger.pem")}, ["sync", "odoo"], PASSWORD, "cannot connect"),
        ({"tables": ["opportunities", "quotas"]}, ["sync", "odoo"], PASSWORD, "table quotas is not there"),
        ({"tables": ["no_such"]}, ["sync", "odoo"], PASSWORD, "no mapping of template reads no_such"),
        ({"schema": "nowhere"}, ["sync", "odoo"], PASSWORD, "has no table that a mapping of template reads"),
        ({"watermark": "name"}, ["sync", "odoo"], PASSWORD, "which is no time"),
    ]:
        runrate.config(changes)
        code, said = runrate.call(*words, password=password)
        check(code not in (0, 3) and wanted in said, f"refused: {wanted} (exit {code})" + ("" if wanted in said else said[-600:]))


# Each canonical table beside the tables of Odoo that it is made of.
SAME = {
    "deals": (
        """SELECT opportunity_id, name, amount, owner_id, territory_id, is_won::text,
            to_char(updated_at, 'YYYY-MM-DD HH24:MI:SS.US') AS at FROM crm.opportunities""",
        """SELECT l.id::text, l.name, l.expected_revenue::numeric(18,2)::text, coalesce(user_id::text, 'unassigned'),
            l.team_id::text, s.is_won::text, to_char(l.write_date, 'YYYY-MM-DD HH24:MI:SS.US')
            FROM crm_lead l JOIN crm_stage s ON s.id = l.stage_id WHERE l.type = 'opportunity'"""),
    "leads": (
        "SELECT lead_id, email, company, owner_id FROM crm.leads",
        """SELECT l.id::text, lower(coalesce(l.email_from, p.email)), l.name, l.user_id::text
            FROM crm_lead l JOIN res_partner p ON p.id = l.partner_id WHERE l.type = 'lead'"""),
    "companies": (
        "SELECT account_id, name FROM crm.accounts",
        "SELECT id::text, name FROM res_partner WHERE is_company"),
    "people": (
        "SELECT contact_id, account_id, email FROM crm.contacts",
        "SELECT id::text, parent_id::text, email FROM res_partner WHERE NOT is_company"),
    "users": (
        "SELECT user_id, name, team FROM crm.users",
        """SELECT u.id::text, p.name, t.name->>'en_US' FROM res_users u JOIN res_partner p ON p.id = u.partner_id
            JOIN crm_team t ON t.id = u.sale_team_id"""),
    "teams": (
        "SELECT territory_id, name FROM crm.territories",
        "SELECT id::text, name->>'en_US' FROM crm_team"),
    "stages": (
        "SELECT stage_id, label, ordinal, is_won::text FROM crm.stage_definitions WHERE stage_id <> 'lost'",
        """SELECT id::text, name->>'en_US', row_number() OVER (ORDER BY sequence, id), is_won::text FROM crm_stage"""),
    "rates": (
        "SELECT source_id, from_ccy, to_ccy, valid_from, valid_to FROM crm.fx_rates",
        """SELECT id::text, 'USD', 'EUR', name, lead(name) OVER (ORDER BY name) FROM res_currency_rate"""),
    "states": (
        """SELECT opportunity_id, stage_id, to_char(valid_from, 'YYYY-MM-DD HH24:MI:SS'), coalesce(to_char(valid_to,
            'YYYY-MM-DD HH24:MI:SS'), '') FROM crm.opportunity_stage_history
            WHERE history_quality = 'recorded' AND NOT is_deleted""",
        """WITH moved AS (
                SELECT m.res_id, m.date AS at, v.old_value_integer AS was, v.new_value_integer AS became
                FROM mail_tracking_value v JOIN mail_message m ON m.id = v.mail_message_id),
            begun AS (SELECT l.id, l.create_date AS at,
                    (SELECT was FROM moved WHERE res_id = l.id ORDER BY at LIMIT 1) AS stage
                FROM crm_lead l WHERE l.id IN (SELECT res_id FROM moved)
                UNION ALL SELECT res_id, at, became FROM moved)
            SELECT id::text, stage::text, to_char(at, 'YYYY-MM-DD HH24:MI:SS'),
                coalesce(to_char(lead(at) OVER (PARTITION BY id ORDER BY at), 'YYYY-MM-DD HH24:MI:SS'), '') FROM begun"""),
}


def compare(postgres, runrate, when):
    for what, (here, there) in SAME.items():
        ours, theirs = runrate.rows(here), postgres.run(there)
        odd = [row for row in ours if row not in theirs][:2] + [row for row in theirs if row not in ours][:2]
        check(ours == theirs and theirs, f"Odoo, {when}: {what} are equal ({len(theirs)})" + (f": {odd}" if odd else ""))


def odoo(postgres, runrate):
    """Odoo's own tables through Odoo's own mapping."""
    runrate.config({}, crm="odoo", schema="public", watermark="write_date")
    # A deal that is put away counts as deleted here, and a lost one is in a stage of its own.
    postgres.run("UPDATE crm_lead SET active = true, type = CASE WHEN id = 5 THEN 'opportunity' ELSE type END")
    track(postgres, 1, 5, 1, 2, "2026-03-01 10:00:00")
    code, said = runrate.call("sync", "odoo")
    check(code == 0, f"Odoo: the first sync loads (exit {code})" + ("" if code == 0 else said[-3000:]))
    compare(postgres, runrate, "first")
    # A stage becomes won: no lead changed, and yet all of them did. A rate ends where the next begins.
    postgres.run("""UPDATE crm_stage SET is_won = true, write_date = '2026-11-25 10:00:00' WHERE id = 2;
        UPDATE crm_lead SET name = 'changed', write_date = '2026-11-25 10:00:00' WHERE id % 20 = 1;
        UPDATE res_partner SET name = 'Renamed', write_date = '2026-11-25 10:00:00' WHERE id IN (3, 41);
        INSERT INTO res_partner SELECT 100, 'New', true, NULL, 100, 'new@acme.example', NULL, NULL, true, 1,
            '2026-11-25 10:00:00', '2026-11-25 10:00:00';
        INSERT INTO res_currency_rate VALUES (3, '2026-03-01', 1.1, 2, 1, '2026-11-25 10:00:00')""")
    track(postgres, 2, 5, 2, 3, "2026-04-01 10:00:00")
    code, said = runrate.call("sync", "odoo")
    check(code == 0, f"Odoo: the second sync loads (exit {code})" + ("" if code == 0 else said[-3000:]))
    compare(postgres, runrate, "then")
    code, said = runrate.call("sync", "odoo")
    check(code == 0 and "no row changed since the last time" in said, f"Odoo: a third sync finds nothing (exit {code})")


def track(postgres, number, deal, was, now, at):
    """A change of stage, as Odoo tracks it."""
    postgres.run(f"""UPDATE crm_lead SET stage_id = {now}, write_date = '2026-11-25 10:00:00' WHERE id = {deal};
        INSERT INTO mail_message VALUES ({number}, 'crm.lead', {deal}, '{at}', 41, NULL, 'notification', NULL, '2026-11-25 10:00:00');
        INSERT INTO mail_tracking_value VALUES ({number}, {number}, 1, {was}, {now}, NULL, NULL, NULL, NULL, '2026-11-25 10:00:00')""")


def main():
    binary = str(pathlib.Path(sys.argv[1]).resolve())
    base = pathlib.Path(tempfile.mkdtemp(prefix="runrate-sources-"))
    postgres = None
    try:
        certificates(base)
        postgres, runrate = Postgres(base), Runrate(binary, base)
        fill(postgres, 7)
        template(postgres, runrate)
        refusals(runrate)
        shutil.rmtree(base / "lake")
        odoo(postgres, runrate)
    finally:
        if postgres:
            postgres.process.terminate()
            postgres.process.wait()
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(FAULTS)} wrong")
    raise SystemExit(1 if FAULTS else 0)


main()
