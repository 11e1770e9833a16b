"""The reports on the CRM Sales Opportunities export, against a computation of our own.

    python3 tests/oracle/cso.py --data DIR --runrate PATH [--lake DIR] [--url postgresql://...]

DIR holds the four CSV files of the export. The script makes a quota file, ingests both, asks the
views (through psql if a URL is given: `runrate serve` must then serve that lake) and computes the
same numbers from the CSV files with nothing but the standard library.
"""

import argparse
import csv
import datetime
import io
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
Z95 = statistics.NormalDist().inv_cdf(0.975)
Z80 = statistics.NormalDist().inv_cdf(0.9)
QUARTERS = [(3 * q + 1) for q in range(4)]


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True)
    parser.add_argument("--runrate", required=True)
    parser.add_argument("--lake")
    parser.add_argument("--url")
    return parser.parse_args()


class Deal:
    def __init__(self, row):
        date = datetime.date.fromisoformat
        self.owner = row["sales_agent"]
        # The export writes one product in two ways.
        self.product = {"GTXPro": "GTX Pro"}.get(row["product"], row["product"])
        self.stage = row["deal_stage"]
        self.engaged = date(row["engage_date"]) if row["engage_date"] else None
        self.closed = date(row["close_date"]) if row["close_date"] else None
        self.value = Decimal(row["close_value"]) if row["close_value"] else None

    @property
    def is_won(self):
        return self.stage == "Won"

    @property
    def is_closed(self):
        return self.stage in ("Won", "Lost")

    @property
    def quarter(self):
        return datetime.date(self.closed.year, 3 * ((self.closed.month - 1) // 3) + 1, 1)


def read(folder):
    with open(os.path.join(folder, "sales_pipeline.csv"), newline="", encoding="utf-8") as file:
        return [Deal(row) for row in csv.DictReader(file)]


def last_day(start):
    following = datetime.date(start.year + start.month // 10, (start.month + 2) % 12 + 1, 1)
    return following - datetime.timedelta(days=1)


def write_quotas(path, deals):
    """A quota for every seller and quarter of the year, none of them alike."""
    quotas = {}
    owners = sorted({deal.owner for deal in deals})
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            "quota_id,owner_id,metric,period_start,period_end,amount,currency,quota_kind,ramp_included".split(",")
        )
        for number, owner in enumerate(owners):
            for month in QUARTERS:
                start = datetime.date(2017, month, 1)
                amount = 50_000 + 1_250 * number + 100 * month
                quotas[owner, start] = Decimal(amount)
                writer.writerow(
                    [f"q{number}-{month}", owner, "bookings", start, last_day(start), amount, "USD", "individual", "false"]
                )
    return quotas


def wilson(won, closed):
    p = won / closed
    middle = (p + Z95**2 / (2 * closed)) / (1 + Z95**2 / closed)
    half = Z95 / (1 + Z95**2 / closed) * math.sqrt(p * (1 - p) / closed + Z95**2 / (4 * closed**2))
    return middle - half, middle + half


def cents(value):
    return value.quantize(CENT, ROUND_HALF_UP)


class Checker:
    def __init__(self):
        self.counts = defaultdict(int)
        self.faults = []

    def equal(self, report, what, expected, got):
        self.counts[report] += 1
        if expected is None or got == "":
            is_same = expected is None and got == ""
        elif isinstance(expected, float):
            is_same = math.isclose(expected, float(got), rel_tol=1e-9, abs_tol=1e-12)
        elif isinstance(expected, Decimal):
            is_same = expected == Decimal(got)
        else:
            is_same = str(expected) == got
        if not is_same:
            self.faults.append(f"{report}: {what}: expected {expected}, got {got!r}")


def check_win_loss(check, ask, closed):
    groups = {"all": lambda d: "all", "owner": lambda d: d.owner, "product": lambda d: d.product}
    for dimension, key in groups.items():
        deals = defaultdict(list)
        for deal in closed:
            deals[key(deal)].append(deal)
        rows = {
            row["value"]: row
            for row in ask(f"SELECT * FROM collect.win_loss WHERE dimension = '{dimension}'")
        }
        check.equal("win_loss", f"{dimension} values", ", ".join(sorted(deals)), ", ".join(sorted(rows)))
        for value, group in deals.items():
            row = rows.get(value, defaultdict(str))
            won = [deal for deal in group if deal.is_won]
            low, high = wilson(len(won), len(group))
            amount = sum(deal.value for deal in won)
            cycle = sum((deal.closed - deal.engaged).days for deal in won) / len(won)
            for column, expected in {
                "won_count": len(won),
                "lost_count": len(group) - len(won),
                "win_rate_ratio": len(won) / len(group),
                "win_rate_lo_ratio": low,
                "win_rate_hi_ratio": high,
                "won_amount": cents(amount),
                "mean_won_amount": cents(amount / len(won)),
                "mean_cycle_days": cycle,
            }.items():
                check.equal("win_loss", f"{dimension} {value} {column}", expected, row[column])


def check_velocity(check, ask, deals, as_of):
    recent = [d for d in deals if d.is_closed and (as_of - d.closed).days < 365]
    rows = {(r["scope_type"], r["scope_id"]): r for r in ask("SELECT * FROM collect.sales_velocity")}
    scopes = [("company", "company", lambda d: True)]
    scopes += [("rep", o, lambda d, o=o: d.owner == o) for o in sorted({d.owner for d in deals})]
    for kind, name, belongs in scopes:
        row = rows.get((kind, name), defaultdict(str))
        open_count = sum(1 for d in deals if not d.is_closed and belongs(d))
        group = [d for d in recent if belongs(d)]
        won = [d for d in group if d.is_won]
        mean = sum(d.value for d in won) / len(won)
        rate = len(won) / len(group)
        cycle = sum((d.closed - d.engaged).days for d in won) / len(won)
        for column, expected in {
            "open_count": open_count,
            "won_count": len(won),
            "win_rate_ratio": rate,
            "mean_cycle_days": cycle,
            "velocity_day_amount": open_count * float(mean) * rate / cycle,
        }.items():
            check.equal("sales_velocity", f"{name} {column}", expected, row[column])


def check_attainment(check, ask, deals, quotas):
    booked = defaultdict(Decimal)
    for deal in deals:
        if deal.is_won:
            booked[deal.owner, deal.quarter] += deal.value
    rows = {
        (r["scope_id"], r["period_start"]): r
        for r in ask("SELECT * FROM reconcile.quota_attainment WHERE scope_type = 'rep'")
    }
    for (owner, start), quota in quotas.items():
        row = rows.get((owner, start.isoformat()), defaultdict(str))
        actual = booked[owner, start]
        for column, expected in {
            "quota": float(quota),
            "actual": float(actual),
            "attainment": float(actual / quota),
            "gap": float(quota - actual),
        }.items():
            check.equal("quota_attainment", f"{owner} {start} {column}", expected, row[column])
    company = ask("SELECT * FROM reconcile.quota_attainment WHERE scope_type = 'company'")
    for row in company:
        start = datetime.date.fromisoformat(row["period_start"])
        actual = sum(value for (_, quarter), value in booked.items() if quarter == start)
        quota = sum(value for (_, quarter), value in quotas.items() if quarter == start)
        check.equal("quota_attainment", f"company {start}", float(actual / quota), row["attainment"])


def fit(method, series, horizon):
    """Middle, one-step errors, parameters, growth: Hyndman and Athanasopoulos, chapter 5."""
    count, last = len(series), series[-1]
    if method == "naive":
        errors = [b - a for a, b in zip(series, series[1:])]
        return [last] * horizon, errors, 0, [math.sqrt(h) for h in range(1, horizon + 1)]
    if method == "mean":
        middle = sum(series) / count
        return [middle] * horizon, [x - middle for x in series], 1, [math.sqrt(1 + 1 / count)] * horizon
    slope = (last - series[0]) / (count - 1)
    errors = [b - a - slope for a, b in zip(series, series[1:])]
    growth = [math.sqrt(h * (1 + h / (count - 1))) for h in range(1, horizon + 1)]
    return [last + slope * h for h in range(1, horizon + 1)], errors, 1, growth


def student(z, freedom):
    """Student's quantile from the normal's: Abramowitz and Stegun, 26.7.5."""
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3


def check_forecast(check, ask, deals):
    booked = defaultdict(Decimal)
    for deal in deals:
        if deal.is_won:
            booked[deal.quarter] += deal.value
    series = [float(booked[start]) for start in sorted(booked)]
    assert len(series) == 4, "the year of the export"
    # Four quarters allow one origin: the last one foretold from the three before it.
    methods = ["naive", "mean", "drift"]
    method = min(methods, key=lambda m: abs(fit(m, series[:3], 1)[0][0] - series[3]))
    middle, errors, parameters, growth = fit(method, series, 4)
    spare = len(errors) - parameters
    sigma = math.sqrt(sum(e * e for e in errors) / spare)
    # Few errors say little of their spread.
    wide = student(Z80, max(spare, 3))
    rows = ask(
        "SELECT * FROM demand.forecast_quarter WHERE scope_type = 'company' "
        "AND trend_amount IS NOT NULL ORDER BY quarter_start"
    )
    check.equal("forecast_quarter", "quarters", 4, str(len(rows)))
    for step, row in enumerate(rows):
        start = datetime.date(2018, 3 * step + 1, 1)
        for column, expected in {
            "quarter_start": start,
            "trend_method": method,
            "trend_amount": cents(Decimal(middle[step])),
            "trend_lo_amount": cents(Decimal(middle[step] - wide * sigma * growth[step])),
            "trend_hi_amount": cents(Decimal(middle[step] + wide * sigma * growth[step])),
        }.items():
            check.equal("forecast_quarter", f"{start} {column}", expected, row[column])


def main():
    given = arguments()
    deals = read(given.data)
    closed = [deal for deal in deals if deal.is_closed]
    folder = tempfile.mkdtemp(prefix="oracle")
    lake = given.lake or os.path.join(folder, "lake")
    quota_file = os.path.join(folder, "quotas.csv")
    quotas = write_quotas(quota_file, deals)

    def runrate(*words):
        done = subprocess.run(
            [given.runrate, "--lake", lake, *words], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"runrate {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    runrate("ingest", "crm_sales_opportunities", given.data)
    runrate("ingest", "template", quota_file)

    def ask(sql):
        if given.url:
            text = subprocess.run(
                ["psql", given.url, "--csv", "-c", sql], capture_output=True, text=True, check=True
            ).stdout
        else:
            text = runrate("query", sql, "--format", "csv")
        return list(csv.DictReader(io.StringIO(text)))

    check = Checker()
    check.equal("totals", "opportunities", len(deals), ask("SELECT count(*) AS n FROM crm.opportunities")[0]["n"])
    won = [deal for deal in deals if deal.is_won]
    totals = ask("SELECT count(*) AS n, sum(amount) AS amount FROM crm.opportunities WHERE is_won")[0]
    check.equal("totals", "won", len(won), totals["n"])
    check.equal("totals", "won amount", cents(sum(deal.value for deal in won)), totals["amount"])
    as_of = datetime.date.fromisoformat(ask("SELECT as_of FROM ops.as_of")[0]["as_of"])
    check.equal("totals", "as_of", max(deal.closed for deal in closed), as_of.isoformat())
    check_win_loss(check, ask, closed)
    check_velocity(check, ask, deals, as_of)
    check_attainment(check, ask, deals, quotas)
    check_forecast(check, ask, deals)
    for report, count in check.counts.items():
        print(f"{report:18} {count:5} numbers")
    for fault in check.faults[:20]:
        print(fault)
    print(f"{len(check.faults)} differ")
    return 1 if check.faults else 0


if __name__ == "__main__":
    sys.exit(main())
