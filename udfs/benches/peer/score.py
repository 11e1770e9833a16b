"""Seconds that LightGBM (200 trees) takes to score the leads of a file, on one core.

The file holds 64-bit floats, 21 a lead: 5 numbers, 15 words as codes, and the label; the first 20,000
leads teach. Only the scoring is timed, of a matrix that is ready: text has been turned into codes
before, which the other side does within its time. The last line that it prints is the seconds.
"""

import sys
import time

import lightgbm
import numpy

leads = numpy.fromfile(sys.argv[1], dtype="<f8").reshape(-1, 21)
features, labels = numpy.ascontiguousarray(leads[:, :20]), leads[:, 20]
parameters = {"objective": "binary", "learning_rate": 0.05, "num_threads": 1, "verbose": -1}
taught = lightgbm.Dataset(features[:20000], labels[:20000], categorical_feature=list(range(5, 20)))
model = lightgbm.train(parameters, taught, num_boost_round=200)
model.predict(features[:1000], num_threads=1)
start = time.perf_counter()
chances = model.predict(features, num_threads=1)
seconds = time.perf_counter() - start
assert chances.shape == (len(leads),) and 0 <= chances.min() and chances.max() <= 1
print(seconds)
