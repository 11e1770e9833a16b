"""Two hundred connections at once: dashboards, exports, one client that sends bombs, many that idle.

    tests/soak/run --minutes 10 [--binary target/release/runrate]

Starts `runrate demo` on a lake of its own, asks every query once while nothing else runs, and then
compares each answer under load with that one.
The verdict: no session dropped, no statement failed that should not, no wrong answer, memory below
the pool and a gibibyte, and the 95th percentile of short queries within three times its figure with
the same dashboards alone.
"""
import argparse
import asyncio
import hashlib
import os
import random
import subprocess
import sys
import tempfile
import time

import asyncpg

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from server import prepare, resident, serving, verdict  # noqa: E402

POOL_BYTES = 1 << 30
ALL, DASHBOARDS, EXPORTS = 200, 20, 4
PASSWORD = "correct horse battery"
ROLES = ["dashboard", "export", "bomb", "idle"]

SHORT = [
    "SELECT count(*), sum(amount) FROM crm.opportunities WHERE is_won",
    "SELECT stage_id, count(*) AS n FROM crm.opportunities GROUP BY 1 ORDER BY 1",
    "SELECT lead_source, count(*) AS n FROM crm.leads GROUP BY 1 ORDER BY 1",
    "SELECT owner_id, count(*) AS n, max(amount) AS top FROM crm.opportunities WHERE is_closed"
    " GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10",
    "SELECT industry, count(*) AS n FROM crm.accounts GROUP BY 1 ORDER BY 2 DESC, 1",
    "SELECT date_trunc('month', created_at) AS m, count(*) AS n FROM crm.leads GROUP BY 1 ORDER BY 1",
    "SELECT table_schema, count(*) AS n FROM information_schema.tables"
    " WHERE table_schema = 'crm' GROUP BY 1",
    "SELECT 1 AS one",
]
EXPORT = ("SELECT a.*, s.n FROM crm.activities a CROSS JOIN generate_series(1, 4) AS s(n)"
          " ORDER BY activity_id, s.n")


def bombs():
    doubling = "WITH a0 AS (SELECT 'xxxxxxxx' AS s)"
    ctes = "WITH a0 AS (SELECT 1 AS x)"
    for level in range(1, 30):
        doubling += f", a{level} AS (SELECT s || s AS s FROM a{level - 1})"
        ctes += f", a{level} AS (SELECT l.x FROM a{level - 1} l CROSS JOIN a{level - 1} r)"
    return [
        "SELECT 1" + " + 1" * 10000, "SELECT true" + " OR true" * 10000,
        "SELECT 1" + " UNION ALL SELECT 1" * 10000, ctes + " SELECT count(*) FROM a29",
        doubling + " SELECT length(s) FROM a29", "SELECT length(repeat('x', 1000000000))",
        "SELECT length(lpad('x', 1000000000, 'y'))", "SELECT cardinality(array_repeat(1, 50000000))",
        "SELECT cardinality(range(1, 2000000000))",
        "SELECT length(replace(repeat('a', 8000000), 'a', repeat('b', 300)))",
        "SELECT * FROM unnest(array_repeat(repeat('x', 10000000), 1000)) t(v)",
        "SELECT string_agg(repeat('x', 1000000), '') FROM generate_series(1, 10000)",
        "SELECT array_agg(repeat('x', 10000 + v::int % 7)) FROM generate_series(1, 10000000) t(v)",
        "SELECT count(*) FROM generate_series(1, 1000000) a(value), generate_series(1, 1000000) b(value)"
        " WHERE a.value::int8 * b.value % 7 = 3",
        "SELECT max(s) FROM (SELECT v, md5(v::text) || repeat('x', 200) AS s"
        " FROM generate_series(1, 4000000) t(v) ORDER BY s DESC, v OFFSET 1) q",
        "SELECT " + ", ".join(f"repeat('x', 2000 + v::int % 3) AS c{at}" for at in range(500))
        + " FROM generate_series(1, 8000) t(v)",
    ]


