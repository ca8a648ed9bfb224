"""Bandits beside mabwiser: regret on published problems with the same settings and rewards, and time per decision."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    Bandit,
    BetaThompson,
    EpsilonGreedy,
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
STEPS, RUNS = 2000, 24
LINEAR = {"arms": 5, "features": 8, "noise": 0.5, "steps": 800, "runs": 12}
TIMING = {"arms": 10, "features": 10, "repeats": 500}

OURS: dict[str, Callable[[int], Policy]] = {
    "epsilon_greedy": lambda arms: EpsilonGreedy(arms, epsilon=0.1),
    "ucb1": UCB1,
    "klucb": KLUCB,
    "thompson": BetaThompson,
}
OURS_LINEAR: dict[str, Callable[[int, int], Policy]] = {
    "linucb": lambda arms, features: LinUCB(arms, features=features),
    "linear_thompson": lambda arms, features: LinearThompson(arms, features=features, noise=0.5),
}
PEER: dict[str, Any] = {
    "epsilon_greedy": ["EpsilonGreedy", {"epsilon": 0.1}],
    "ucb1": ["UCB1", {"alpha": 1.0}],  # mean + alpha * sqrt(2 ln t / n): our exploration of 2
    "thompson": ["ThompsonSampling", {}],
}
PEER_LINEAR: dict[str, Any] = {"linucb": ["LinUCB", {"alpha": 1.0}], "linear_thompson": ["LinTS", {"alpha": 0.5}]}


def main() -> dict[str, Any]:
    """Regrets with standard errors; `z` is our regret less the peer's, in standard errors of the difference."""
    task: dict[str, Any] = {
        "bernoulli": list(PROBLEMS.values()),
        "steps": STEPS,
        "runs": RUNS,
        "policies": PEER,
        "linear": LINEAR,
        "linear_policies": PEER_LINEAR,
        "timing": TIMING,
    }
    print("  mabwiser (a minute or two)", file=sys.stderr)
    peer = run_peer("mabwiser", "mabwiser_runs.py", task)
    regrets: dict[str, Any] = {}
    for (problem, means), theirs in zip(PROBLEMS.items(), peer["bernoulli"], strict=True):
        print(f"  {problem}", file=sys.stderr)
        ours = {name: [_bernoulli(make, means, seed) for seed in range(RUNS)] for name, make in OURS.items()}
        regrets[problem] = _compare(ours, theirs)
    ours = {name: [_linear(make, seed) for seed in range(int(LINEAR["runs"]))] for name, make in OURS_LINEAR.items()}
    regrets["linear"] = _compare(ours, peer["linear"])
    return {"steps": STEPS, "runs": RUNS, "regret": regrets, "microseconds": _timings(peer["timing"])}


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
        decision = bandit.decide(contexts[step])
        arm = int(decision.arm)
        bandit.reward(decision.id, float(expected[step, arm] + errors[step, arm]))
        regret += float(expected[step].max() - expected[step, arm])
    return regret


def _compare(ours: dict[str, list[float]], theirs: dict[str, list[float]]) -> dict[str, Any]:
    best = min(theirs.values(), key=statistics.fmean)
    table: dict[str, Any] = {}
    for name, values in ours.items():
        table[name] = {"ours": _summary(values)}
        if name in theirs:
            table[name] |= {"mabwiser": _summary(theirs[name]), "z": _z(values, theirs[name])}
    table["best_ours_against_best_peer_z"] = _z(min(ours.values(), key=statistics.fmean), best)
    return table


def _summary(values: list[float]) -> dict[str, float]:
    return {"mean": round(statistics.fmean(values), 2), "se": round(_se(values), 2)}


def _se(values: list[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5


def _z(ours: list[float], theirs: list[float]) -> float:
    spread = (_se(ours) ** 2 + _se(theirs) ** 2) ** 0.5
    return round((statistics.fmean(ours) - statistics.fmean(theirs)) / spread, 2)


def _timings(peer: dict[str, dict[str, float]]) -> dict[str, Any]:
    """CPU time for ten arms and features, one decision per call; ours also with propensities, which the peer lacks."""
    arms, features = TIMING["arms"], TIMING["features"]
    policies: dict[str, Callable[[], Policy]] = {
        **{name: lambda make=make: make(arms) for name, make in OURS.items()},
        **{name: lambda make=make: make(arms, features) for name, make in OURS_LINEAR.items()},
    }
    table: dict[str, Any] = {}
    for name, make in policies.items():
        plain, logged = _time(make, propensities=False), _time(make, propensities=True)
        table[name] = {"ours": plain, "ours_with_propensities": logged}
        if name in peer:
            table[name] |= {
                "mabwiser": peer[name],
                "times_faster_deciding": round(peer[name]["decide_us"] / plain["decide_us"], 1),
                "times_faster_deciding_and_learning": round(
                    peer[name]["decide_and_learn_us"] / plain["decide_and_learn_us"], 1
                ),
            }
    return table


def _time(make: Callable[[], Policy], *, propensities: bool) -> dict[str, float]:
    policy = make()
    generator = np.random.default_rng(0)
    repeats = TIMING["repeats"]
    contexts = generator.normal(size=(repeats + 200, TIMING["features"]))
    given = [context if policy.features else None for context in contexts]
    bandit = Bandit([str(arm) for arm in range(policy.arms)], policy, seed=1, propensities=propensities)
    for context in given[repeats:]:
        decision = bandit.decide(context)
        bandit.reward(decision.id, float(generator.integers(2)))
    decide: list[float] = []
    learn: list[float] = []
    for _ in range(3):
        begun = time.process_time()
        for context in given[:repeats]:
            bandit.decide(context)
        decide.append((time.process_time() - begun) / repeats * 1e6)
        begun = time.process_time()
        for context in given[:repeats]:
            bandit.reward(bandit.decide(context).id, 1.0)
        learn.append((time.process_time() - begun) / repeats * 1e6)
    return {"decide_us": round(min(decide), 2), "decide_and_learn_us": round(min(learn), 2)}
