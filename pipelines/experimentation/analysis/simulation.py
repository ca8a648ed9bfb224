"""Does a procedure keep its promises? Simulated experiments, many at once, and the rates at which a procedure rejects.

A procedure is anything that turns an `Effect` of shape (replicates, looks) into rejections of the same shape; it is
taken to stop at the first. `effect` is added to the treatment.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.analysis.always_valid import MixtureTest
from pipelines.experimentation.analysis.estimates import Effect, compare_adjusted_means, compare_means, compare_ratios
from pipelines.experimentation.analysis.moments import Moments
from pipelines.experimentation.analysis.sequential import Boundaries
from pipelines.experimentation.analysis.sequential.recursion import crossing

Array = NDArray[np.float64]
Procedure = Callable[[Effect], NDArray[np.bool_]]


@dataclass(frozen=True)
class Plan:
    """Replicates, looks, and units between two looks: of each arm, or of the control alone with `treated` units."""

    replicates: int
    looks: int
    units: int
    seed: int
    treated: int | None = None

    def generator(self) -> np.random.Generator:
        """A generator that gives the same stream for the same plan."""
        return np.random.default_rng(self.seed)

    @property
    def shape(self) -> tuple[int, int]:
        """Replicates by looks."""
        return self.replicates, self.looks

    @property
    def arms(self) -> tuple[int, int]:
        """Units of control and treatment between two looks."""
        return self.units, self.units if self.treated is None else self.treated


def normal(plan: Plan, effect: float = 0.0) -> Effect:
    """Normal outcomes with unit variance; the moments are drawn directly from their known distributions."""
    rng = plan.generator()

    def arm(mean: float, units: int) -> Moments:
        means = mean + rng.standard_normal(plan.shape) / np.sqrt(units)
        return _over_looks(units, means[..., None], rng.chisquare(units - 1, plan.shape)[..., None, None])

    return compare_means(arm(0.0, plan.arms[0]), arm(effect, plan.arms[1]))


def canonical(replicates: int, information: Array, seed: int, effect: float = 0.0) -> Effect:
    """Estimates as the theory has them: normal, known variance, independent increments, at any `information`."""
    steps = np.diff(information, prepend=0.0)
    noise = np.random.default_rng(seed).standard_normal((replicates, len(information))) * np.sqrt(steps)
    difference = effect + np.cumsum(noise, axis=1) / information
    infinite = np.full_like(difference, np.inf)
    variance = np.broadcast_to(1 / information, difference.shape)
    return Effect(np.zeros_like(difference), difference, difference, np.sqrt(variance), infinite, variance / 2)


def bernoulli(plan: Plan, rate: float, effect: float = 0.0) -> Effect:
    """Zeros and ones."""
    rng = plan.generator()

    def arm(chance: float, units: int) -> Moments:
        mean = rng.binomial(units, chance, plan.shape) / units
        return _over_looks(units, mean[..., None], (units * mean * (1 - mean))[..., None, None])

    return compare_means(arm(rate, plan.arms[0]), arm(rate + effect, plan.arms[1]))


def ratio(plan: Plan, effect: float = 0.0) -> Effect:
    """Clicks over views: views are geometric with mean 4, each user has a click rate of their own with mean .2."""
    rng = plan.generator()

    def arm(extra: float, units: int) -> Moments:
        def batch() -> tuple[Array, Array]:
            size = (plan.replicates, units)
            views = rng.geometric(0.25, size)
            clicks = rng.binomial(views, np.clip(rng.beta(2, 8, size) + extra, 0, 1))
            return clicks.astype(float), views.astype(float)

        return _accumulate(plan, batch)

    return compare_ratios(arm(0.0, plan.arms[0]), arm(effect, plan.arms[1]))


def clustered(plan: Plan, effect: float = 0.0) -> Effect:
    """Users in clusters of one to nine that share half of their variance; `units` counts clusters."""
    rng = plan.generator()

    def arm(extra: float, units: int) -> Moments:
        def batch() -> tuple[Array, Array]:
            size = (plan.replicates, units)
            users = rng.integers(1, 10, size)
            shared = rng.standard_normal(size) * np.sqrt(0.5)
            noise = rng.standard_normal(size) * np.sqrt(0.5 * users)
            return users * (shared + extra) + noise, users.astype(float)

        return _accumulate(plan, batch)

    return compare_ratios(arm(0.0, plan.arms[0]), arm(effect, plan.arms[1]))


def adjusted(plan: Plan, effect: float = 0.0, correlation: float = 0.7) -> Effect:
    """Normal outcomes with a covariate measured before exposure, adjusted for it (CUPED)."""
    rng = plan.generator()

    def arm(extra: float, units: int) -> Moments:
        def batch() -> tuple[Array, Array]:
            before, noise = rng.standard_normal((2, plan.replicates, units))
            return extra + correlation * before + np.sqrt(1 - correlation**2) * noise, before

        return _accumulate(plan, batch)

    return compare_adjusted_means(arm(0.0, plan.arms[0]), arm(effect, plan.arms[1]))


def _accumulate(plan: Plan, batch: Callable[[], tuple[Array, Array]]) -> Moments:
    so_far, looks = Moments.of(*batch()), list[Moments]()
    looks.append(so_far)
    for _ in range(plan.looks - 1):
        so_far = so_far.merge(Moments.of(*batch()))
        looks.append(so_far)
    return _stack(looks)


def _over_looks(units: int, mean: Array, scatter: Array) -> Moments:
    counts = np.full(mean.shape[:1], float(units))
    so_far, looks = Moments(counts, mean[:, 0], scatter[:, 0]), list[Moments]()
    looks.append(so_far)
    for k in range(1, mean.shape[1]):
        so_far = so_far.merge(Moments(counts, mean[:, k], scatter[:, k]))
        looks.append(so_far)
    return _stack(looks)


def _stack(looks: list[Moments]) -> Moments:
    return Moments(
        np.stack([look.count for look in looks], axis=1),
        np.stack([look.mean for look in looks], axis=1),
        np.stack([look.scatter for look in looks], axis=1),
    )


def group_sequential(design: Boundaries) -> Procedure:
    """Reject where the statistic leaves the boundaries."""
    return lambda effect: (effect.z >= design.upper) | (effect.z <= design.lower)


def always_valid(test: MixtureTest, level: float) -> Procedure:
    """Reject where the mixture likelihood ratio reaches 1 / level."""
    return lambda effect: test.log_e_value(effect.difference, effect.cautious_information) >= np.log(1 / level)


def always_valid_rate(test: MixtureTest, information: Array, level: float, drift: float = 0.0) -> float:
    """Probability that a mixture test read at these informations rejects, computed: its bounds are boundaries too.

    `drift` is the effect. Close readings over a wide range bring it, without an effect, close to `level` from below.
    """
    bound = test.radius(information, level) * np.sqrt(information)
    lower = -bound if test.sides == "two" else np.full_like(bound, -np.inf)
    crossed = crossing(information, lower, bound, drift)
    return float(crossed.upper.sum() + crossed.lower.sum())


@dataclass(frozen=True)
class Rate:
    """Share of replicates that were rejected at any look."""

    rejected: int
    replicates: int

    @property
    def value(self) -> float:
        """The share."""
        return self.rejected / self.replicates

    def deviation(self, nominal: float) -> float:
        """Standard errors above `nominal`, the error being that of a true rate of `nominal`."""
        return (self.value - nominal) / float(np.sqrt(nominal * (1 - nominal) / self.replicates))

    def attains(self, nominal: float, errors: float = 3.0) -> bool:
        """Within `errors` standard errors of `nominal` on either side."""
        return abs(self.deviation(nominal)) <= errors

    def keeps(self, nominal: float, errors: float = 3.0) -> bool:
        """Not more than `errors` standard errors above `nominal`."""
        return self.deviation(nominal) <= errors


def rejection_rate(procedure: Procedure, effect: Effect) -> Rate:
    """How often the procedure stops with a rejection when it looks at every column; a NaN statistic does not reject."""
    with np.errstate(invalid="ignore"):
        rejected = np.asarray(procedure(effect)).any(axis=1)
    return Rate(int(np.sum(rejected)), effect.difference.shape[0])
