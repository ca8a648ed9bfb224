"""Runs in an environment that has only GrowthBook's SDK: reads experiments and units, writes the SDK's placements.

Standard input: {"experiments": [...], "units": [[unit, attributes], ...]}.
Standard output: {experiment: [variant or null, ...]}.
"""

import json
import sys

from growthbook import Experiment, GrowthBook

document = json.load(sys.stdin)
placements = {}
for experiment in document["experiments"]:
    row = []
    for unit, attributes in document["units"]:
        result = GrowthBook(attributes={"id": unit, **attributes}).run(Experiment(**experiment))
        row.append(result.value if result.inExperiment else None)
    placements[experiment["key"]] = row
json.dump(placements, sys.stdout)
