"""Runs in the peers' environment: nanoseconds per call of each SDK's local evaluation of one two-way split.

Standard input: {"units": [...], "repeats": n}. Standard output: {SDK: nanoseconds}.
"""

import json
import sys
import tempfile
import time

import growthbook
import UnleashClient
from flag_engine.engine import get_evaluation_result
from UnleashClient.cache import FileCache


def best(call, units, repeats):
    """Least mean processor time of a pass over the units."""
    passes = []
    for _ in range(repeats):
        started = time.thread_time_ns()
        for unit in units:
            call(unit)
        passes.append((time.thread_time_ns() - started) / len(units))
    return min(passes)


def growthbook_call():
    """`GrowthBook.run` of an inline experiment, one instance, attributes replaced for each unit."""
    experiment = growthbook.Experiment(
        key="plain", seed="shop/plain", hashVersion=2, variations=["control", "treatment"], weights=[0.5, 0.5]
    )
    instance = growthbook.GrowthBook(attributes={"id": ""})

    def call(unit):
        instance.set_attributes({"id": unit})
        return instance.run(experiment).value

    return call


def unleash_call(folder):
    """`UnleashClient.get_variant` from a bootstrapped cache, without network or metrics."""
    cache = FileCache("bench", directory=folder)
    strategy = {"name": "flexibleRollout", "parameters": {"rollout": "100", "stickiness": "userId", "groupId": "plain"}}
    variants = [
        {"name": name, "weight": 500, "weightType": "variable", "stickiness": "userId"}
        for name in ("control", "treatment")
    ]
    feature = {"name": "plain", "type": "experiment", "enabled": True, "strategies": [strategy], "variants": variants}
    cache.bootstrap_from_dict({"version": 1, "features": [feature]})
    client = UnleashClient.UnleashClient(
        "http://127.0.0.1:9", "bench", cache=cache, disable_metrics=True, disable_registration=True
    )
    client.initialize_client(fetch_toggles=False)
    call = lambda unit: client.get_variant("plain", {"userId": unit})["name"]  # noqa: E731 - one call a line, as they are compared
    if {call(str(i)) for i in range(50)} != {"control", "treatment"}:
        sys.exit("Unleash did not split the units")
    return call, client


def flagsmith_call():
    """The engine below Flagsmith's local evaluation, on one multivariate feature."""
    values = [{"value": name, "weight": 50, "priority": i} for i, name in enumerate(("control", "treatment"))]
    feature = {"key": "plain", "name": "plain", "enabled": True, "value": "control", "variants": values}
    environment = {"key": "env", "name": "env"}

    def call(unit):
        context = {
            "environment": environment,
            "features": {"plain": feature},
            "identity": {"identifier": unit, "key": "env_" + unit, "traits": {}},
        }
        return get_evaluation_result(context)["flags"]["plain"]["value"]

    if {call(str(i)) for i in range(50)} != {"control", "treatment"}:
        sys.exit("Flagsmith did not split the units")
    return call


def main():
    """Measure every SDK."""
    task = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        unleash, client = unleash_call(folder)
        calls = {"growthbook": growthbook_call(), "unleash": unleash, "flagsmith": flagsmith_call()}
        json.dump({name: best(call, task["units"], task["repeats"]) for name, call in calls.items()}, sys.stdout)
        client.destroy()


main()
