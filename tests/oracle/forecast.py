"""How well `forecast` foretells series of your own, and how well another package does.

    python3 tests/oracle/forecast.py --series FILE --runrate PATH [--lake DIR] [--method auto]
        [--group COLUMN] [--peer statsforecast [--models AutoETS,AutoARIMA]]

FILE is a CSV file with columns id, ds (YYYY-MM-DD) and y, one row a value, without gaps; any other
column may name the group of a series. The last values of every series are held out (12 months,
8 quarters, 6 years), the rest is loaded into a lake and forecast by the program, at levels .95
and .8, and the errors are printed by group, for the two halves that crc32(id) % 2 makes and for
all: tune on one half, believe the other.

MASE: mean absolute error by that of the seasonal naive within the history. GM: geometric mean of
the error relative to the seasonal naive's on the values held out. MSIS: mean scaled interval score.
Nothing but the standard library is needed without --peer.
"""

import argparse
import csv
import datetime
import io
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections import defaultdict

# Days between values: season and values held out.
GRAINS = {"month": (28, 31, 12, 12), "quarter": (90, 92, 4, 8), "year": (365, 366, 1, 6)}
LEVELS = (0.95, 0.8)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", required=True)
    parser.add_argument("--runrate", required=True)
    parser.add_argument("--lake")
    parser.add_argument("--method", default="auto")
    parser.add_argument("--group", help="column that groups series; default: their grain")
    parser.add_argument("--peer", choices=["statsforecast"])
    parser.add_argument("--models", default="AutoETS,AutoARIMA")
    return parser.parse_args()


class Series:
    def __init__(self, name, group, rows):
        self.name = name
        rows.sort()
        self.days = [day for day, _ in rows]
        values = [value for _, value in rows]
        self.grain = grain(self.days)
        if self.grain is None:
            raise ValueError("is neither monthly, quarterly nor yearly")
        _, _, self.season, self.horizon = GRAINS[self.grain]
        self.group = group or self.grain
        self.history, self.actual = values[: -self.horizon], values[-self.horizon :]
        m, n = self.season, len(self.history)
        if n < m + 2:
            raise ValueError(f"has {n} values before those held out")
        changes = [abs(self.history[t] - self.history[t - m]) for t in range(m, n)]
        self.scale = sum(changes) / len(changes)
        self.naive = [self.history[n - m + step % m] for step in range(self.horizon)]
        if self.scale == 0 or self.naive == self.actual:
            raise ValueError("repeats itself")

    @property
    def half(self):
        return zlib.crc32(self.name.encode()) % 2


def grain(days):
    gaps = [(b - a).days for a, b in zip(days, days[1:])]
    middle = statistics.median(gaps) if gaps else 0
    for name, (low, high, _, _) in GRAINS.items():
        if low <= middle <= high:
            return name
    return None


