"""Bandits beside mabwiser: regret on published problems with the same settings and rewards, and time per decision."""

import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    Bandit,
    BetaThompson,
    EpsilonGreedy,
    LinearRandUCB,
    LinearThompson,
    LinUCB,
    Policy,
)
from tests.bench._peers import run_peer

PROBLEMS = {
    "auer_1": [0.9, 0.6],
    "auer_11": [0.9] + [0.6] * 9,
    "auer_14": [0.55] + [0.45] * 9,
    "garivier_cappe_low": [0.1, 0.05, 0.05, 0.05, 0.02, 0.02, 0.02, 0.01, 0.01, 0.01],
}
"""Auer, Cesa-Bianchi, Fischer (2002), section 4; Garivier, Cappé (2011), section 6."""
STEPS, RUNS = 2000, 72
LINEAR = {"arms": 5, "features": 8, "noise": 0.5, "steps": 800}
TIMING = {"arms": 10, "features": 10, "repeats": 500, "many": 1000, "repetitions": 5}

OURS: dict[str, Callable[[int], Policy]] = {
    "epsilon_greedy": lambda arms: EpsilonGreedy(arms, epsilon=0.1),
    "ucb1": UCB1,
    "klucb": KLUCB,
    "thompson": BetaThompson,
}
OURS_LINEAR: dict[str, Callable[[int, int], Policy]] = {
    "linucb": lambda arms, features: LinUCB(arms, features=features),
    "linear_thompson": lambda arms, features: LinearThompson(arms, features=features, noise=0.5),
    "linear_rand_ucb": lambda arms, features: LinearRandUCB(arms, features=features, noise=0.5),
}
PEER: dict[str, Any] = {
    "epsilon_greedy": ["EpsilonGreedy", {"epsilon": 0.1}],
    "ucb1": ["UCB1", {"alpha": 1.0}],  # mean + alpha * sqrt(2 ln t / n): our exploration of 2
    "thompson": ["ThompsonSampling", {}],
}
PEER_LINEAR: dict[str, Any] = {"linucb": ["LinUCB", {"alpha": 1.0}], "linear_thompson": ["LinTS", {"alpha": 0.5}]}
SAME = {**{name: name for name in (*PEER, *PEER_LINEAR)}, "linear_rand_ucb": "linear_thompson"}
"""The peer's policy of the same kind and settings; RandUCB's is the peer's other random one at the same noise."""


def main() -> dict[str, Any]:
    """Regrets and microseconds. `z` is the mean of our regret less the peer's, run by run, in its standard errors."""
    policies = {"policies": PEER, "linear_policies": PEER_LINEAR}
    task = {**policies, "bernoulli": list(PROBLEMS.values()), "linear": LINEAR, "steps": STEPS, "runs": RUNS}
    print("  regrets (about four minutes)", file=sys.stderr)
    with ThreadPoolExecutor(1) as beside:
        peer = beside.submit(run_peer, "mabwiser", "mabwiser_runs.py", task)
        bernoulli = [
            {name: [_bernoulli(make, means, seed) for seed in range(RUNS)] for name, make in OURS.items()}
            for means in PROBLEMS.values()
        ]
        linear = {name: [_linear(make, seed) for seed in range(RUNS)] for name, make in OURS_LINEAR.items()}
        theirs = peer.result()
    tables = map(_compare, [*bernoulli, linear], [*theirs["bernoulli"], theirs["linear"]])
    print("  timings", file=sys.stderr)
    microseconds = _timings(run_peer("mabwiser", "mabwiser_runs.py", {**policies, "timing": TIMING}))
    regret = dict(zip([*PROBLEMS, "linear"], tables, strict=True))
    return {"steps": STEPS, "linear": LINEAR, "runs": RUNS, "regret": regret, "microseconds": microseconds}


def _bernoulli(make: Callable[[int], Policy], means: list[float], seed: int) -> float:
    means, rewards = _problem(means, seed)
    bandit = Bandit([str(arm) for arm in range(len(means))], make(len(means)), seed=seed, propensities=False)
    regret = 0.0
    for step in range(STEPS):
        decision = bandit.decide()
        arm = int(decision.arm)
        bandit.reward(decision.id, float(rewards[step, arm]))
        regret += max(means) - means[arm]
    return regret


def _problem(means: list[float], seed: int) -> tuple[list[float], Any]:
    """The arms in an order of the seed's (ties fall to the first arm in some libraries) and all rewards, 0 or 1."""
    generator = np.random.default_rng(1000 + seed)
    shuffled: list[float] = generator.permutation(means).tolist()
    return shuffled, generator.random((STEPS, len(means))) < shuffled