class Soak:
    def __init__(self, host, port, pid):
        self.where, self.pid = {"host": host, "port": port, "database": "runrate"}, pid
        self.expected, self.problems, self.refused = {}, [], 0
        self.answers = {"short": 0, "export": 0, "idle": 0, "bomb": 0}
        self.peak = 0

    async def connect(self, role, **options):
        return await asyncpg.connect(
            user=role, password=PASSWORD, timeout=60, statement_cache_size=20,
            server_settings={"application_name": role}, **self.where, **options)

    async def expect(self):
        connection = await self.connect("dashboard")
        for sql in SHORT:
            self.expected[sql] = await connection.fetch(sql)
            assert self.expected[sql] == await connection.fetch(sql), sql
        await connection.close()
        connection = await self.connect("export")
        self.expected[EXPORT] = await self.export(connection)
        await connection.close()

    async def export(self, connection):
        """Rows and hash of a large result, as it comes."""
        digest, size = hashlib.sha256(), 0

        async def take(data):
            nonlocal size
            digest.update(data)
            size += len(data)

        done = await connection.copy_from_query(EXPORT, output=take, format="csv")
        return done, size, digest.hexdigest()

    async def ask(self, connection, sql, kind, times):
        begun = time.perf_counter()
        try:
            answer = await connection.fetch(sql)
        except Exception as error:
            self.problems.append(f"{kind}: {type(error).__name__} {error}: {sql:.60}")
            return not connection.is_closed()
        times.append(time.perf_counter() - begun)
        self.answers[kind] += 1
        if answer != self.expected[sql]:
            self.problems.append(f"{kind}: wrong answer: {sql:.60}")
        return True

    async def client(self, role, kind, pause, until, times, seed):
        rng = random.Random(seed)
        connection = await self.connect(role)
        while time.monotonic() < until:
            await asyncio.sleep(rng.uniform(*pause))
            if not await self.ask(connection, rng.choice(SHORT), kind, times):
                self.problems.append(f"{kind}: session dropped")
                return
        await connection.close()

    async def exporting(self, until):
        connection = await self.connect("export")
        while time.monotonic() < until:
            try:
                answer = await self.export(connection)
            except Exception as error:
                self.problems.append(f"export: {type(error).__name__} {error}")
                return
            self.answers["export"] += 1
            if answer != self.expected[EXPORT]:
                self.problems.append(f"export: wrong answer {answer}")
        await connection.close()

    async def bombing(self, until):
        connection = await self.connect("bomb")
        await connection.execute("SET statement_timeout = '20s'")
        while time.monotonic() < until:
            for sql in bombs():
                try:
                    await connection.execute(sql, timeout=60)
                except asyncpg.PostgresError:
                    self.refused += 1
                except Exception as error:
                    self.problems.append(f"bomb: {type(error).__name__} {error}: {sql:.60}")
                    connection = await self.connect("bomb")
                self.answers["bomb"] += 1
                if time.monotonic() > until:
                    break
        await connection.close()

    async def watch(self, until):
        while time.monotonic() < until:
            self.peak = max(self.peak, resident(self.pid))
            await asyncio.sleep(0.1)

    async def dashboards(self, seconds, others=()):
        times, until = [], time.monotonic() + seconds
        work = [self.client("dashboard", "short", (0.5, 1.5), until, times, seed)
                for seed in range(DASHBOARDS)]
        work += [make(until) for make in others]
        for outcome in await asyncio.gather(*work, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.problems.append(f"{type(outcome).__name__} {outcome}")
        return times


def p95(times):
    return sorted(times)[int(len(times) * 0.95)] if times else float("inf")


async def soak(options, host, port, pid):
    soak = Soak(host, port, pid)
    await soak.expect()
    idle = ALL - DASHBOARDS - EXPORTS - 1
    alone = await soak.dashboards(min(30, options.minutes * 15))
    print(f"alone: p95 {p95(alone) * 1e3:.0f} ms of {len(alone)} short queries", flush=True)
    others = [soak.exporting] * EXPORTS + [soak.bombing, soak.watch]
    others += [lambda until, seed=seed: soak.client("idle", "idle", (10, 40), until, [], seed)
               for seed in range(idle)]
    loaded = await soak.dashboards(options.minutes * 60, others)
    ratio = p95(loaded) / p95(alone)
    print(f"{ALL} connections for {options.minutes} minutes: {soak.answers}, bombs refused or"
          f" stopped {soak.refused}")
    print(f"under load: p95 {p95(loaded) * 1e3:.0f} ms of {len(loaded)} short queries,"
          f" {ratio:.1f} times that of the dashboards alone")
    print(f"memory: {soak.peak >> 20} MiB at most; pool {POOL_BYTES >> 20} MiB and 1024")
    failures = []
    if soak.problems:
        failures.append(f"{len(soak.problems)} statements or sessions went wrong")
        print("\n".join(sorted(set(soak.problems))[:20]))
    if soak.peak > POOL_BYTES + (1 << 30):
        failures.append("too much memory")
    if ratio > 3:
        failures.append("short queries wait too long")
    if not all(soak.answers.values()):
        failures.append("some did nothing")
    return failures


def main():
    parser = argparse.ArgumentParser()
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--binary", default=f"{target}/release/runrate")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--scale", default="1")
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--http", default="127.0.0.1:0")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runrate-soak-") as folder:
        environment = {
            **os.environ, "RUNRATE_CONNECTIONS_MAX": "220", "RUST_LOG": "error",
            "RUNRATE_MEMORY_POOL_BYTES_MAX": str(POOL_BYTES),
            "RUNRATE_MEMORY_QUERY_BYTES_MAX": str(POOL_BYTES // 2),
            "RUNRATE_CONNECTIONS_UNAUTHENTICATED_MAX": "220", "RUNRATE_LISTEN": options.listen,
            "RUNRATE_HTTP": options.http, "RUNRATE_LOGIN_TIMEOUT_MS": "60000",
        }
        demo = [options.binary, "demo", "--dir", folder + "/demo", "--scale", options.scale]
        subprocess.run(demo + ["--no-serve"], env=environment, check=True,
                       stdout=subprocess.DEVNULL)
        stored = {**environment, "RUNRATE_LAKE": folder + "/demo/lake",
                  "RUNRATE_ROLES_FILE": folder + "/demo/roles"}
        prepare(options.binary, stored, ROLES, PASSWORD)
        with serving(options.binary, stored, folder) as server:
            server.failures += asyncio.run(soak(options, *server.address, server.pid))
    return verdict("soak", server.failures)


if __name__ == "__main__":
    sys.exit(main())
