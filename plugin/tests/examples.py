"""Runs the example of every function in the Python package, and compares what it gives."""

import os
import sys

import runrate
from datafusion import SessionContext

context = SessionContext()
names = runrate.register_all(context, sys.argv[1])
wrong = []
for line in os.environ["EXAMPLES"].split("\n"):
    name, sql, wanted = line.split("\t")
    if name not in names:
        wrong.append(f"{name} is not in the library")
        continue
    column = context.sql(sql).collect()[0].column(0)
    found = column[0].as_py()
    text = str(found).lower() if isinstance(found, bool) else str(found)
    try:
        agrees = float(text) == float(wanted)
    except ValueError:
        agrees = text == wanted
    if not agrees:
        wrong.append(f"{sql}: {text} is not {wanted}")

score = context.sql("SELECT lead_score(80, 60) AS score").to_pydict()
if score != {"score": [70.0]}:
    wrong.append(f"lead_score(80, 60): {score}")
try:
    context.sql("SELECT lead_score(120, 60)").collect()
    wrong.append("lead_score(120, 60) was not refused")
except Exception as error:
    if "lead_score: fit must be from 0 to 100, got 120" not in str(error):
        wrong.append(f"lead_score(120, 60): {error}")
if wrong:
    sys.exit("\n".join(wrong))
print(f"{len(names)} functions agree")
