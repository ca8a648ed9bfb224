"""Ten-look boundaries beside `seqabpy`, and every method's type I error and power at full size."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np

from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest
from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.sequential import (
    Boundaries,
    KimDeMets,
    OBrienFleming,
    Pocock,
    boundaries,
    drift_for,
    power,
)
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Rate,
    always_valid,
    bernoulli,
    canonical,
    clustered,
    group_sequential,
    normal,
    ratio,
    rejection_rate,
)
from tests.bench._peers import run_peer

LEVEL, LOOKS = 0.05, 5
FRACTIONS = np.arange(1, LOOKS + 1) / LOOKS
CHUNKS = {"normal": 20, "bernoulli .10": 20, "bernoulli .01": 20, "ratio": 20, "clustered": 20}
STREAMS: dict[str, Callable[[int], Effect]] = {
    "normal": lambda seed: normal(Plan(20_000, LOOKS, 2_000, seed)),
    "bernoulli .10": lambda seed: bernoulli(Plan(20_000, LOOKS, 20_000, seed), 0.10),
    "bernoulli .01": lambda seed: bernoulli(Plan(20_000, LOOKS, 100_000, seed), 0.01),
    "ratio": lambda seed: ratio(Plan(2_000, LOOKS, 1_000, seed)),
    "clustered": lambda seed: clustered(Plan(2_000, LOOKS, 1_000, seed)),
}


def boundary_times(looks: int = 10) -> dict[str, object]:
    """Seconds for one set of boundaries, and the largest difference between the two."""
    fractions = np.arange(1, looks + 1) / looks
    times, found = list[float](), boundaries(fractions, LEVEL, OBrienFleming())
    for _ in range(200):
        started = time.perf_counter()
        found = boundaries(fractions, LEVEL, OBrienFleming())
        times.append(time.perf_counter() - started)
    peer = run_peer("sequential", "seqabpy_bounds.py", {"looks": looks, "level": LEVEL, "repeats": 1})
    return {
        "mlp seconds": min(times),
        "seqabpy seconds": peer["seconds"],
        "times faster": round(peer["seconds"] / min(times)),
        "largest difference of z": float(np.abs(np.array(peer["upper"]) - found.upper).max()),
    }


def type_i_errors() -> dict[str, object]:
    """Rates by stream and design, summed over chunks of replicates."""
    designs: dict[str, Boundaries] = {
        s.kind: boundaries(FRACTIONS, LEVEL, s) for s in (OBrienFleming(), Pocock(), KimDeMets(rho=2))
    }
    figures = dict[str, object]()
    for stream, draw in STREAMS.items():
        rejected, replicates = dict.fromkeys([*designs, "always-valid"], 0), 0
        for seed in range(CHUNKS[stream]):
            effect = draw(1_000 + seed)
            # The scale is a property of the stream, the same for every replicate.
            mixing = 2 * float(np.median(effect.standard_error[:, -1]))
            procedures = {name: group_sequential(design) for name, design in designs.items()}
            procedures["always-valid"] = always_valid(MixtureTest(mixing), LEVEL)
            for name, procedure in procedures.items():
                rejected[name] += rejection_rate(procedure, effect).rejected
            replicates += effect.difference.shape[0]
        rates = {name: Rate(count, replicates) for name, count in rejected.items()}
        figures[stream] = {
            name: {"rate": rate.value, "standard errors from nominal": round(rate.deviation(LEVEL), 2)}
            for name, rate in rates.items()
        } | {"replicates": replicates}
        print(stream, figures[stream], file=sys.stderr)
    return figures


def continuous_readings() -> dict[str, object]:
    """Type I errors of mixture tests read from a hundred to a million units, and of the e-process at every event."""
    information = np.geomspace(100.0, 1e6, 400)
    figures = dict[str, object]()
    for mixing in (0.005, 0.02, 0.1):
        for sides in ("two", "upper"):
            procedure = always_valid(MixtureTest(mixing, "two" if sides == "two" else "upper"), LEVEL)
            rates = [rejection_rate(procedure, canonical(10_000, information, seed)) for seed in range(4)]
            total = Rate(sum(r.rejected for r in rates), sum(r.replicates for r in rates))
            figures[f"mixture {mixing} {sides}"] = total.value
    for share in (0.5, 0.05):
        on_treatment = np.random.default_rng(7).random((10_000, 1_000)) < share
        hits = np.cumsum(on_treatment, axis=1)
        misses = np.arange(1, 1_001) - hits
        found = [
            (RareEventTest().log_e_values(hits[i : i + 1_000], misses[i : i + 1_000], share) >= np.log(1 / LEVEL)).any(
                1
            )
            for i in range(0, 10_000, 1_000)
        ]
        figures[f"rare events, share {share}"] = float(np.concatenate(found).mean())
    return figures


def powers() -> dict[str, object]:
    """Simulated power from outcomes to boundaries, beside the optimum computed for the same grid of looks."""
    figures = dict[str, object]()
    units = 2_000
    for spending in (OBrienFleming(), Pocock(), KimDeMets(rho=2)):
        design = boundaries(FRACTIONS, LEVEL, spending)
        effect = drift_for(design, 0.9) / np.sqrt(LOOKS * units / 2)
        rates = [
            rejection_rate(group_sequential(design), normal(Plan(50_000, LOOKS, units, s), effect)) for s in range(8)
        ]
        simulated = sum(r.rejected for r in rates) / sum(r.replicates for r in rates)
        optimum = power(design, drift_for(design, 0.9))
        figures[spending.kind] = {"simulated": simulated, "optimum": optimum, "difference": simulated - optimum}
    return figures


def main() -> dict[str, object]:
    """Every figure."""
    return {
        "boundaries": boundary_times(),
        "type I error": type_i_errors(),
        "type I error, continuous reading": continuous_readings(),
        "power": powers(),
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
