"""A client without manners: valid and broken protocol, in and out of order, against a real server.

    python3 tests/fuzz/protocol.py --minutes 10 [--binary target/release/runrate] [--seed 1]

Starts a server of its own over an empty lake.
Several connections at once log in (or don't), then send messages that are right, cut, doubled,
out of order or made of noise; some go away in the middle, some stop reading.
After each round a good client has to get its answer within two seconds.
At the end: no exit, no hang, no panic counted, memory flat.
Needs only Python and a built binary.
"""
import argparse
import asyncio
import base64
import hashlib
import hmac
import os
import random
import re
import struct
import sys
import tempfile
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
from server import prepare, resident, serving, verdict  # noqa: E402

ROLE, PASSWORD = "fuzz", "correct horse battery"
CLIENTS = 24
ROUND_SECONDS = 5

STATEMENTS = [
    "SELECT 1", "SELECT $1::int8 + 1", "BEGIN", "COMMIT", "ROLLBACK", "SELECT 1/0", "SELEC",
    "SELECT * FROM generate_series(1, 5000)", "DECLARE c CURSOR FOR SELECT 1", "FETCH ALL FROM c",
    "COPY (SELECT * FROM generate_series(1, 100)) TO STDOUT", "SET statement_timeout = '1s'",
    "PREPARE p AS SELECT $1", "EXECUTE p(1)", "DEALLOCATE ALL", "DISCARD ALL", "SAVEPOINT a",
    "SELECT repeat('x', 100000) FROM generate_series(1, 300)", "SHOW ALL", "", ";;",
    "SELECT count(*) FROM generate_series(1, 20000) a, generate_series(1, 20000) b",
    "SELECT oid, relname FROM pg_catalog.pg_class", "SELECT repeat('x', 1000000000)",
    "COPY crm.accounts FROM STDIN", "SELECT pg_sleep(1)", "SELECT '\u00e9\U0001f600'",
]


def message(kind, body=b""):
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value):
    return value.encode() + b"\0"


def startup(user=ROLE, version=196608, **options):
    pairs = {"user": user, "database": "runrate", **options}
    body = struct.pack("!i", version) + b"".join(text(k) + text(v) for k, v in pairs.items()) + b"\0"
    return struct.pack("!i", len(body) + 4) + body


