"""Alternates exports between PostgreSQL and Runrate and prints rows a second and their ratio.

compare.py CLIENT RUNRATE_PID; the connections are those that `run` starts.
"""

import os
import statistics
import subprocess
import sys

CLIENT, RUNRATE = sys.argv[1], int(sys.argv[2])
ROUNDS = 7
COLUMNS = (
    "deal_id, account_id, number, name, stage, owner, amount, probability, "
    "created_on, close_on, created_at, updated_at"
)
SERVERS = {
    "postgresql://bench@127.0.0.1:55432/postgres": "deals",
    "postgresql://bench@127.0.0.1:55433/runrate": "raw.deals",
}


def processor_seconds(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def export(mode):
    """Outcomes of all rounds, a list each server: rows, bytes, checksum, seconds."""
    arguments = [CLIENT, mode, str(ROUNDS)]
    for server, table in SERVERS.items():
        sql = f"SELECT {COLUMNS} FROM {table}"
        arguments += [server, f"COPY ({sql}) TO STDOUT (FORMAT binary)" if mode == "copy" else sql]
    environment = {**os.environ, "PGOPTIONS": "-c timezone=UTC"}
    out = subprocess.run(
        arguments, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout
    outcomes = ([], [])
    for line in out.splitlines():
        server, rows, size, checksum, seconds = line.split()
        outcomes[int(server)].append((int(rows), int(size), int(checksum), float(seconds)))
    return outcomes


print(f"{'':8} {'PostgreSQL 15':>16} {'Runrate':>16} {'ratio':>7} {'Runrate cpu':>14}")
for mode in ("text", "binary", "copy"):
    before = processor_seconds(RUNRATE)
    theirs, ours = export(mode)
    rows = ours[0][0]
    spent = (processor_seconds(RUNRATE) - before) / (rows * len(ours)) * 1e9
    if theirs[0][:3] != ours[0][:3]:
        sys.exit(f"{mode}: the answers differ: PostgreSQL {theirs[0][:3]}, Runrate {ours[0][:3]}")
    rates = [statistics.median(rows / seconds for *_, seconds in each[1:]) for each in (theirs, ours)]
    print(
        f"{mode:8} {rates[0]:>12,.0f} r/s {rates[1]:>12,.0f} r/s {rates[1] / rates[0]:>7.2f} "
        f"{spent:>7.0f} ns/row"
    )
print(f"{rows} rows of 12 columns, {ROUNDS} rounds, the same answers from both")
