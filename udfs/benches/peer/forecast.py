"""Seconds that AutoETS of statsforecast takes for the series of a CSV file (id,ds,y), on one core.

The last line that it prints is that number; the first series, done before, pays for the start.
"""

import sys
import time

import pandas
from statsforecast import StatsForecast
from statsforecast.models import AutoETS

series = pandas.read_csv(sys.argv[1], parse_dates=["ds"])
series = series.rename(columns={"id": "unique_id"})


def forecast(rows):
    models = StatsForecast(models=[AutoETS(season_length=12)], freq="MS", n_jobs=1)
    return models.forecast(df=rows, h=12, level=[80])


forecast(series[series["unique_id"] == series["unique_id"].iloc[0]])
start = time.perf_counter()
found = forecast(series)
seconds = time.perf_counter() - start
assert len(found) == 12 * series["unique_id"].nunique(), len(found)
print(seconds)
