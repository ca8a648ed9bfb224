"""Ten-look boundaries beside `seqabpy`, and every method's type I error and power at full size."""

import json
import sys
import time
from collections.abc import Callable

import numpy as np
from scipy.special import ndtr

from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest
from pipelines.experimentation.analysis.estimates import Effect, compare, quantile
from pipelines.experimentation.analysis.sequential import (
    KimDeMets,
    OBrienFleming,
    Pocock,
    after_stopping,
    boundaries,
    drift_for,
    power,
)
from pipelines.experimentation.analysis.sequential.boundaries import Sides
from pipelines.experimentation.analysis.simulation import (
    Plan,
    Procedure,
    Rate,
    adjusted,
    always_valid,
    always_valid_rate,
    bernoulli,
    canonical,
    clustered,
    group_sequential,
    normal,
    ratio,
    rejection_rate,
)
from tests.bench._peers import run_peer

LEVEL, LOOKS, CHUNKS = 0.05, 5, 20
FRACTIONS = np.arange(1, LOOKS + 1) / LOOKS
SIDES: tuple[Sides, ...] = ("two", "upper")
STREAMS: dict[str, Callable[[int], Effect]] = {
    "normal": lambda seed: normal(Plan(20_000, LOOKS, 2_000, seed)),
    "normal, a tenth treated": lambda seed: normal(Plan(20_000, LOOKS, 1_800, seed, treated=200)),
    "bernoulli .10": lambda seed: bernoulli(Plan(20_000, LOOKS, 20_000, seed), 0.10),
    "bernoulli .01": lambda seed: bernoulli(Plan(20_000, LOOKS, 100_000, seed), 0.01),
    "ratio": lambda seed: ratio(Plan(2_000, LOOKS, 1_000, seed)),
    "clustered": lambda seed: clustered(Plan(2_000, LOOKS, 1_000, seed)),
    "adjusted": lambda seed: adjusted(Plan(2_000, LOOKS, 1_000, seed)),
    "quantile .9": lambda seed: quantiles(500, 1_000, seed),
}


def quantiles(replicates: int, units: int, seed: int) -> Effect:
    """The ninth decile of exponential values, with one value a unit."""
    rng = np.random.default_rng(seed)

    def one() -> list[Effect]:
        control, treatment = rng.exponential(size=(2, LOOKS * units))
        return [
            compare(*(quantile(arm[: k * units], 0.9) for arm in (control, treatment))) for k in range(1, LOOKS + 1)
        ]

    rows = [one() for _ in range(replicates)]

    def table(name: str) -> np.ndarray:
        return np.array([[float(getattr(effect, name)) for effect in row] for row in rows])

    return Effect(
        *(
            table(name)
            for name in ("control", "treatment", "difference", "standard_error", "degrees", "control_variance")
        )
    )


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


def procedures() -> dict[str, Procedure]:
    """Every design at planned looks, and the test with a single one, the last."""
    last = np.array([np.inf] * (LOOKS - 1) + [1.959963985])
    found: dict[str, Procedure] = {"single look": lambda effect: np.abs(effect.z) >= last}
    for spending in (OBrienFleming(), Pocock(), KimDeMets(rho=2)):
        for sides in SIDES:
            found[f"{spending.kind}, {sides}"] = group_sequential(boundaries(FRACTIONS, LEVEL, spending, sides))
    return found


def type_i_errors() -> dict[str, object]:
    """Rates by stream and design, summed over chunks of replicates."""
    figures, tried = dict[str, object](), procedures()
    for stream, draw in STREAMS.items():
        rejected, replicates = dict.fromkeys(tried, 0), 0
        for seed in range(CHUNKS):
            effect = draw(1_000 + seed)
            for name, procedure in tried.items():
                rejected[name] += rejection_rate(procedure, effect).rejected
            replicates += effect.difference.shape[0]
        rates = {name: Rate(count, replicates) for name, count in rejected.items()}
        figures[stream] = {name: _against(rate, LEVEL) for name, rate in rates.items()} | {"replicates": replicates}
        print(stream, figures[stream], file=sys.stderr)
    return figures


def _against(rate: Rate, nominal: float) -> dict[str, float]:
    return {
        "rate": round(rate.value, 5),
        "nominal": round(nominal, 5),
        "standard errors from nominal": round(rate.deviation(nominal), 2),
    }


