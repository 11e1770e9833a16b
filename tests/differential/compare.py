"""Runs every query on both servers and compares what a driver sees.

A line of queries/*.sql is a query; `--$ a | b` at its end gives values for its parameters (as text,
`\\N` is NULL). Each is prepared and run twice, for text and for binary results. Compared are: types
of parameters, names and types of columns, the type modifier where PostgreSQL has one, the rows in
both formats (sorted, if the query has no ORDER BY), and the SQLSTATE of an error.

expected_differences lists what differs, with a reason; the run fails on a difference that is not
listed, and on a listed one that is none (or not of the kind that it says).
"""
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from decimal import Decimal, InvalidOperation

import psycopg
from psycopg import pq

import data

HERE = pathlib.Path(__file__).parent
PASSWORD = "differential-1"


def free_ports():
    import os
    first = int(os.environ.get("PORT", "5520"))
    return first, first + 1, first + 2


def postgres_programs():
    found = shutil.which("initdb")
    for path in [pathlib.Path("/usr/lib/postgresql/15/bin"), found and pathlib.Path(found).parent]:
        if path and (path / "initdb").exists():
            return path
    raise SystemExit("PostgreSQL 15 is not installed: apt-get install postgresql-15")


def unprivileged():
    """PostgreSQL refuses to run as root; words to put before its commands."""
    import os
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []


