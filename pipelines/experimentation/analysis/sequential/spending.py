"""How much of the type I (or II) error a group-sequential test may have spent by an information fraction.

Lan & DeMets (1983), Biometrika 70, gave the approach and the first two functions; Kim & DeMets (1987), Biometrika 74,
the power family. All are written for one boundary: a symmetric two-sided test spends half of its level on each.
"""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtr, ndtri

Array = NDArray[np.float64]


class _Spending(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OBrienFleming(_Spending):
    """Almost nothing early: 2 - 2 Φ(z / √t) with z the upper level/2 quantile."""

    kind: Literal["obrien-fleming"] = "obrien-fleming"

    def spent(self, fraction: ArrayLike, level: float) -> Array:
        """Error spent by information `fraction` (0…1) of a boundary with error `level`."""
        t = np.clip(np.asarray(fraction, dtype=float), np.finfo(float).tiny, 1)
        return 2 * ndtr(ndtri(level / 2) / np.sqrt(t))


class Pocock(_Spending):
    """Nearly level boundaries: level · ln(1 + (e - 1) t)."""

    kind: Literal["pocock"] = "pocock"

    def spent(self, fraction: ArrayLike, level: float) -> Array:
        """Error spent by information `fraction` (0…1) of a boundary with error `level`."""
        return level * np.log1p((np.e - 1) * np.clip(np.asarray(fraction, dtype=float), 0, 1))


class KimDeMets(_Spending):
    """Power family: level · t^rho; rho 1 lies near Pocock, 3 near O'Brien-Fleming."""

    kind: Literal["kim-demets"] = "kim-demets"
    rho: float = Field(default=3.0, gt=0, le=20)

    def spent(self, fraction: ArrayLike, level: float) -> Array:
        """Error spent by information `fraction` (0…1) of a boundary with error `level`."""
        return level * np.clip(np.asarray(fraction, dtype=float), 0, 1) ** self.rho


Spending = Annotated[OBrienFleming | Pocock | KimDeMets, Field(discriminator="kind")]