class Client:
    """One connection."""

    async def open(self, address):
        self.reader, self.writer = await asyncio.wait_for(asyncio.open_connection(*address), 5)
        return self

    async def send(self, data):
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), 5)

    async def next(self, limit=30):
        head = await asyncio.wait_for(self.reader.readexactly(5), limit)
        size = struct.unpack("!i", head[1:])[0] - 4
        return head[:1], await asyncio.wait_for(self.reader.readexactly(size), limit)

    async def until(self, kinds, limit=30):
        seen = []
        while True:
            kind, body = await self.next(limit)
            seen.append((kind, body))
            if kind in kinds:
                return seen

    async def log_in(self):
        await self.send(startup())
        kind, body = await self.next()
        if kind != b"R":
            raise ConnectionError(body)
        bare = "n=,r=" + base64.b64encode(os.urandom(18)).decode()
        first = ("n,," + bare).encode()
        await self.send(message(b"p", b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first))
        kind, body = await self.next()
        if kind != b"R":
            raise ConnectionError(body)
        challenge = body[4:].decode()
        parts = dict(part.split("=", 1) for part in challenge.split(","))
        salted = hashlib.pbkdf2_hmac(
            "sha256", PASSWORD.encode(), base64.b64decode(parts["s"]), int(parts["i"]))
        final = "c=biws,r=" + parts["r"]
        whole = ",".join([bare, challenge, final]).encode()
        key = hmac.digest(salted, b"Client Key", "sha256")
        signature = hmac.digest(hashlib.sha256(key).digest(), whole, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
        await self.send(message(b"p", f"{final},p={proof}".encode()))
        await self.until(b"Z")
        return self

    def close(self):
        self.writer.close()

    def abort(self):
        self.writer.transport.abort()


def valid(rng):
    """One message as a client sends it, though perhaps at the wrong time."""
    sql, name = rng.choice(STATEMENTS), rng.choice(["", "", "a", "b"])
    counts = struct.pack("!h", rng.choice([0, 0, 1]))
    return rng.choice([
        lambda: message(b"Q", text(sql)),
        lambda: message(b"Q", text(sql + ";" + rng.choice(STATEMENTS))),
        lambda: message(b"P", text(name) + text(sql) + counts + (b"\0\0\0\x14" if counts[1] else b"")),
        lambda: message(b"B", text(name) + text(name) + b"\0\0" + b"\0\x01\0\0\0\x015" + b"\0\0"),
        lambda: message(b"B", text(name) + text(name) + b"\0\0\0\0\0\x01\0\x01"),
        lambda: message(b"D", rng.choice([b"S", b"P"]) + text(name)),
        lambda: message(b"E", text(name) + struct.pack("!i", rng.choice([0, 1, 7]))),
        lambda: message(b"C", rng.choice([b"S", b"P"]) + text(name)),
        lambda: message(b"S"), lambda: message(b"S"), lambda: message(b"H"),
        lambda: message(b"d", os.urandom(rng.randrange(50))),
        lambda: message(b"c"), lambda: message(b"f", text("no")),
        lambda: message(b"p", rng.randbytes(20)), lambda: message(b"F", rng.randbytes(14)),
        lambda: message(b"X"),
    ])()


def broken(rng):
    """The same with something wrong."""
    data = bytearray(valid(rng))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        choice = rng.randrange(6)
        if choice == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif choice == 1:
            del data[at:]
        elif choice == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 9))
        elif choice == 3 and len(data) >= 5:
            data[1:5] = struct.pack("!i", rng.choice([-1, 0, 3, 4, 5, 65536, 2**24 + 9, 2**31 - 1]))
        elif choice == 4:
            data += data[at:]
        else:
            data = bytearray(rng.randbytes(rng.randrange(1, 200)))
    return bytes(data)


def opening(rng):
    """What somebody says who does not log in."""
    return rng.choice([
        lambda: struct.pack("!ii", 8, 80877103) + startup() + message(b"Q", text("SELECT 1")),
        lambda: struct.pack("!ii", 8, 80877104) * rng.randrange(1, 4),
        lambda: struct.pack("!iiii", 16, 80877102, rng.randrange(50), rng.getrandbits(31)),
        lambda: startup(version=rng.choice([131072, 196609, 196610, 262144, -1, 0])),
        lambda: startup(user="nobody") + message(b"p", rng.randbytes(60)),
        lambda: startup(options="-c " + "x" * rng.randrange(4000)),
        lambda: startup() + broken(rng), lambda: startup()[: rng.randrange(30)],
        lambda: rng.randbytes(rng.randrange(1, 400)), lambda: b"\x16\x03\x01" + rng.randbytes(200),
        lambda: struct.pack("!i", rng.choice([-5, 0, 7, 10001, 2**31 - 1])), lambda: b"",
    ])()


async def misbehave(address, rng, counts, until):
    """One client after the other, until the round is over."""
    while time.monotonic() < until:
        client = Client()
        try:
            await client.open(address)
            counts["connections"] += 1
            if rng.random() < 0.3:
                await client.send(opening(rng))
            else:
                await client.log_in()
                counts["logins"] += 1
                for _ in range(rng.randrange(1, 25)):
                    await client.send(valid(rng) if rng.random() < 0.7 else broken(rng))
                    counts["messages"] += 1
                    if rng.random() < 0.5:
                        # Reads a little, or nothing.
                        await asyncio.wait_for(client.reader.read(rng.randrange(1, 65536)), 0.3)
            if rng.random() < 0.5:
                await asyncio.wait_for(client.reader.read(1 << 20), 0.3)
        except (ConnectionError, OSError, EOFError, asyncio.TimeoutError):
            pass
        finally:
            if getattr(client, "writer", None):
                client.abort() if rng.random() < 0.5 else client.close()


