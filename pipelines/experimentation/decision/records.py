"""What a look leaves behind; all of it is JSON, with None where something cannot be said."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.decision.designs import unset
from pipelines.experimentation.decision.guardrails import Reading, SecondaryResult
from pipelines.experimentation.decision.segments import Segmentation

Verdict = Literal["continue", "ship", "keep control", "roll back", "invalid"]
CONCLUSIVE: tuple[Verdict, ...] = ("ship", "keep control", "roll back")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Comparison(_Model):
    """The primary metric of one treatment against the control. Positive z is better.

    None stands for "cannot be said".
    """

    treatment: str
    control_value: float | None
    treatment_value: float | None
    difference: float | None
    standard_error: float | None
    z: float | None
    information: float | None
    fraction: float | None
    """Of the declared maximum information."""
    upper: float | None = None
    """z at which this look shows an improvement; None when no z would do."""
    lower: float | None = None
    """z at which this look shows harm; None when no z would do."""
    futility: float | None = Field(default=None, exclude_if=lambda value: value is None)
    """z at and below which stopping is advised; None where no z would do, and at the last look."""
    spent: float | None = None
    """Error spent by now on the upper boundary."""
    crossed: Literal["upper", "lower"] | None = None
    estimate: float | None = None
    """Median-unbiased difference once a boundary is crossed or the experiment is over."""
    interval: tuple[float, float] | None = None
    """Confidence interval that allows for the looks made; in the metric's own direction."""
    p_value: float | None = None

    @property
    def futile(self) -> bool:
        """The minimum effect is unlikely to be shown by going on; no boundary of effect or harm is crossed."""
        return self.crossed is None and self.z is not None and self.futility is not None and self.z <= self.futility


class Change(_Model):
    """What would have made the verdict another."""

    what: str
    observed: float | None
    needed: float
    verdict: Verdict


class Look(_Model):
    """Everything that was seen and concluded at one moment."""

    number: int
    at: float
    """Seconds since the epoch."""
    data_digest: str
    units: dict[str, int]
    step_units: tuple[int, ...] = Field(default=(), exclude_if=unset)
    """Of a canary: units in the treatment at each step."""
    sample_ratio_p: float | None
    """Of the stage whose split fits worst; None where no split is checked."""
    sample_ratio_level: float | None
    """The split is not the declared one where the p-value lies below this."""
    flags: dict[str, int]
    final: bool
    comparisons: tuple[Comparison, ...]
    guardrails: tuple[Reading, ...]
    secondary: dict[str, SecondaryResult]
    segments: dict[str, Segmentation] = Field(default_factory=dict[str, Segmentation], exclude_if=unset)
    """By `segment/treatment`; exploratory."""
    verdict: Verdict
    winner: str | None
    reasons: tuple[str, ...]
    would_have_changed: tuple[Change, ...]

    @property
    def advises(self) -> bool:
        """The verdict rests on futility: stopping is advised, and going on is allowed."""
        return self.verdict == "keep control" and not self.final and any(c.futile for c in self.comparisons)
