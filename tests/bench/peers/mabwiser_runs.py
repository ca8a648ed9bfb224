"""Runs in an environment that has mabwiser: plays the problems on standard input and times its decisions.

Standard input: {"bernoulli": [[means], ...], "steps": n, "runs": n, "policies": {name: [class, arguments]},
"linear": {...}, "timing": {...}}. Standard output: regrets by problem and policy, microseconds by policy.
"""

import json
import sys
import time
import warnings

import numpy as np
from mabwiser.mab import MAB, LearningPolicy

warnings.simplefilter("ignore")


def make(kind, arguments, arms, seed):
    return MAB([str(arm) for arm in range(arms)], getattr(LearningPolicy, kind)(**arguments), seed=seed)


def bernoulli_regret(kind, arguments, means, steps, seed):
    """Each arm is tried once first, as mabwiser needs data before its first prediction."""
    generator = np.random.default_rng(1000 + seed)
    means = generator.permutation(means)
    rewards = (generator.random((steps, len(means))) < means).astype(int)
    gaps = max(means) - np.array(means)
    bandit = make(kind, arguments, len(means), seed)
    first = list(range(len(means)))
    bandit.fit([str(arm) for arm in first], [int(rewards[arm, arm]) for arm in first])
    regret = gaps.sum()
    for step in range(len(means), steps):
        arm = int(bandit.predict())
        regret += gaps[arm]
        bandit.partial_fit([str(arm)], [int(rewards[step, arm])])
    return float(regret)


def linear_regret(kind, arguments, problem, steps, seed):
    generator = np.random.default_rng(1000 + seed)
    arms, features, noise = problem["arms"], problem["features"], problem["noise"]
    weights = generator.normal(size=(arms, features)) / features**0.5
    contexts, errors = generator.normal(size=(steps, features)), noise * generator.normal(size=(steps, arms))
    expected = contexts @ weights.T
    bandit = make(kind, arguments, arms, seed)
    regret = 0.0
    for step in range(steps):
        context = contexts[step : step + 1]
        # Before any data mabwiser cannot predict; its first arms are tried in turn.
        arm = step if step < arms else int(bandit.predict(context))
        reward = expected[step, arm] + errors[step, arm]
        (bandit.fit if step == 0 else bandit.partial_fit)([str(arm)], [float(reward)], context)
        regret += expected[step].max() - expected[step, arm]
    return float(regret)


def microseconds(kind, arguments, timing, contextual):
    """Per decision alone, and per decision with its reward learnt at once; minimum of three repetitions."""
    arms, features, repeats = timing["arms"], timing["features"], timing["repeats"]
    generator = np.random.default_rng(0)
    contexts = generator.normal(size=(repeats, features))
    bandit = make(kind, arguments, arms, 1)
    begin = [str(arm) for arm in generator.integers(arms, size=200)]
    rewards = generator.integers(2, size=200).tolist()
    bandit.fit(begin, rewards, generator.normal(size=(200, features))) if contextual else bandit.fit(begin, rewards)
    decide, learn = [], []
    for _ in range(3):
        begun = time.process_time()
        for step in range(repeats):
            bandit.predict(contexts[step : step + 1]) if contextual else bandit.predict()
        decide.append((time.process_time() - begun) / repeats * 1e6)
        begun = time.process_time()
        for step in range(repeats):
            context = contexts[step : step + 1]
            if contextual:
                bandit.partial_fit([bandit.predict(context)], [1], context)
            else:
                bandit.partial_fit([bandit.predict()], [1])
        learn.append((time.process_time() - begun) / repeats * 1e6)
    return {"decide_us": round(min(decide), 2), "decide_and_learn_us": round(min(learn), 2)}


task = json.load(sys.stdin)
steps, runs = task["steps"], task["runs"]
found = {"bernoulli": [], "linear": {}, "timing": {}}
for means in task["bernoulli"]:
    found["bernoulli"].append(
        {
            name: [bernoulli_regret(kind, arguments, means, steps, seed) for seed in range(runs)]
            for name, (kind, arguments) in task["policies"].items()
        }
    )
for name, (kind, arguments) in task["linear_policies"].items():
    found["linear"][name] = [
        linear_regret(kind, arguments, task["linear"], task["linear"]["steps"], seed)
        for seed in range(task["linear"]["runs"])
    ]
for name, (kind, arguments) in {**task["policies"], **task["linear_policies"]}.items():
    found["timing"][name] = microseconds(kind, arguments, task["timing"], name in task["linear_policies"])
json.dump(found, sys.stdout)