async def check(address):
    """A good client gets its answer; how long it took."""
    begun = time.monotonic()
    client = await Client().open(address)
    await client.log_in()
    await client.send(message(b"Q", text("SELECT 40 + 2 FROM generate_series(1, 1)")))
    seen = await client.until(b"Z", 10)
    assert any(kind == b"D" and body.endswith(b"42") for kind, body in seen), seen
    client.close()
    return time.monotonic() - begun


def metric(http, name):
    body = urllib.request.urlopen(f"http://{http}/metrics", timeout=10).read().decode()
    return float(re.search(rf"^{name} (\S+)$", body, re.M).group(1))


async def run(options, server):
    process, address, http = server.process, server.address, server.http
    rng = random.Random(options.seed)
    end = time.monotonic() + options.minutes * 60
    counts = {"connections": 0, "logins": 0, "messages": 0}
    rounds, slowest, sizes = 0, 0.0, []
    while time.monotonic() < end:
        until = min(end, time.monotonic() + ROUND_SECONDS)
        clients = [
            misbehave(address, random.Random(rng.getrandbits(64)), counts, until)
            for _ in range(CLIENTS)]
        await asyncio.wait_for(asyncio.gather(*clients), ROUND_SECONDS + 60)
        assert process.poll() is None, f"the server ended with {process.poll()}"
        # What was begun is over within the statement timeout of the server.
        await asyncio.sleep(0.2)
        slowest = max(slowest, await check(address))
        sizes.append(resident(process.pid))
        rounds += 1
        if rounds % 12 == 0:
            print(f"{rounds} rounds, {counts}, {sizes[-1] >> 20} MiB", flush=True)
    panics = metric(http, "runrate_panics_total")
    third = max(1, len(sizes) // 3)
    early, late = max(sizes[:2 * third]), max(sizes[-third:])
    print(f"{rounds} rounds, {counts['connections']} connections, {counts['logins']} logins,"
          f" {counts['messages']} messages after login")
    print(f"slowest good client {slowest:.2f} s, panics {panics:.0f}, memory"
          f" {sizes[0] >> 20} MiB after the first round, {early >> 20} MiB at most in the first"
          f" two thirds, {late >> 20} MiB in the last")
    failures = []
    if panics:
        failures.append("something panicked")
    if slowest > 5:
        failures.append("a good client waited too long")
    if late > early * 1.1 + (64 << 20):
        failures.append("memory grows")
    return failures


def main():
    parser = argparse.ArgumentParser()
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--binary", default=f"{target}/debug/runrate")
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--http", default="127.0.0.1:0")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="runrate-fuzz-") as folder:
        environment = {
            **os.environ, "RUNRATE_LAKE": folder + "/lake", "RUNRATE_LISTEN": options.listen,
            "RUNRATE_HTTP": options.http, "RUNRATE_LOGIN_TIMEOUT_MS": "2000",
            "RUNRATE_STATEMENT_TIMEOUT_MS": "1000", "RUNRATE_WRITE_STALL_TIMEOUT_MS": "1000",
            "RUNRATE_CONNECTIONS_UNAUTHENTICATED_MAX": "100", "RUNRATE_QUEUE_TIMEOUT_MS": "2000",
            "RUNRATE_CONNECTIONS_MAX": "200", "RUST_LOG": "error",
        }
        prepare(options.binary, environment, [ROLE], PASSWORD)
        with serving(options.binary, environment, folder) as server:
            server.failures += asyncio.run(run(options, server))
    return verdict("protocol fuzzer", server.failures)


if __name__ == "__main__":
    sys.exit(main())
