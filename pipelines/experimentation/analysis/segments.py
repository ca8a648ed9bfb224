"""Does the effect differ between segments? Exploratory: a hint for the next experiment, never a verdict of this one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtr
from scipy.stats import chi2

from pipelines.experimentation.analysis.estimates import Effect
from pipelines.experimentation.analysis.multiplicity import Corrected, correct
from pipelines.experimentation.errors import ExperimentError


@dataclass(frozen=True)
class Heterogeneity:
    """Cochran's Q test that all segments share one effect, and each segment's own after Benjamini-Hochberg."""

    q: float
    degrees: int
    p_value: float
    segments: dict[str, Corrected]
    skipped: tuple[str, ...]
    """Segments without a usable estimate."""
    label: Literal["exploratory"] = "exploratory"


def heterogeneity(effects: Mapping[str, Effect], level: float = 0.05) -> Heterogeneity:
    """Compare effects in disjoint segments, defined by what was known before exposure (Cochran 1954, Biometrics 10).

    Segments with zero or unknown variance are named as skipped. Raises ExperimentError when fewer than two are left.
    """
    usable = {name: effect for name, effect in effects.items() if np.isfinite(effect.z)}
    skipped = tuple(sorted(set(effects) - set(usable)))
    if len(usable) < 2:
        raise ExperimentError(f"two segments with an estimate are needed, got {sorted(usable)}, without one {skipped}")
    differences = np.array([float(effect.difference) for effect in usable.values()])
    weights = np.array([float(effect.information) for effect in usable.values()])
    pooled = float((weights * differences).sum() / weights.sum())
    q = float((weights * (differences - pooled) ** 2).sum())
    degrees = len(usable) - 1
    own = {name: float(2 * ndtr(-abs(effect.z))) for name, effect in usable.items()}
    return Heterogeneity(q, degrees, float(chi2.sf(q, degrees)), correct(own, level, "benjamini-hochberg"), skipped)
