"""Runs in an environment that has mabwiser: plays the problems on standard input and times its decisions.

Standard input: {"policies": {name: [class, arguments]}, "linear_policies": {...}} with either {"timing": {...}}, for
microseconds by policy on standard output, or {"bernoulli": [[means], ...], "linear": {...}, "steps": n, "runs": n}, for
regrets by problem and policy.
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
    """Per decision alone, with its reward learnt at once, and in calls of many; the least of some repetitions."""
    arms, features, repeats, many = (timing[name] for name in ("arms", "features", "repeats", "many"))
    repetitions = timing["repetitions"]
    generator = np.random.default_rng(0)
    contexts = generator.normal(size=(max(repeats, many), features))
    bandit = make(kind, arguments, arms, 1)
    begin = [str(arm) for arm in generator.integers(arms, size=200)]
    rewards = generator.integers(2, size=200).tolist()
    bandit.fit(begin, rewards, generator.normal(size=(200, features))) if contextual else bandit.fit(begin, rewards)
    ones = np.ones(many)

    def decide():
        for step in range(repeats):
            bandit.predict(contexts[step : step + 1]) if contextual else bandit.predict()

    def decide_and_learn():
        for step in range(repeats):
            context = contexts[step : step + 1]
            if contextual:
                bandit.partial_fit([bandit.predict(context)], [1], context)
            else:
                bandit.partial_fit([bandit.predict()], [1])

    def decide_many():
        # Without context it takes as many decisions as there are rows, whatever is in them.
        return bandit.predict(contexts[:many] if contextual else contexts[:many, :1])

    decided = np.array(decide_many())

    def learn_many():
        bandit.partial_fit(decided, ones, contexts[:many]) if contextual else bandit.partial_fit(decided, ones)

    return {
        "decide": per(repetitions, repeats, decide),
        "decide_and_learn": per(repetitions, repeats, decide_and_learn),
        "decide_many": per(repetitions, many, decide_many),
        "learn_many": per(repetitions, many, learn_many),
    }


def per(repetitions, count, work):
    spent = []
    for _ in range(repetitions):
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) / count * 1e6)
    return round(min(spent), 3)


def regrets(task):
    steps, runs, linear = task["steps"], task["runs"], task["linear"]
    return {
        "bernoulli": [
            {
                name: [bernoulli_regret(kind, arguments, means, steps, seed) for seed in range(runs)]
                for name, (kind, arguments) in task["policies"].items()
            }
            for means in task["bernoulli"]
        ],
        "linear": {
            name: [linear_regret(kind, arguments, linear, linear["steps"], seed) for seed in range(runs)]
            for name, (kind, arguments) in task["linear_policies"].items()
        },
    }


def timings(task):
    def once():
        return {
            name: microseconds(kind, arguments, task["timing"], name in task["linear_policies"])
            for name, (kind, arguments) in {**task["policies"], **task["linear_policies"]}.items()
        }

    # Each figure is the better of two rounds, so that neither a cold start nor a moment's load counts against it.
    first, second = once(), once()
    return {name: {what: min(first[name][what], second[name][what]) for what in first[name]} for name in first}


task = json.load(sys.stdin)
json.dump(timings(task) if "timing" in task else regrets(task), sys.stdout)