class Postgres:
    def __init__(self, base, port):
        import os
        programs, become = postgres_programs(), unprivileged()
        directory = base / "postgres"
        directory.mkdir()
        if become:
            shutil.chown(directory, "nobody", "nogroup")
            os.chmod(base, 0o755)
        subprocess.run(
            [*become, programs / "initdb", "-D", directory, "-U", "demo", "--locale=C.UTF-8",
             "--lc-collate=C", "-E", "UTF8", "-A", "trust", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL)
        self.process = subprocess.Popen(
            [*become, programs / "postgres", "-D", directory, "-p", str(port), "-h", "127.0.0.1",
             "-k", "", "-c", "fsync=off", "-c", "timezone=UTC"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"postgresql://demo@127.0.0.1:{port}/postgres"

    def load(self, connection):
        for statement in data.sql():
            connection.execute(statement)


class Runrate:
    def __init__(self, base, binary, port, http):
        lake = base / "lake"
        files = base / "files"
        files.mkdir()
        for name, types, text in data.files():
            (files / f"{name}.csv").write_text(text)
            self.call(binary, "ingest", "--lake", lake, "--table", name, "--types", types,
                      files / f"{name}.csv")
        self.call(binary, "role", "--lake", lake, "add", "demo", input=f"{PASSWORD}\n{PASSWORD}\n")
        self.call(binary, "role", "--lake", lake, "grant", "demo", "--on", "raw")
        self.log = open(base / "runrate.log", "w")
        self.process = subprocess.Popen(
            [binary, "serve", "--lake", lake, "--listen", f"127.0.0.1:{port}",
             "--http", f"127.0.0.1:{http}"], stdout=self.log, stderr=self.log)
        self.url = f"postgresql://demo:{PASSWORD}@127.0.0.1:{port}/runrate"

    @staticmethod
    def call(binary, *arguments, input=None):
        done = subprocess.run([binary, *arguments], input=input, text=True, capture_output=True)
        if done.returncode:
            raise SystemExit(f"runrate {arguments[0]}: {done.stderr}")


def connected(url):
    for _ in range(300):
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError as error:
            last = error
            time.sleep(0.1)
    raise SystemExit(f"no connection: {last}")


class Answer:
    """What one server says to one query."""

    def __init__(self, connection, sql, values):
        self.state = self.message = None
        self.parameters, self.names, self.types, self.modifiers = [], [], [], []
        self.text, self.binary = [], []
        raw = connection.pgconn
        if self.failed(raw.prepare(b"", sql.encode())):
            return
        described = raw.describe_prepared(b"")
        if self.failed(described):
            return
        self.parameters = [described.param_type(at) for at in range(described.nparams)]
        given = [None if value == "\\N" else value.encode() for value in values]
        for format in (pq.Format.TEXT, pq.Format.BINARY):
            result = raw.exec_prepared(b"", given, result_format=format)
            if self.failed(result):
                return
            columns = range(result.nfields)
            self.names = [result.fname(at).decode() for at in columns]
            self.types = [result.ftype(at) for at in columns]
            self.modifiers = [result.fmod(at) for at in columns]
            rows = [[result.get_value(row, at) for at in columns] for row in range(result.ntuples)]
            if "ORDER BY" not in sql.upper():
                rows.sort(key=lambda row: [(v is None, v or b"") for v in row])
            if format == pq.Format.TEXT:
                self.text = [[None if v is None else v.decode() for v in row] for row in rows]
            else:
                self.binary = rows

    def failed(self, result):
        if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.NONFATAL_ERROR):
            self.state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"?????").decode()
            message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or result.error_message
            self.message = message.decode()
            return True
        return False

    def same_numbers(self, other):
        """Whether text differs at most in the number of zeros behind a decimal."""
        def number(value):
            try:
                return value if value is None else Decimal(value)
            except InvalidOperation:
                return value
        mine = [[number(v) for v in row] for row in self.text]
        return mine == [[number(v) for v in row] for row in other.text]

    def close_numbers(self, other):
        """Whether numbers agree to 12 significant digits."""
        def close(a, b):
            if a == b:
                return True
            try:
                a, b = Decimal(a), Decimal(b)
                return abs(a - b) <= max(abs(a), abs(b)) * Decimal("1e-12")
            except (InvalidOperation, TypeError):
                return False
        pairs = zip(self.text, other.text)
        return len(self.text) == len(other.text) and all(
            len(a) == len(b) and all(map(close, a, b)) for a, b in pairs)


def differences(ours, theirs):
    """How `ours` differs from PostgreSQL's: pairs of a kind and what to print."""
    if ours.state or theirs.state:
        if ours.state != theirs.state:
            said = f"{ours.state or 'rows'} ({ours.message}), not {theirs.state or 'rows'} ({theirs.message})"
            yield ("refused" if not theirs.state else "error"), said
        return
    if ours.parameters != theirs.parameters:
        yield "parameters", f"parameter types {ours.parameters}, not {theirs.parameters}"
    if ours.names != theirs.names:
        yield "names", f"names {ours.names}, not {theirs.names}"
    if ours.types != theirs.types:
        yield "types", f"types {ours.types}, not {theirs.types}"
    told = [(a, b) for a, b in zip(ours.modifiers, theirs.modifiers) if b != -1 and a != b]
    if told:
        yield "types", f"type modifiers (ours, theirs) {told}"
    if ours.text != theirs.text:
        kind = "values"
        if ours.same_numbers(theirs):
            kind = "scale"
        elif ours.close_numbers(theirs):
            kind = "digits"
        first = next(((a, b) for a, b in zip(ours.text, theirs.text) if a != b), None)
        sizes = f"{len(ours.text)} rows, not {len(theirs.text)}; "
        yield kind, (sizes if len(ours.text) != len(theirs.text) else "") + (
            f"{first[0]}, not {first[1]}" if first else "")
    elif ours.binary != theirs.binary and ours.types == theirs.types:
        first = next((a, b) for a, b in zip(ours.binary, theirs.binary) if a != b)
        yield "values", f"binary {first[0]}, not {first[1]}"


def queries(topics):
    for path in sorted((HERE / "queries").glob("*.sql")):
        if topics and path.stem not in topics:
            continue
        for line in path.read_text().splitlines():
            if line.strip() and not line.startswith("-- "):
                sql, _, values = line.partition("--$")
                yield path.stem, sql.strip(), [v.strip() for v in values.split("|")] if values else []


def expected():
    """The listed differences: query -> (kinds, reason)."""
    listed, kinds, reason = {}, set(), ""
    for line in (HERE / "expected_differences").read_text().splitlines():
        heading = re.fullmatch(r"\[([a-z, ]+)\] (.+)", line)
        if heading:
            kinds, reason = {kind.strip() for kind in heading[1].split(",")}, heading[2]
        elif line.strip() and not line.startswith("#"):
            if not reason or line.strip() in listed:
                raise SystemExit(f"expected_differences: no reason, or listed twice: {line}")
            listed[line.strip()] = (kinds, reason)
    return listed


def main():
    binary, topics = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]
    port, http, other = free_ports()
    base = pathlib.Path(tempfile.mkdtemp(prefix="runrate-differential-"))
    servers = []
    try:
        postgres = Postgres(base, other)
        servers.append(postgres)
        runrate = Runrate(base, binary, port, http)
        servers.append(runrate)
        theirs, ours = connected(postgres.url), connected(runrate.url)
        postgres.load(theirs)
        for connection in (theirs, ours):
            connection.execute("SET search_path = raw")
            connection.execute("SET statement_timeout = '10s'")
        raise SystemExit(0 if compared(ours, theirs, topics) else 1)
    finally:
        for server in servers:
            # Whatever still runs there was started by this program, and is not to keep it waiting.
            server.process.send_signal(signal.SIGKILL if server is not servers[0] else signal.SIGINT)
            server.process.wait(timeout=30)
        shutil.rmtree(base, ignore_errors=True)


def compared(ours, theirs, topics):
    listed, seen = expected(), set()
    count = agreed = as_listed = wrong = 0
    for topic, sql, values in queries(topics):
        if sql in seen:
            raise SystemExit(f"{topic}: twice: {sql}")
        seen.add(sql)
        count += 1
        found = list(differences(Answer(ours, sql, values), Answer(theirs, sql, values)))
        kinds, _ = listed.get(sql, (set(), ""))
        if {kind for kind, _ in found} == kinds:
            agreed, as_listed = agreed + (not kinds), as_listed + bool(kinds)
            continue
        wrong += 1
        if not found:
            print(f"{topic}: agrees, but is listed: {sql}")
        for kind, text in found:
            print(f"{topic}: {sql}\n    [{kind}] {text}")
    if not topics:
        for sql in listed.keys() - seen:
            wrong += 1
            print(f"listed, but no query: {sql}")
    print(f"{count} queries, {agreed} agree, {as_listed} differ as listed"
          + (f", {wrong} WRONG" if wrong else ""))
    return not wrong


main()
