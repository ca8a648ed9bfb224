"""How an experiment is run and judged: the designs that a declaration may name."""

from collections.abc import Sized
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.experimentation.analysis.sequential import (
    Boundaries,
    OBrienFleming,
    Spending,
    boundaries,
    drift_for,
    with_futility,
)


class Declared(BaseModel):
    """A part of a declaration: frozen, without unknown fields, without NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def unset(value: Sized | None) -> bool:
    """True of the default of an optional part, which is left out of JSON.

    So parts can be added without changing the digests of what was written before they were.
    """
    return value is None or len(value) == 0


class Futility(Declared):
    """When it is advised to stop since the minimum effect is unlikely to be found; non-binding.

    The type II error is spent by `spending`. The advice may be ignored: the error of shipping holds either way. The
    price is some percent more information, so that the power holds when it is followed.
    """

    spending: Spending


class PlannedLooks(Declared):
    """Looks at the primary metric whose number and information are planned; one look is the fixed test."""

    looks: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8, 1.0)
    """Planned information fractions. Actual ones may differ, as long as the data do not decide them."""
    spending: Spending = OBrienFleming()
    sides: Literal["upper", "two"] = "two"
    futility: Futility | None = Field(default=None, exclude_if=lambda value: value is None)

    def boundaries(self, level: float) -> Boundaries:
        """Planned boundaries for one treatment at `level`."""
        return boundaries(self.looks, level, self.spending, self.sides)

    def with_futility(self, level: float, power: float) -> tuple[Boundaries | None, float]:
        """Planned boundaries with those of futility in `lower`, None when none is declared; and the drift.

        The drift is the mean of Z at full information that is found with `power` when every advice is followed.
        """
        if self.futility is None:
            return None, drift_for(self.boundaries(level), power)
        return with_futility(self.looks, level, self.spending, self.futility.spending, power, self.sides)


class GroupSequential(PlannedLooks):
    """Units are split among the variants."""

    kind: Literal["group-sequential"] = "group-sequential"


class Interleaving(PlannedLooks):
    """Every unit sees lists merged from both rankers, the control's and the treatment's, and its clicks are credited.

    The figure of a unit is its credit to the treatment less that to the control, per impression.
    """

    kind: Literal["interleaving"] = "interleaving"
    method: Literal["competitive-pairs", "team-draft", "probabilistic"] = "competitive-pairs"
    """Balanced interleaving is left out: it favours one side of some pairs of lists under clicks at random."""
    length: int = Field(ge=1, le=1000)
    """Items of a list."""
    test: Literal["mean", "sign"] = "mean"
    """Mean of the units' figures, or share of units that prefer the treatment less share that prefer the control."""

    @model_validator(mode="after")
    def _fair(self) -> Self:
        if self.method == "probabilistic" and self.test == "sign":
            raise ValueError("probabilistic interleaving is fair in the mean only; declare test: mean")
        return self


class Canary(Declared):
    """Shares of traffic given to the one treatment, step by step; the guardrails alone decide."""

    kind: Literal["canary"] = "canary"
    shares: tuple[float, ...] = (0.01, 0.05, 0.25, 0.5)
    minutes: float = Field(default=60, gt=0)
    """Least time at each step."""
    units: int = Field(default=1000, ge=1)
    """Fewest units in the treatment at each step."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if not self.shares or self.shares[0] <= 0 or self.shares[-1] >= 1:
            raise ValueError(f"canary shares must lie strictly between 0 and 1, got {self.shares}")
        if any(a >= b for a, b in zip(self.shares, self.shares[1:], strict=False)):
            raise ValueError(f"canary shares must rise, got {self.shares}")
        return self


class Switchback(Declared):
    """Whole periods are given to one variant, in pairs of random order; for effects that spill over between units."""

    kind: Literal["switchback"] = "switchback"
    minutes: float = Field(gt=0)
    """Length of a period."""
    washout_minutes: float = Field(default=0.0, ge=0)
    """Start of each period that is not counted, since the previous variant still acts."""
    pairs: int = Field(ge=6)
    salt: str = Field(min_length=8)
    """Decides the order within pairs; keep it from whoever could time their behaviour by it."""

    @model_validator(mode="after")
    def _something_left(self) -> Self:
        if self.washout_minutes >= self.minutes:
            raise ValueError(f"washout of {self.washout_minutes} min leaves nothing of a period of {self.minutes} min")
        return self