def _linear(make: Callable[[int, int], Policy], seed: int) -> float:
    arms, features, steps = int(LINEAR["arms"]), int(LINEAR["features"]), int(LINEAR["steps"])
    generator = np.random.default_rng(1000 + seed)
    weights = generator.normal(size=(arms, features)) / features**0.5
    contexts = generator.normal(size=(steps, features))
    errors = LINEAR["noise"] * generator.normal(size=(steps, arms))
    expected = contexts @ weights.T
    bandit = Bandit([str(arm) for arm in range(arms)], make(arms, features), seed=seed, propensities=False)
    regret = 0.0
    for step in range(steps):
        if step < arms:
            # mabwiser cannot predict before it has data: each arm's first play is given, here as there.
            arm = step
            bandit.policy.update(arm, float(expected[step, arm] + errors[step, arm]), contexts[step])
        else:
            decision = bandit.decide(contexts[step])
            arm = int(decision.arm)
            bandit.reward(decision.id, float(expected[step, arm] + errors[step, arm]))
        regret += float(expected[step].max() - expected[step, arm])
    return regret


def _compare(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> dict[str, Any]:
    best, best_of_peer = (
        min(policies, key=lambda name: statistics.fmean(policies[name])) for policies in (ours, theirs)
    )
    table: dict[str, Any] = {}
    for name, values in ours.items():
        table[name] = {"ours": _summary(values)}
        if name in SAME:
            other = theirs[SAME[name]]
            table[name] |= {"mabwiser": _summary(other), "z": _z(values, other)}
            table[name]["runs_of_equal_regret"] = sum(abs(a - b) < 1e-6 for a, b in zip(values, other, strict=True))
    table["best"] = {"ours": best, "mabwiser": best_of_peer, "z": _z(ours[best], theirs[best_of_peer])}
    return table


def _summary(values: list[float]) -> dict[str, float]:
    return {"mean": round(statistics.fmean(values), 2), "se": round(_se(values), 2)}


def _se(values: list[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5


def _z(ours: list[float], theirs: list[float]) -> float:
    """Both had the same rewards in each run, so the differences within runs are compared."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    spread = _se(differences)
    return round(statistics.fmean(differences) / spread, 2) if spread > 1e-9 else 0.0


def _timings(peer: dict[str, dict[str, float]]) -> dict[str, Any]:
    """CPU time for ten arms and features; ours also with propensities, which the peer lacks."""
    arms, features = TIMING["arms"], TIMING["features"]
    policies: dict[str, Callable[[], Policy]] = {
        **{name: lambda make=make: make(arms) for name, make in OURS.items()},
        **{name: lambda make=make: make(arms, features) for name, make in OURS_LINEAR.items()},
    }
    table: dict[str, Any] = {}
    for name, make in policies.items():
        plain, logged = (_better_of_two(make, propensities=propensities) for propensities in (False, True))
        table[name] = {"ours": plain, "ours_with_propensities": logged}
        if name in SAME:
            theirs = peer[SAME[name]]
            table[name]["mabwiser"] = theirs
            table[name]["times_faster"] = {what: round(theirs[what] / plain[what], 1) for what in plain}
            table[name]["times_faster_with_propensities"] = {
                what: round(theirs[what] / logged[what], 1) for what in logged
            }
    return table


def _better_of_two(make: Callable[[], Policy], *, propensities: bool) -> dict[str, float]:
    """As the peer's figures are taken."""
    first, second = (_time(make, propensities=propensities) for _ in range(2))
    return {what: min(first[what], second[what]) for what in first}


def _time(make: Callable[[], Policy], *, propensities: bool) -> dict[str, float]:
    policy = make()
    generator = np.random.default_rng(0)
    repeats, many = TIMING["repeats"], TIMING["many"]
    contexts = generator.normal(size=(max(repeats, many), TIMING["features"])) if policy.features else None
    given = [None] * repeats if contexts is None else list(contexts[:repeats])
    bandit = Bandit([str(arm) for arm in range(policy.arms)], policy, seed=1, propensities=propensities)
    for context in given[:200]:
        decision = bandit.decide(context)
        bandit.reward(decision.id, float(generator.integers(2)))

    def decide() -> None:
        for context in given:
            bandit.decide(context)

    def decide_and_learn() -> None:
        for context in given:
            bandit.reward(bandit.decide(context).id, 1.0)

    calls = iter([bandit.decide_many(many, contexts) for _ in range(TIMING["repetitions"])])
    ones = np.ones(many)
    return {
        "decide": _per(repeats, decide),
        "decide_and_learn": _per(repeats, decide_and_learn),
        "decide_many": _per(many, lambda: bandit.decide_many(many, contexts)),
        "learn_many": _per(many, lambda: bandit.reward_many(next(calls).ids, ones)),
    }


def _per(count: int, work: Callable[[], object]) -> float:
    """Microseconds of CPU for one of so many; the least of five repetitions."""
    spent: list[float] = []
    for _ in range(TIMING["repetitions"]):
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) / count * 1e6)
    return round(min(spent), 3)
