"""Contextual policies: a ridge regression per arm, optimistic (LinUCB) or sampled (linear Thompson)."""

from dataclasses import asdict
from math import inf
from typing import Any, ClassVar

import numpy as np

from pipelines.experimentation.bandits.best_arm import best_gaussian_probabilities
from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Integers, Memory
from pipelines.experimentation.bandits.policy import argmax, argmax_many, argmax_probabilities, check_arms
from pipelines.experimentation.bandits.ridge import RidgeModels

# A smaller one would vanish in rounding beside the squares of contexts, which may then leave no inverse.
_SMALLEST_RIDGE = 1e-6


class LinearPolicy:
    """Base of the contextual policies."""

    unit_rewards = False
    steady = True

    def __init__(self, arms: int, features: int, ridge: float, memory: Memory | None) -> None:
        check_arms(arms)
        if features < 1:
            raise BanditError(f"features: must be at least 1, got {features}")
        if not _SMALLEST_RIDGE <= ridge < inf:
            raise BanditError(f"ridge: must be a positive number, {_SMALLEST_RIDGE:g} at least, got {ridge}")
        self.arms, self.features, self.ridge = arms, features, ridge
        self.memory = memory or Memory()
        self.version = 0
        self.models = RidgeModels(arms, features, ridge, self.memory)

    def issued(self, arm: int) -> None:
        """The ridge stands in for untried arms, so plays need not be counted."""

    def update(self, arm: int, reward: float, context: Floats | None) -> None:
        """Learn from one reward."""
        self.models.add(arm, reward, required(context))
        self.version += 1

    def update_many(self, arms: Integers, rewards: Floats, contexts: Floats | None) -> None:
        """Learn from rewards in this order."""
        self.models.add_many(arms, rewards, required(contexts))
        self.version += 1

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {"arms": self.arms, "features": self.features, "ridge": self.ridge, "memory": asdict(self.memory)}

    def state(self) -> dict[str, Any]:
        """What was learnt, as JSON."""
        return {"models": self.models.state(), "version": self.version}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self.models.restore(state["models"])
        self.version = int(state["version"])


class LinUCB(LinearPolicy):
    """LinUCB with disjoint models (Li, Chu, Langford, Schapire, WWW 2010).

    `exploration` is the paper's alpha: how many deviations of the estimate the bound adds. Deterministic but for
    ties, so its log supports no other policy's evaluation.
    """

    kind: ClassVar[str] = "linucb"

    def __init__(
        self, arms: int, *, features: int, exploration: float = 1.0, ridge: float = 1.0, memory: Memory | None = None
    ) -> None:
        if not 0 <= exploration < inf:
            raise BanditError(f"exploration: must not be negative, got {exploration}")
        super().__init__(arms, features, ridge, memory)
        self.exploration = exploration

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The arm to play."""
        return argmax(self._indices(context).tolist(), generator)

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:  # noqa: ARG002 - the protocol's signature
        """The arms to play."""
        mean, deviation = self.models.predict_many(required(contexts))
        return argmax_many(mean + self.exploration * deviation, generator)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Exact: all on the largest bound, shared among ties."""
        return argmax_probabilities(self._indices(context)), 0.0

    def probabilities_many(self, contexts: Floats) -> tuple[Floats, float]:
        """Exact, for each row of `contexts`."""
        mean, deviation = self.models.predict_many(contexts)
        return argmax_probabilities(mean + self.exploration * deviation), 0.0

    def _indices(self, context: Floats | None) -> Floats:
        mean, deviation = self.models.predict(required(context))
        return mean + self.exploration * deviation

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "exploration": self.exploration}


class LinearThompson(LinearPolicy):
    """Thompson sampling with a Gaussian linear model per arm (Agrawal and Goyal, ICML 2013; disjoint models).

    `noise` scales the posterior's deviation (the paper's v). The rewards' own deviation is the Bayesian choice; where
    contexts vary much, a fraction of it costs less regret (Chapelle and Li, NIPS 2011, shrink theirs too). Only the
    models' predictions matter for the choice, so they are drawn in place of the weights: the same distribution at a
    fraction of the work.
    """

    kind: ClassVar[str] = "linear_thompson"

    def __init__(
        self, arms: int, *, features: int, noise: float = 1.0, ridge: float = 1.0, memory: Memory | None = None
    ) -> None:
        if not 0 < noise < inf:
            raise BanditError(f"noise: must be a positive number, got {noise}")
        super().__init__(arms, features, ridge, memory)
        self.noise = noise

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:
        """The best arm of one draw from the posterior."""
        mean, deviation = self.models.predict(required(context))
        return int((mean + self.noise * deviation * generator.standard_normal(self.arms)).argmax())

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """The best arms of one draw from the posterior for each context."""
        mean, deviation = self.models.predict_many(required(contexts))
        return (mean + self.noise * deviation * generator.standard_normal((count, self.arms))).argmax(axis=1)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:
        """Probability of being best, by quadrature, with its measured error."""
        mean, deviation = self.models.predict(required(context))
        return best_gaussian_probabilities(mean, self.noise * deviation)

    def probabilities_many(self, contexts: Floats) -> tuple[Floats, float]:
        """By quadrature, for each row of `contexts`."""
        mean, deviation = self.models.predict_many(contexts)
        found = [best_gaussian_probabilities(*beliefs) for beliefs in zip(mean, self.noise * deviation, strict=True)]
        return np.array([probabilities for probabilities, _ in found]), max(error for _, error in found)

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "noise": self.noise}


def required(context: Floats | None) -> Floats:
    """The context or contexts. Raises BanditError for none."""
    if context is None:
        raise BanditError("context: this policy needs a context vector, got none")
    return context