def many_readings() -> dict[str, object]:
    """Mixture tests read after every batch of users, beside the probability that the recursion computes for it.

    The mixing deviations are an effect that the whole stream would show well, and a tenth of it.
    """
    looks, figures = 100, dict[str, object]()
    streams: dict[str, Callable[[int], Effect]] = {
        "normal": lambda seed: normal(Plan(20_000, looks, 100, seed)),
        "bernoulli .10": lambda seed: bernoulli(Plan(20_000, looks, 400, seed), 0.10),
        "bernoulli .01": lambda seed: bernoulli(Plan(20_000, looks, 4_000, seed), 0.01),
        "ratio": lambda seed: ratio(Plan(2_000, looks, 100, seed)),
        "clustered": lambda seed: clustered(Plan(2_000, looks, 100, seed)),
        "adjusted": lambda seed: adjusted(Plan(2_000, looks, 100, seed)),
    }
    for stream, draw in streams.items():
        effects = [draw(2_000 + seed) for seed in range(5)]
        whole = float(np.median(effects[0].information[:, -1]))
        information = whole * np.arange(1, looks + 1) / looks
        for times in (1.0, 10.0):
            for sides in SIDES:
                test = MixtureTest(times / float(np.sqrt(whole)), sides)
                rates = [rejection_rate(always_valid(test, LEVEL), effect) for effect in effects]
                total = Rate(sum(r.rejected for r in rates), sum(r.replicates for r in rates))
                name = f"{stream}, mixing {times:g} final errors, {sides}"
                figures[name] = _against(total, always_valid_rate(test, information, LEVEL)) | {
                    "replicates": total.replicates
                }
        print(stream, file=sys.stderr)
    return figures


def without_a_pause(replicates: int = 100_000, points: int = 800) -> dict[str, object]:
    """Mixture tests that read a Brownian path at every moment: they err in exactly their level of experiments.

    Between two points, a and b away from the bound, the path crosses it with probability exp(-2 a b / gap).
    """
    figures = dict[str, object]()
    for sides in SIDES:
        test, crossed = MixtureTest(0.05, sides), 0
        information = np.geomspace(1e-2, 1e9, points) / test.mixing**2
        bound, gap = test.radius(information, LEVEL) * information, np.diff(information)
        for seed in range(replicates // 5_000):
            path = canonical(5_000, information, 3_000 + seed).difference * information
            left = [np.clip(bound - side, 0, None) for side in ((path, -path) if sides == "two" else (path,))]
            chance = np.minimum(1, sum(np.exp(-2 * near[:, :-1] * near[:, 1:] / gap) for near in left))
            crossed += int((np.random.default_rng(seed).random(chance.shape) < chance).any(axis=1).sum())
        figures[f"mixture, {sides}"] = _against(Rate(crossed, replicates), LEVEL)
    return figures


def rare_events(events: int = 3_000) -> dict[str, object]:
    """The e-process read at every event, its error computed exactly by share of treatment; at most the level."""
    figures = dict[str, object]()
    for share in (0.5, 0.1, 0.01, 0.9):
        going, ever = np.zeros(events + 1), 0.0
        going[0] = 1.0
        for n in range(1, events + 1):
            hits = np.arange(n + 1)
            reached = RareEventTest().log_e_values(hits, n - hits, share) >= np.log(1 / LEVEL)
            going = going * (1 - share) + np.concatenate([[0.0], going[:-1]]) * share
            ever += float(going[: n + 1][reached].sum())
            going[: n + 1][reached] = 0.0
        figures[f"share {share}"] = round(ever, 5)
    return figures


def few_units(replicates: int = 100_000) -> dict[str, object]:
    """Type I error of one look, by units or clusters an arm."""
    figures = dict[str, object]()
    for stream in (normal, ratio, clustered, adjusted):
        for units in (10, 20, 40, 80):
            effects = [stream(Plan(20_000, 1, units, 4_000 + seed)) for seed in range(replicates // 20_000)]
            rejected = sum(int((2 * ndtr(-np.abs(effect.z[:, -1])) <= LEVEL).sum()) for effect in effects)
            figures[f"{stream.__name__}, {units}"] = round(rejected / replicates, 4)
    return figures


def after_stops(replicates: int = 2_000) -> dict[str, object]:
    """How often the interval after stopping, of confidence .9, covers, and the estimate lies above the effect."""
    figures = dict[str, object]()
    for effect in (0.0, 2.0, 3.5):
        for spending in (OBrienFleming(), Pocock()):
            design = boundaries(FRACTIONS, LEVEL, spending)
            z = canonical(replicates, FRACTIONS, 5_000, effect).z
            stops = np.abs(z) >= design.upper
            last = np.where(stops.any(axis=1), stops.argmax(axis=1), LOOKS - 1)
            found = [
                after_stopping(list(FRACTIONS[: k + 1]), design, float(path[k]), 0.9)
                for path, k in zip(z, last, strict=True)
            ]
            covered, above = sum(f.low <= effect <= f.high for f in found), sum(f.estimate > effect for f in found)
            name = f"{spending.kind}, drift {effect:g}"
            figures[name] = {
                "covers": _against(Rate(covered, replicates), 0.9),
                "above": _against(Rate(above, replicates), 0.5),
            }
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
        "type I error, a hundred readings": many_readings(),
        "type I error, read without a pause": without_a_pause(),
        "type I error, rare events, exact": rare_events(),
        "type I error, few units an arm": few_units(),
        "after stopping": after_stops(),
        "power": powers(),
    }


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
