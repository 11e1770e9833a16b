"""What a lake promises holds in a bucket too: the same input gives the same rows as on a disk."""
import concurrent.futures
import contextlib
import csv
import io
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "harness"))
import server as harness  # noqa: E402
from s3 import BUCKET, serving  # noqa: E402

BINARY, ROOT = sys.argv[1], pathlib.Path(sys.argv[2])
CRM = "crm_sales_opportunities"
PASSWORD = "canary-Pw-s3-lake"
# Columns that say when, and where in the history of a table.
WHEN = {"_ingested_at", "started_at", "finished_at", "quarantined_at", "version", "committed_version"}
FAULTS = []
BEGUN = time.monotonic()


def check(is_right, what):
    print(f"{'ok      ' if is_right else 'WRONG   '}{what} ({time.monotonic() - BEGUN:.0f} s)", flush=True)
    if not is_right:
        FAULTS.append(what)


def compare(found, wanted, what):
    """Checks that two lakes hold the same, and names what differs."""
    check(found == wanted and len(wanted) > 8, f"{what}: {sum(map(len, wanted.values()))} rows")
    for name in sorted(found.keys() | wanted.keys()):
        ours, theirs = found.get(name, []), wanted.get(name, [])
        if ours != theirs:
            pairs = [(set(a) - set(b), set(b) - set(a)) for a, b in zip(ours, theirs) if a != b]
            print(f"        {name}: {len(ours)} and {len(theirs)} rows, {pairs[:1]}")


