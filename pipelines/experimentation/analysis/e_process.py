"""An exact sequential test for rare binary harm: crashes, refunds, failed payments.

When units are dealt to treatment with a known probability π and the two arms have the same event rate, each event
falls on the treatment with probability exactly π, whatever the rate and however rare. With relative risk r that
probability is π r / (π r + 1 - π). The product over events of the likelihood ratio of r to the tolerated risk is an
e-process for the null hypothesis "relative risk at most the tolerated one": for any smaller risk every factor has
mean below one. A mixture over r fixed in advance is one too, and Ville's inequality bounds
the chance that it ever reaches 1 / level by that level: no approximation at all. (Wald 1945; Ramdas, Grünwald, Vovk &
Shafer 2023, "Game-theoretic statistics and safe anytime-valid inference".)

π may change with a ramp: each event counts with the π in force when its unit was dealt. Events of one unit must be
counted once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """Units with an event by arm while the treatment's share of units was `share`."""

    share: float
    treatment: int
    control: int


@dataclass(frozen=True)
class RareEventTest:
    """`tolerated` is the relative risk still acceptable (1: no increase); `risks` are the alternatives mixed over.

    The default mixes evenly over ten risks from 1.25 to 8 times the tolerated one, evenly spaced on the log scale.
    """

    tolerated: float = 1.0
    risks: tuple[float, ...] = field(default=())

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tolerated) and self.tolerated > 0):
            raise ExperimentError(f"the tolerated relative risk must be positive, got {self.tolerated}")
        if not self.risks:
            object.__setattr__(self, "risks", tuple((self.tolerated * np.geomspace(1.25, 8, 10)).tolist()))
        if not all(math.isfinite(risk) and risk > self.tolerated for risk in self.risks):
            raise ExperimentError(f"alternatives must exceed the tolerated risk {self.tolerated}, got {self.risks}")

    def log_e_value(self, stages: Sequence[Stage]) -> float:
        """Natural logarithm of the e-value; log(1 / level) ever reached rejects. No events give 0."""
        total = np.zeros(len(self.risks))
        for stage in stages:
            if not 0 < stage.share < 1:
                raise ExperimentError(f"the treatment's share must lie strictly between 0 and 1, got {stage.share}")
            if stage.treatment < 0 or stage.control < 0:
                raise ExperimentError(f"events cannot be negative, got {stage}")
            total += self._increment(stage.share, stage.treatment, stage.control)
        return float(logsumexp(total) - math.log(len(self.risks)))

    def log_e_values(self, treatment: ArrayLike, control: ArrayLike, share: float) -> Array:
        """As `log_e_value` for many paths at once with one share; shape as broadcast."""
        hits, misses = np.asarray(treatment, dtype=float)[..., None], np.asarray(control, dtype=float)[..., None]
        return np.asarray(logsumexp(self._increment(share, hits, misses), axis=-1)) - math.log(len(self.risks))

    def _increment(self, share: float, treatment: ArrayLike, control: ArrayLike) -> Array:
        null = _on_treatment(share, np.array([self.tolerated]))
        chance = _on_treatment(share, np.array(self.risks))
        gain, loss = np.log(chance / null), np.log((1 - chance) / (1 - null))
        return np.asarray(treatment) * gain + np.asarray(control) * loss


def _on_treatment(share: float, risk: Array) -> Array:
    return share * risk / (share * risk + 1 - share)