def read(path, group_column):
    rows, groups = defaultdict(list), {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            day = datetime.date.fromisoformat(row["ds"])
            rows[row["id"]].append((day, float(row["y"])))
            groups[row["id"]] = row[group_column] if group_column else None
    series = []
    for name, values in sorted(rows.items()):
        try:
            series.append(Series(name, groups[name], values))
        except ValueError as reason:
            print(f"{name} {reason}: left out", file=sys.stderr)
    return series


class Program:
    """The program, with a lake of its own."""

    def __init__(self, path, lake):
        self.path = path
        self.folder = tempfile.mkdtemp(prefix="oracle")
        self.lake = lake or os.path.join(self.folder, "lake")

    def run(self, *words):
        """Output, and CPU seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [self.path, "--lake", self.lake, *words], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"runrate {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        return done.stdout, seconds

    def forecasts(self, series, method):
        """By name: middle, and bounds by level; and CPU seconds a series of one level."""
        found, seconds = defaultdict(dict), 0.0
        for grain in sorted({one.grain for one in series}):
            chosen = [one for one in series if one.grain == grain]
            path = os.path.join(self.folder, f"{grain}.csv")
            with open(path, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["id", "ds", "y"])
                for one in chosen:
                    writer.writerows((one.name, *row) for row in zip(one.days, one.history))
            self.run("ingest", "--table", grain, "--types", "id:text,ds:date,y:number", path)
            _, idle = self.run("query", f"SELECT count(*) FROM raw.{grain}", "--format", "csv")
            horizon = GRAINS[grain][3]
            for level in LEVELS:
                sql = (
                    f"SELECT id, step, yhat, lo, hi FROM forecast('raw.{grain}', 'ds', 'y', {horizon}, "
                    f"method => '{method}', level => {level}, group_by => 'id') ORDER BY id, step"
                )
                text, busy = self.run("query", sql, "--format", "csv")
                seconds += (busy - idle) / len(LEVELS)
                for row in csv.DictReader(io.StringIO(text)):
                    bounds = [float(row[k] or row["yhat"]) for k in ("yhat", "lo", "hi")]
                    found[row["id"]].setdefault(level, []).append(bounds)
        return found, seconds / len(series)


def peer(series, name):
    import statsforecast.models as models  # noqa: PLC0415
    import numpy  # noqa: PLC0415

    found, began = {}, time.process_time()
    for one in series:
        model = getattr(models, name)(season_length=one.season)
        levels = [round(100 * level) for level in LEVELS]
        try:
            done = model.forecast(numpy.array(one.history), one.horizon, level=levels)
        except Exception as reason:  # A peer that fails is scored as the seasonal naive.
            print(f"{name}: {one.name}: {reason}", file=sys.stderr)
            found[one.name] = {level: [[v, v, v] for v in one.naive] for level in LEVELS}
            continue
        found[one.name] = {
            level: list(zip(done["mean"], done[f"lo-{k}"], done[f"hi-{k}"]))
            for level, k in zip(LEVELS, levels)
        }
    return found, (time.process_time() - began) / len(series)


def scores(one, found):
    """MASE, log of the relative error, sMAPE, covered at .8 and .95, MSIS at .95."""
    mean = statistics.fmean
    middle = [row[0] for row in found[0.95]]
    error = mean(abs(f - a) for f, a in zip(middle, one.actual))
    naive = mean(abs(f - a) for f, a in zip(one.naive, one.actual))
    smape = mean(
        200 * abs(f - a) / max(abs(f) + abs(a), 1e-300) for f, a in zip(middle, one.actual)
    )

    def covered(level):
        return mean(lo <= a <= hi for (_, lo, hi), a in zip(found[level], one.actual))

    msis = mean(
        hi - lo + 40 * max(lo - a, 0) + 40 * max(a - hi, 0)
        for (_, lo, hi), a in zip(found[0.95], one.actual)
    )
    relative = math.log(max(error / naive, 1e-9))
    return error / one.scale, relative, smape, covered(0.8), covered(0.95), msis / one.scale


def report(title, series, found, seconds):
    print(f"\n{title}: {1000 * seconds:.2f} ms of CPU a series")
    print(f"{'half':6}{'group':12}{'n':>5}{'MASE':>8}{'GM':>7}{'sMAPE':>8}{'c80':>6}{'c95':>6}{'MSIS95':>8}")
    rows = [(one, scores(one, found[one.name])) for one in series]
    for half, label in ((0, "0"), (1, "1"), (None, "both")):
        for group in [*sorted({one.group for one in series}), "ALL"]:
            chosen = [
                values
                for one, values in rows
                if half in (None, one.half) and group in ("ALL", one.group)
            ]
            if chosen:
                mase, gm, smape, c80, c95, msis = map(statistics.fmean, zip(*chosen))
                print(
                    f"{label:6}{group:12}{len(chosen):5}{mase:8.3f}{math.exp(gm):7.3f}{smape:8.2f}"
                    f"{c80:6.2f}{c95:6.2f}{msis:8.1f}"
                )


def main():
    given = arguments()
    series = read(given.series, given.group)
    if not series:
        sys.exit("no series")
    found, seconds = Program(given.runrate, given.lake).forecasts(series, given.method)
    report(f"runrate {given.method}", series, found, seconds)
    if given.peer:
        for name in given.models.split(","):
            report(f"{given.peer} {name}", series, *peer(series, name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
