"""Measures lead models on leads of your own: five folds and a split in time, through the program.

    python3 tests/oracle/leads.py --leads FILE --id COLUMN --label COLUMN --positive 1 \
        --numbers A,B --words C,D --runrate target/release/runrate

Fold of a lead: crc32(id) % 5; predictions of the five are pooled. Split in time: the first 80 % by
`--order` (the id, as a number where it is one) teach, the others are scored. `--missing` names a
text that means nothing was chosen. Only Python's standard library; `--peer` also asks LightGBM and
scikit-learn's logistic regression for the five folds.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import tempfile
import zlib

FOLDS = 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--leads", required=True)
    parser.add_argument("--id", required=True)
    parser.add_argument("--label", required=True)
    parser.add_argument("--positive", default="1")
    parser.add_argument("--numbers", default="")
    parser.add_argument("--words", default="")
    parser.add_argument("--order")
    parser.add_argument("--missing", default="Select")
    parser.add_argument("--runrate", default="target/release/runrate")
    parser.add_argument("--method", default="auto", help="auto, scorecard, gbdt or naive_bayes")
    parser.add_argument("--peer", action="store_true")
    return parser.parse_args()


def number(text):
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read(options):
    numbers = [name for name in options.numbers.split(",") if name]
    words = [name for name in options.words.split(",") if name]
    rows = []
    with open(options.leads, newline="", encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            key = row[options.id].strip()
            order = row[options.order or options.id].strip()
            features = [number(row[name].strip()) for name in numbers]
            for name in words:
                text = row[name].strip()
                features.append(None if text in ("", options.missing) else text)
            label = row[options.label].strip() == options.positive
            fold = zlib.crc32(key.encode("ascii")) % FOLDS
            rows.append((key, number(order) if number(order) is not None else order, fold, label, features))
    rows.sort(key=lambda row: row[1])
    return rows, len(numbers), len(words)


class Program:
    """A lake of its own with the leads in it."""

    def __init__(self, path, rows, numbers, words, method):
        self.method = method
        self.path, self.folder = path, tempfile.TemporaryDirectory()
        self.names = [f"n{at}" for at in range(numbers)] + [f"w{at}" for at in range(words)]
        casts = [f"CAST(n{at} AS double)" for at in range(numbers)]
        casts += [f"w{at}" for at in range(words)]
        pairs = ", ".join(f"'{name}', {cast}" for name, cast in zip(self.names, casts))
        self.features = f"named_struct({pairs})"
        file = os.path.join(self.folder.name, "scored_leads.csv")
        with open(file, "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["place", "fold", "won"] + self.names)
            for place, (_, _, fold, label, features) in enumerate(rows):
                cells = ["" if cell is None else cell for cell in features]
                writer.writerow([place, fold, "true" if label else "false"] + cells)
        self.run("ingest", "--table", "scored_leads", file)

    def run(self, *words):
        lake = os.path.join(self.folder.name, "lake")
        done = subprocess.run(
            [self.path, *words], capture_output=True, text=True, env={**os.environ, "RUNRATE_LAKE": lake}
        )
        if done.returncode:
            sys.exit(f"runrate {' '.join(words)[:200]}: {done.stderr}")
        return done.stdout

    def chances(self, taught, scored):
        """Probability of each row that `scored` lets through, by its place."""
        sql = (
            f"WITH m AS (SELECT lead_model(CAST(won AS boolean), {self.features}, '{self.method}') AS model"
            f" FROM raw.scored_leads WHERE {taught})"
            f" SELECT place, lead_probability((SELECT model FROM m), {self.features}) AS p"
            f" FROM raw.scored_leads WHERE {scored}"
        )
        rows = csv.DictReader(self.run("query", sql, "--format", "csv").splitlines())
        return {int(row["place"]): float(row["p"]) for row in rows}


def report(title, rows, found):
    pairs = sorted((p, rows[place][3]) for place, p in found.items())
    count, won = len(pairs), sum(label for _, label in pairs)
    wins = below = start = 0
    while start < count:
        end = start
        while end < count and pairs[end][0] == pairs[start][0]:
            end += 1
        right = sum(label for _, label in pairs[start:end])
        wrong = end - start - right
        wins, below, start = wins + right * (below + wrong / 2), below + wrong, end
    auc = wins / (won * (count - won))
    clip = [(min(max(p, 1e-15), 1 - 1e-15), label) for p, label in pairs]
    loss = -sum(math.log(p if label else 1 - p) for p, label in clip) / count
    rate = won / count
    base = -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate))
    brier = sum((p - label) ** 2 for p, label in pairs) / count
    bins = [[0.0, 0] for _ in range(10)]
    for p, label in pairs:
        bins[min(int(p * 10), 9)][0] += p - label
    ece = sum(abs(gap) for gap, _ in bins) / count
    print(f"{title:28} n {count:6}  AUC {auc:.4f}  log-loss {loss:.4f} (base {base:.4f})  Brier {brier:.4f}  ECE {ece:.4f}")


def peers(rows, numbers):
    """Chances by other packages on the same folds."""
    import numpy
    import pandas
    from lightgbm import LGBMClassifier
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    frame = pandas.DataFrame([row[4] for row in rows])
    frame.columns = [f"f{at}" for at in frame.columns]
    number_names, word_names = list(frame.columns[:numbers]), list(frame.columns[numbers:])
    frame[number_names] = frame[number_names].astype(float)
    frame[word_names] = frame[word_names].fillna("(missing)").astype("category")
    labels = numpy.array([row[3] for row in rows])
    folds = numpy.array([row[2] for row in rows])
    plain = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), number_names),
            (OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"), word_names),
        ),
        LogisticRegression(max_iter=1000),
    )
    boosted = LGBMClassifier(n_estimators=200, learning_rate=0.05, verbose=-1)
    for name, model in [("logistic regression", plain), ("LightGBM", boosted)]:
        found = {}
        for fold in range(FOLDS):
            model.fit(frame[folds != fold], labels[folds != fold])
            scored = numpy.flatnonzero(folds == fold)
            found.update(zip(scored.tolist(), model.predict_proba(frame.iloc[scored])[:, 1].tolist()))
        report(f"{name}, five folds", rows, found)


def main():
    options = arguments()
    rows, numbers, words = read(options)
    program = Program(options.runrate, rows, numbers, words, options.method)
    found = {}
    for fold in range(FOLDS):
        at = f"CAST(fold AS bigint) = {fold}"
        found.update(program.chances(f"NOT {at}", at))
    report("runrate, five folds", rows, found)
    cut = len(rows) * 8 // 10
    place = "CAST(place AS bigint)"
    report("runrate, split in time", rows, program.chances(f"{place} < {cut}", f"{place} >= {cut}"))
    if options.peer:
        peers(rows, numbers)


if __name__ == "__main__":
    main()
