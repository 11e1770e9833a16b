"""Alternates exports between PostgreSQL and Runrate and prints rows a second and their ratio.

compare.py CLIENT RUNRATE_PID; the connections are those that `run` starts.
"""

import os
import statistics
import subprocess
import sys

CLIENT, RUNRATE = sys.argv[1], int(sys.argv[2])
ROUNDS = 5
POSTGRES = "postgresql://bench@127.0.0.1:55432/postgres"
OURS = "postgresql://bench@127.0.0.1:55433/runrate"
COLUMNS = (
    "deal_id, account_id, number, name, stage, owner, amount, probability, "
    "created_on, close_on, created_at, updated_at"
)
TABLES = {POSTGRES: "deals", OURS: "raw.deals"}
TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid):
    """User and system time of a process; PostgreSQL's session is gone by then, so it has none."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def export(server, mode):
    """Rows, bytes, checksum and seconds of one export."""
    sql = f"SELECT {COLUMNS} FROM {TABLES[server]}"
    if mode == "copy":
        sql = f"COPY ({sql}) TO STDOUT (FORMAT binary)"
    out = subprocess.run([CLIENT, server, mode, sql], check=True, capture_output=True, text=True)
    rows, size, checksum, seconds, _ = out.stdout.split()
    return int(rows), int(size), int(checksum), float(seconds)


for server in TABLES:
    os.environ["PGOPTIONS"] = "-c timezone=UTC"
    export(server, "text")
for mode in ("text", "binary"):
    one, two = export(POSTGRES, mode), export(OURS, mode)
    if one[:3] != two[:3]:
        sys.exit(f"{mode}: the answers differ: PostgreSQL {one[:3]}, Runrate {two[:3]}")
    print(f"{mode}: {one[0]} rows, {one[1]} bytes of values, the same in both")

print(f"{'':8} {'PostgreSQL 15':>16} {'Runrate':>16} {'ratio':>7} {'Runrate cpu':>12}")
for mode in ("text", "binary", "copy"):
    rates = {POSTGRES: [], OURS: []}
    spent = []
    for _ in range(ROUNDS):
        for server in TABLES:
            before = processor_seconds(RUNRATE)
            rows, _, _, seconds = export(server, mode)
            rates[server].append(rows / seconds)
            if server == OURS:
                spent.append((processor_seconds(RUNRATE) - before) / rows * 1e9)
    theirs, ours = (statistics.median(rates[server]) for server in (POSTGRES, OURS))
    print(
        f"{mode:8} {theirs:>12,.0f} r/s {ours:>12,.0f} r/s {ours / theirs:>7.2f} "
        f"{statistics.median(spent):>7.0f} ns/row"
    )
