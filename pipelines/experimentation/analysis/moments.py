"""Count, mean vector and covariance matrix of an arm: everything the delta method needs, mergeable and batchable."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipelines.experimentation.errors import ExperimentError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Moments of `p` variables over an arm's units, for any number of arms or replicates at once.

    `count` has shape (...), `mean` (..., p) and `scatter` (..., p, p), the sum of outer products of deviations from
    the mean.
    """

    count: Array
    mean: Array
    scatter: Array

    @classmethod
    def of(cls, *columns: ArrayLike) -> Self:
        """Moments of units, one array of shape (..., units) per variable; ExperimentError for NaN or infinity."""
        values = np.stack([np.asarray(column, dtype=float) for column in columns], axis=-1)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).sum())
            raise ExperimentError(f"{bad} outcome values are NaN or infinite; drop or repair them before analysis")
        units = values.shape[-2]
        mean = values.mean(axis=-2) if units else np.zeros((*values.shape[:-2], values.shape[-1]))
        deviations = values - mean[..., None, :]
        scatter = np.swapaxes(deviations, -1, -2) @ deviations
        return cls(np.full(values.shape[:-2], float(units)), mean, scatter)

    def merge(self, other: Self) -> Self:
        """Moments of both together (Chan, Golub & LeVeque 1983: no cancellation of large sums)."""
        count = self.count + other.count
        safe = np.where(count > 0, count, 1.0)
        difference = other.mean - self.mean
        share = (other.count / safe)[..., None]
        between = (self.count * other.count / safe)[..., None, None] * (
            difference[..., :, None] * difference[..., None, :]
        )
        return type(self)(count, self.mean + share * difference, self.scatter + other.scatter + between)

    @property
    def covariance(self) -> Array:
        """Unbiased covariance of the variables, shape (..., p, p); NaN below two units."""
        degrees = np.where(self.count > 1, self.count - 1, np.nan)
        return self.scatter / degrees[..., None, None]
