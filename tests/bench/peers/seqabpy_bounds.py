"""Runs in the peers' environment: O'Brien-Fleming boundaries of `seqabpy.gatsby.ldBounds` and the seconds they take.

Standard input: {"looks": n, "level": x, "repeats": n}; `level` is two-sided, `ldBounds` wants one side's.
"""

import contextlib
import io
import json
import sys
import time

import numpy as np
from seqabpy import gatsby

task = json.load(sys.stdin)
fractions = np.arange(1, task["looks"] + 1) / task["looks"]
times = []
for _ in range(task["repeats"]):
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        found = gatsby.ldBounds(t=fractions, iuse=1, alpha=task["level"] / 2)
    times.append(time.perf_counter() - started)
json.dump({"seconds": min(times), "upper": np.ravel(found["upper.bounds"]).tolist()}, sys.stdout)
