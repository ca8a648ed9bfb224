"""Thompson sampling: each arm is played as often as it is believed to be best."""

from math import inf, isfinite
from typing import Any, ClassVar

import numpy as np
from scipy import special

from pipelines.experimentation.bandits.best_arm import best_arm_probabilities, best_gaussian_probabilities
from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats, Integers, Memory
from pipelines.experimentation.bandits.policy import ArmPolicy

# From this many draws on, computing the probabilities once by quadrature is the faster way to draw.
_QUADRATURE_PAYS = 128


class BetaThompson(ArmPolicy):
    """Thompson sampling for Bernoulli rewards with a Beta prior (Thompson 1933; Chapelle and Li, NIPS 2011).

    Rewards between 0 and 1 count as that fraction of a success. With a discount it is that of Raj and Kalyani (2017).
    """

    kind: ClassVar[str] = "beta_thompson"

    def __init__(self, arms: int, *, prior: tuple[float, float] = (1.0, 1.0), memory: Memory | None = None) -> None:
        if not all(1 <= value < inf for value in prior):
            raise BanditError(
                f"prior: both parameters must be at least 1, got {tuple(prior)}; below 1 the density has a pole, which "
                "the quadrature of the propensities does not resolve"
            )
        super().__init__(arms, memory or Memory())
        self.prior = (float(prior[0]), float(prior[1]))
        self._posterior: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
        self._of_version = -1

    def posterior(self) -> tuple[Floats, Floats]:
        """Both parameters of each arm's Beta distribution."""
        if self._of_version != self.version:
            counts, sums = self.statistics.counts, self.statistics.sums
            # Rounding in discounted or windowed sums may leave -1e-17 failures.
            successes, failures = np.maximum(sums, 0.0), np.maximum(counts - sums, 0.0)
            self._posterior = (self.prior[0] + successes, self.prior[1] + failures)
            self._of_version = self.version
        return self._posterior

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:  # noqa: ARG002 - the protocol's signature
        """The best arm of one draw from the posterior."""
        return int(generator.beta(*self.posterior()).argmax())

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """The best arms of draws from the posterior."""
        if count >= _QUADRATURE_PAYS:
            return super().choose_many(count, contexts, generator)
        return generator.beta(*self.posterior(), size=(count, self.arms)).argmax(axis=1)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:  # noqa: ARG002 - the protocol's signature
        """Probability of being best, by quadrature, with its measured error."""
        a, b = self.posterior()
        mean = a / (a + b)
        deviation = np.sqrt(mean * (1 - mean) / (a + b + 1))
        normaliser = special.betaln(a, b)[:, None]

        def density(x: Floats) -> Floats:
            exponent = special.xlogy(a[:, None] - 1, x) + special.xlog1py(b[:, None] - 1, -x) - normaliser
            return np.asarray(np.exp(exponent), dtype=np.float64)

        def cumulative(x: Floats) -> Floats:
            return np.asarray(special.betainc(a[:, None], b[:, None], x), dtype=np.float64)

        return best_arm_probabilities(density, cumulative, mean, deviation, (0.0, 1.0))

    @property
    def steady(self) -> bool:
        """Always: the prior stands in for untried arms, so plays need not be counted."""
        return True

    def issued(self, arm: int) -> None:
        """Nothing to count."""

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {**super().settings(), "prior": list(self.prior)}


class GaussianThompson(ArmPolicy):
    """Thompson sampling for real rewards of known noise with a Gaussian prior (Agrawal and Goyal, AISTATS 2013).

    `noise` is the standard deviation of one reward around its arm's mean; `prior_mean` and `prior_deviation` describe
    the arms' means before any reward. An understated noise makes the policy settle too early.
    """

    kind: ClassVar[str] = "gaussian_thompson"
    unit_rewards = False

    def __init__(
        self,
        arms: int,
        *,
        noise: float = 1.0,
        prior_mean: float = 0.0,
        prior_deviation: float = 1.0,
        memory: Memory | None = None,
    ) -> None:
        for name, value in (("noise", noise), ("prior_deviation", prior_deviation)):
            if not 0 < value < inf:
                raise BanditError(f"{name}: must be a positive number, got {value}")
        if not isfinite(prior_mean):
            raise BanditError(f"prior_mean: must be finite, got {prior_mean}")
        super().__init__(arms, memory or Memory())
        self.noise, self.prior_mean, self.prior_deviation = noise, prior_mean, prior_deviation
        self._posterior: tuple[Floats, Floats] = (np.empty(0), np.empty(0))
        self._of_version = -1

    def posterior(self) -> tuple[Floats, Floats]:
        """Mean and standard deviation of each arm's mean reward."""
        if self._of_version != self.version:
            prior_precision, noise_precision = self.prior_deviation**-2, self.noise**-2
            precision = prior_precision + noise_precision * self.statistics.counts
            mean = (prior_precision * self.prior_mean + noise_precision * self.statistics.sums) / precision
            self._posterior, self._of_version = (mean, precision**-0.5), self.version
        return self._posterior

    def choose(self, context: Floats | None, generator: np.random.Generator) -> int:  # noqa: ARG002 - the protocol's signature
        """The best arm of one draw from the posterior."""
        mean, deviation = self.posterior()
        return int((mean + deviation * generator.standard_normal(self.arms)).argmax())

    def choose_many(self, count: int, contexts: Floats | None, generator: np.random.Generator) -> Integers:
        """The best arms of draws from the posterior."""
        if count >= _QUADRATURE_PAYS:
            return super().choose_many(count, contexts, generator)
        mean, deviation = self.posterior()
        return (mean + deviation * generator.standard_normal((count, self.arms))).argmax(axis=1)

    def probabilities(self, context: Floats | None) -> tuple[Floats, float]:  # noqa: ARG002 - the protocol's signature
        """Probability of being best, by quadrature, with its measured error."""
        return best_gaussian_probabilities(*self.posterior())

    @property
    def steady(self) -> bool:
        """Always: the prior stands in for untried arms, so plays need not be counted."""
        return True

    def issued(self, arm: int) -> None:
        """Nothing to count."""

    def settings(self) -> dict[str, Any]:
        """Constructor arguments, as JSON."""
        return {
            **super().settings(),
            "noise": self.noise,
            "prior_mean": self.prior_mean,
            "prior_deviation": self.prior_deviation,
        }
