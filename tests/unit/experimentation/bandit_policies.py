"""Every kind of policy, for tests that hold of all of them."""

from collections.abc import Callable

import numpy as np

from pipelines.experimentation.bandits import (
    KLUCB,
    UCB1,
    Bandit,
    BetaThompson,
    EpsilonGreedy,
    GaussianThompson,
    LinearRandUCB,
    LinearThompson,
    LinUCB,
    Memory,
    Policy,
)

ARMS = ["red", "green", "blue"]
MEMORIES = [Memory(), Memory(discount=0.9), Memory(window=12)]
MAKERS: dict[str, Callable[[Memory], Policy]] = {
    "epsilon-greedy": lambda memory: EpsilonGreedy(3, epsilon=0.2, decay=50, memory=memory),
    "ucb1": lambda memory: UCB1(3, memory=memory),
    "kl-ucb": lambda memory: KLUCB(3, memory=memory),
    "beta": lambda memory: BetaThompson(3, memory=memory),
    "gaussian": lambda memory: GaussianThompson(3, noise=0.5, memory=memory),
    "linucb": lambda memory: LinUCB(3, features=2, memory=memory),
    "linear thompson": lambda memory: LinearThompson(3, features=2, noise=0.4, memory=memory),
    "linear randucb": lambda memory: LinearRandUCB(3, features=2, noise=0.4, memory=memory),
}


def context_for(policy: Policy, generator: np.random.Generator) -> list[float] | None:
    """A random context of the policy's length; None where it takes none."""
    return generator.normal(size=policy.features).tolist() if policy.features else None


def play(bandit: Bandit, steps: int, generator: np.random.Generator) -> list[str]:
    """Arms played while rewards arrive out of order, a third of them late."""
    arms: list[str] = []
    for _ in range(steps):
        decision = bandit.decide(context_for(bandit.policy, generator))
        arms.append(decision.arm)
        for waiting in bandit.outstanding:
            if generator.random() < 0.67:
                bandit.reward(waiting, float(generator.random() < 0.5))
    return arms
