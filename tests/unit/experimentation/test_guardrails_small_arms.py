"""A guardrail watched on a canary's first few units does not take their silence for harm."""

from typing import Any

import numpy as np
import pytest

from pipelines.experimentation.decision import guardrails
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.effects import effect
from pipelines.experimentation.decision.table import Table

DOCUMENT: dict[str, Any] = {
    "name": "model-v2",
    "hypothesis": "The new model sells no less often than the one in service.",
    "owner": "serving",
    "unit": "request",
    "variants": {"v1": 0.5, "v2": 0.5},
    "control": "v1",
    "metrics": {"sold": {"kind": "proportion", "outcome": "sold", "direction": "increase"}},
    "primary": "sold",
    "minimum_effect": 0.003,
    "design": {"kind": "canary", "shares": [0.05, 0.25, 0.5], "minutes": 60, "units": 200},
    "guardrails": [{"kind": "always-valid", "metric": "sold", "mixing": 0.003, "level": 0.01}],
    "approvers": ["ann"],
}
CANARY = Declaration.model_validate(DOCUMENT)


def table(arms: list[tuple[str, int, int, int]]) -> Table:
    """Units of variants at stages, with so many of them sold to: (variant, stage, units, sold)."""
    variant = np.concatenate([np.full(units, name) for name, _, units, _ in arms])
    stage = np.concatenate([np.full(units, step) for _, step, units, _ in arms])
    counts = np.concatenate([np.repeat([1.0, 0.0], [sold, units - sold]) for _, _, units, sold in arms])
    return Table(variant, np.zeros(len(variant)), stage, None, {}, {}, {"sold": counts}, {"sold": counts}, {}, {}, ())


def test_a_hundred_units_without_the_one_sale_expected_of_them_trip_nothing() -> None:
    (reading,) = guardrails.read(CANARY, table([("v1", 0, 9_900, 99), ("v2", 0, 100, 0)]))
    assert reading.log_e_value < 1  # a deviation of one standard error; the threshold is 4.6


def test_a_thousand_units_without_the_fifty_sales_expected_of_them_do() -> None:
    (reading,) = guardrails.read(CANARY, table([("v1", 0, 20_000, 1_000), ("v2", 0, 1_000, 0)]))
    assert reading.log_e_value > reading.threshold


def test_a_stage_in_which_a_small_arm_saw_nothing_does_not_outweigh_the_others() -> None:
    arms = [("v1", 0, 20_000, 200), ("v2", 0, 20, 0), ("v1", 1, 5_000, 50), ("v2", 1, 5_000, 50)]
    found = effect(CANARY.metrics["sold"], table(arms), "v1", "v2")
    assert float(found.difference) == pytest.approx(0.0, abs=1e-4)
