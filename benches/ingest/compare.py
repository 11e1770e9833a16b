"""Times `runrate ingest salesforce` over an export, and DuckDB over the same files."""
import csv
import os
import pathlib
import resource
import subprocess
import sys
import time

import duckdb

binary, export, work = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
CHANGED = 100  # one row in so many
ACTIVITIES = ["Task.csv", "Event.csv"]


def counted(files):
    """Rows of the files, which are in memory afterwards."""
    rows = 0
    for path in files:
        with open(path, newline="", encoding="utf-8") as file:
            rows += sum(1 for _ in csv.reader(file)) - 1
    return rows


def measured(words, **settings):
    """Wall and processor seconds of a command, its most memory in MiB, and what it printed."""
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)
    peak = 0
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            peak = max([peak] + [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")])
        except OSError:
            pass
        time.sleep(0.02)
    out, err = process.communicate()
    # 3: some rows of the demo are bad on purpose and went to quarantine.
    assert process.returncode in (0, 3), f"{words}: {process.returncode}\n{out}\n{err}"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.monotonic() - begun, cpu, peak / 1024, out


def ingested(lake, files, label):
    rows = counted(files)
    environment = dict(os.environ, RUNRATE_LAKE=str(work / lake))
    words = [binary, "ingest", "salesforce", *map(str, files)]
    wall, cpu, peak, out = measured(words, env=environment)
    print(f"{label}: {rows} rows in {wall:.1f} s, {rows / wall:,.0f} rows/s, {rows / cpu:,.0f} a core; {peak:.0f} MiB at most")
    return wall, rows, out


def changes():
    """The export of a day: one row in a hundred of each file, changed later than all others."""
    folder = work / "changes"
    folder.mkdir()
    for path in sorted(export.glob("*.csv")):
        with open(path, newline="", encoding="utf-8") as file, open(folder / path.name, "w", newline="", encoding="utf-8") as out:
            rows = csv.reader(file)
            header = next(rows)
            later = [at for at, name in enumerate(header) if name in ("SystemModstamp", "LastModifiedDate")]
            written = csv.writer(out, quoting=csv.QUOTE_ALL)
            written.writerow(header)
            for number, row in enumerate(rows):
                if number % CHANGED == 0 and later:
                    for at in later:
                        row[at] = "2030-01-01T00:00:00.000Z"
                    written.writerow(row)
    return sorted(path for path in folder.glob("*.csv") if counted([path]))


def peer(files):
    """DuckDB: the same files to Parquet, its own types, two threads as the machine has."""
    begun, cpu = time.monotonic(), time.process_time()
    with duckdb.connect() as engine:
        for path in files:
            target = work / f"{path.stem}.parquet"
            # The demo has days that are none: DuckDB leaves such rows out, and says nothing.
            source = f"read_csv('{path}', header = true, sample_size = -1, ignore_errors = true)"
            engine.execute(f"COPY (FROM {source}) TO '{target}' (FORMAT parquet, COMPRESSION snappy)")
    return time.monotonic() - begun, time.process_time() - cpu


files = sorted(export.glob("*.csv"))
activities = [export / name for name in ACTIVITIES]
ingested("activities", activities, "activities alone")
full, rows, _ = ingested("whole", files, "whole export")
changed, some, out = ingested("whole", changes(), "changed rows")
print(f"the change takes {changed / full:.1%} of the time of the whole")
for label, chosen in [("activities alone", activities), ("whole export", files)]:
    wall, cpu = peer(chosen)
    print(f"DuckDB {duckdb.__version__}, {label}: {wall:.1f} s, {counted(chosen) / wall:,.0f} rows/s ({cpu:.1f} s of processor)")
    if label == "whole export":
        print(f"runrate takes {full / wall:.1f} times as long, and leaves typed, keyed, sorted tables with history")