class Lake:
    """A lake and the processes that work on it."""

    def __init__(self, place, environment):
        self.place, self.environment = place, {**environment, "RUNRATE_LAKE": place}

    def start(self, *words):
        return subprocess.Popen([BINARY, *words], env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run(self, *words, codes=(0,)):
        done = subprocess.run([BINARY, *words], env=self.environment, text=True, capture_output=True)
        if done.returncode not in codes:
            raise SystemExit(f"runrate {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def ingest(self, path, crm=CRM):
        return self.run("ingest", crm, str(path))

    def query(self, sql):
        text = self.run("query", "--format", "csv", sql)
        return list(csv.DictReader(io.StringIO(text)))

    @contextlib.contextmanager
    def served(self, **settings):
        """A server of the lake, and a function that asks it through psql."""
        folder = tempfile.mkdtemp(dir=os.getcwd())
        environment = {**self.environment, "RUNRATE_LISTEN": "127.0.0.1:0", "RUNRATE_HTTP": "127.0.0.1:0",
                       "RUNRATE_ROLES_FILE": os.path.abspath("roles"), **settings,
                       "RUNRATE_PLAN_TIMEOUT_MS": "60000",
                       "RUNRATE_AUDIT_FILE": folder + "/audit.jsonl"}
        with harness.serving(BINARY, environment, folder) as server:
            host, port = server.address

            def psql(sql, *words):
                words = words or ("-A", "-t")
                done = subprocess.run(
                    ["psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", host, "-p", str(port),
                     "-U", "analyst", "-d", "runrate", *words, "-f", "-"], input=sql,
                    env={**os.environ, "PGPASSWORD": PASSWORD}, text=True, capture_output=True)
                return done.stdout.strip() or done.stderr.strip()
            yield psql
        FAULTS.extend(server.failures)

    def everything(self):
        """Every stored row of crm and ops as psql reads it, without its times, sorted."""
        with self.served() as psql:
            names = psql("SELECT table_schema || '.' || table_name FROM information_schema.tables "
                         "WHERE table_schema = 'crm' AND table_type = 'BASE TABLE' ORDER BY 1").split()
            names += ["ops.ingest_runs", "ops.quarantine", "ops.reconciliation"]
            script = "".join(f"\\echo =={name}\nSELECT * FROM {name};\n" for name in names)
            text = psql(script, "--csv")
        found = {}
        for part in ("\n" + text).split("\n==")[1:]:
            name, _, rows = part.partition("\n")
            rows = csv.DictReader(io.StringIO(rows))
            rows = [{**row, "file": os.path.basename(row["file"])} if "file" in row else row for row in rows]
            kept = [tuple(sorted((k, v) for k, v in row.items() if k not in WHEN)) for row in rows]
            if kept:
                found[name] = sorted(kept)
        return found


def settled(found):
    """The same, whichever of two runs of a load brought a row: the second counts it as a duplicate."""
    def one(row):
        row = dict(row)
        there = [int(row.pop(name)) for name in ("rows_loaded", "rows_duplicate") if name in row]
        return tuple(sorted({**row, "rows_there": str(sum(there))}.items()))
    return {name: sorted(map(one, rows)) if name.startswith("ops.") else rows for name, rows in found.items()}


def export(folder, seed):
    """The sample with other amounts and as many new rows again; another one for each seed."""
    folder.mkdir(parents=True)
    dice = random.Random(seed)
    for path in (ROOT / "datasets" / CRM / "sample").glob("*.csv"):
        lines = path.read_text().splitlines()
        if path.stem == "sales_pipeline" and seed:
            rows = list(csv.DictReader(lines))
            for row in rows:
                if row["close_value"]:
                    row["close_value"] = str(dice.randrange(1, 9999))
            rows += [{**row, "opportunity_id": f"N{seed}{row['opportunity_id']}"} for row in rows]
            out = io.StringIO()
            writer = csv.DictWriter(out, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
            lines = out.getvalue().splitlines()
        (folder / path.name).write_text("\n".join(lines) + "\n")
    return folder


def products(folder, name, count):
    """`count` products that nobody else has, and one that everybody has."""
    folder.mkdir(parents=True)
    rows = [f"{name}-{n},Product {n},{n}.50,EUR,2026-01-01T00:00:00Z" for n in range(count)]
    rows.append("shared,Shared,7.00,EUR,2026-01-01T00:00:00Z")
    text = "product_id,name,list_price,currency,updated_at\n" + "\n".join(rows) + "\n"
    (folder / "products.csv").write_text(text)
    return folder


def same_as_local(base, remote, local):
    first, second = export(base / "first", 0), export(base / "second", 1)
    for lake in [remote, local]:
        lake.ingest(first)
    before = remote.everything()
    compare(before, local.everything(), "a first load equals that of a local lake")
    said = remote.ingest(first)
    check("loaded before" in said and remote.everything() == before, "the same again does nothing")
    for lake in [remote, local]:
        lake.ingest(second)
    after = remote.everything()
    compare(after, local.everything(), "changes are merged as in a local lake")
    check(after != before, "and are changes")


def writers_at_once(base, environment):
    lake = Lake(f"s3://{BUCKET}/many", environment)
    folders = [products(base / f"many-{n}", f"w{n}", 40 + n) for n in range(4)]
    started = [lake.start("ingest", "template", str(folder)) for folder in folders]
    ends = [process.communicate() + (process.returncode,) for process in started]
    wrong = [end for end in ends if end[2] != 0]
    check(not wrong, f"four writers at once all come through {wrong}")
    counts = lake.query("SELECT count(*) AS n, count(DISTINCT product_id) AS d FROM crm.products")
    check(counts == [{"n": "167", "d": "167"}], f"and lose and double nothing: {counts}")
    runs = lake.query("SELECT count(DISTINCT batch_id) AS n, sum(rows_read) AS r FROM ops.ingest_runs")
    check(runs == [{"n": "4", "r": "170"}], f"each batch is in the ledger once: {runs}")


def same_batch_at_once(base, environment):
    lake = Lake(f"s3://{BUCKET}/twins", environment)
    folder = products(base / "twins", "t", 25)
    started = [lake.start("ingest", "template", str(folder)) for _ in range(3)]
    ends = [process.communicate() + (process.returncode,) for process in started]
    check(all(end[2] == 0 for end in ends), "the same batch three times at once")
    counts = lake.query("SELECT count(*) AS n FROM crm.products")
    runs = lake.query("SELECT count(*) AS n, sum(rows_loaded) AS r FROM ops.ingest_runs")
    check((counts, runs) == ([{"n": "26"}], [{"n": "1", "r": "26"}]), f"is loaded once: {counts} {runs}")


def killed(place, share, took, source, environment):
    """A load that is killed on its way, and the same again; what the lake then holds."""
    lake = Lake(place, environment)
    process = lake.start("ingest", CRM, str(source))
    time.sleep(took * share)
    was_running = process.poll() is None
    process.kill()
    process.communicate()
    lake.ingest(source)
    return was_running, lake.everything()


def kills(base, environment):
    local = Lake(str(base / "unharmed"), environment)
    source = export(base / "kills", 2)
    local.ingest(source)
    wanted = settled(local.everything())
    started = time.monotonic()
    Lake(f"s3://{BUCKET}/timed", environment).ingest(source)
    # Several at once are slower than one alone.
    took, count = (time.monotonic() - started) * 2, 6
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        ends = list(pool.map(lambda n: killed(
            f"s3://{BUCKET}/killed-{n}", (n + 0.5) / count, took, source, environment), range(count)))
    met = sum(end[0] for end in ends)
    check(met >= 2, f"{met} of {count} kills met a running load")
    for number, (_, found) in enumerate(ends):
        compare(settled(found), wanted, f"lake {number} is exact after the same load again")


def serves(base, bucket, environment):
    """Reads and writes of a server whose lake is in the bucket, through psql."""
    lake = Lake(f"s3://{BUCKET}/one", environment)
    with lake.served(RUNRATE_REFRESH_INTERVAL_MS="200") as psql:
        before = int(psql("SELECT count(*) FROM crm.products"))
        lake.ingest(products(base / "news", "news", 5), "template")
        seen, begun = before, time.monotonic()
        while seen != before + 6 and time.monotonic() - begun < 20:
            time.sleep(0.2)
            seen = int(psql("SELECT count(*) FROM crm.products"))
        check(seen == before + 6, f"a commit is seen by the server: {before} to {seen}")
        psql("CREATE TABLE lab.notes (id int PRIMARY KEY, note text);"
             "INSERT INTO lab.notes VALUES (1, 'a'), (2, 'b');"
             "UPDATE lab.notes SET note = 'c' WHERE id = 2")
        found = psql("SELECT string_agg(id || note, ',' ORDER BY id) FROM lab.notes")
        check(found == "1a,2c", f"tables made over SQL: {found}")
        rows = [f"INSERT INTO lab.notes VALUES ({n + 10}, 'n')" for n in range(4)]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            said = list(pool.map(psql, rows))
        count = psql("SELECT count(*) FROM lab.notes")
        check(count == "6", f"four inserts at once all count: {count} {said}")
        psql("DROP TABLE lab.notes")
        gone = psql("SELECT * FROM lab.notes")
        check("not found" in gone or "does not exist" in gone, f"and go when they are dropped: {gone[:60]}")
    free = bucket.ask("GET", "/one/_lock")
    check((free[0], free[2]) == (200, b""), f"the lease is free: {free[2][:90]}")


def upkeep(base, bucket, environment):
    lake = Lake(f"s3://{BUCKET}/kept", environment)
    for turn in range(12):
        lake.ingest(products(base / f"kept-{turn}", f"k{turn}", 3), "template")
    points = [key for key in bucket.keys("kept/crm/products/_delta_log/") if "checkpoint.parquet" in key]
    check(points, f"a log is checkpointed: {len(points)}")
    counts = lake.query("SELECT count(*) AS n FROM crm.products")
    check(counts == [{"n": "37"}], f"and upkeep keeps all rows: {counts}")


def stalls(base, bucket, environment):
    """A server that stops answering in the middle of a load."""
    wanted = Lake(str(base / "calm"), environment)
    source = export(base / "stalls", 3)
    wanted.ingest(source)
    hurried = {**environment, "RUNRATE_STORE_TIMEOUT_MS": "2000"}
    lake = Lake(f"s3://{BUCKET}/stalled", hurried)
    process = lake.start("ingest", CRM, str(source))
    time.sleep(2)
    bucket.pause(True)
    begun = time.monotonic()
    said = process.communicate(timeout=60)[1]
    took = time.monotonic() - begun
    bucket.pause(False)
    check(process.returncode == 1 and "no answer within 2000 ms" in said and took < 20,
          f"a server that stalls ends the load in time: {took:.0f} s, {said.strip().splitlines()[-1]}")
    lake = Lake(lake.place, environment)
    lake.ingest(source)
    compare(settled(lake.everything()), settled(wanted.everything()), "and the same again is exact")


def demo(base, bucket, environment):
    lake = Lake(f"s3://{BUCKET}/demo", environment)
    words = ["demo", "--no-serve", "--dir"]
    lake.run(*words, str(base / "demo"))
    counts = lake.query("SELECT count(*) AS n FROM crm.opportunities")
    check(int(counts[0]["n"]) > 50, f"the demo is made in the bucket: {counts}")
    local = Lake(str(base / "ignored"), os.environ)
    local.run(*words, str(base / "demo-local"))
    same = Lake(str(base / "demo-local" / "lake"), os.environ).everything()
    compare(lake.everything(), same, "and has the rows of one on a disk")
    said = lake.start(*words, str(base / "demo-other")).communicate()[1]
    check("holds tables that no demo made" in said, f"another one is refused there: {said.strip()}")


def main():
    with tempfile.TemporaryDirectory() as folder, serving(folder) as (bucket, environment):
        base = pathlib.Path(folder)
        os.chdir(base)
        roles = {**os.environ, "RUNRATE_ROLES_FILE": str(base / "roles")}
        harness.prepare(BINARY, roles, ["analyst"], PASSWORD)
        subprocess.run([BINARY, "role", "grant", "analyst", "--own", "lab"], env=roles, check=True,
                       stdout=subprocess.DEVNULL)
        check(bucket.is_fair(), "of eight conditional puts exactly one wins, 80 times")
        remote, local = Lake(f"s3://{BUCKET}/one", environment), Lake(str(base / "local"), environment)
        same_as_local(base, remote, local)
        serves(base, bucket, environment)
        writers_at_once(base, environment)
        same_batch_at_once(base, environment)
        kills(base, environment)
        upkeep(base, bucket, environment)
        stalls(base, bucket, environment)
        demo(base, bucket, environment)
    return harness.verdict("s3", FAULTS)


if __name__ == "__main__":
    raise SystemExit(main())
