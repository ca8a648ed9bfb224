"""Several metrics and arms: which findings stand once they are all counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from statsmodels.stats.multitest import (
    multipletests,  # pyright: ignore[reportUnknownVariableType]: statsmodels is typed in part
)

from pipelines.experimentation.errors import ExperimentError

Method = Literal["holm", "bonferroni", "benjamini-hochberg"]
_NAMES = {"holm": "holm", "bonferroni": "bonferroni", "benjamini-hochberg": "fdr_bh"}


@dataclass(frozen=True)
class Corrected:
    """One hypothesis after correction."""

    p_value: float
    adjusted: float
    significant: bool


def correct(p_values: Mapping[str, float], level: float, method: Method = "holm") -> dict[str, Corrected]:
    """Adjusted p-values by name.

    Holm and Bonferroni keep the chance of any false finding at `level` under any dependence; Benjamini-Hochberg the
    expected share of false findings, under independence or positive dependence. Raises ExperimentError for a p-value
    that is not one: a missing result must be dealt with, not counted as unremarkable.
    """
    wrong = {name: value for name, value in p_values.items() if not 0 <= value <= 1}
    if wrong:
        raise ExperimentError(f"not p-values: {wrong}; a metric without a result cannot be corrected for")
    if not p_values:
        return {}
    run = cast(Callable[..., tuple[Any, ...]], multipletests)
    outcome = run(np.array(list(p_values.values())), alpha=level, method=_NAMES[method])
    rejected, adjusted = np.asarray(outcome[0]), np.asarray(outcome[1], dtype=float)
    return {
        name: Corrected(value, float(adjusted[i]), bool(rejected[i]))
        for i, (name, value) in enumerate(p_values.items())
    }
