"""What is promised before an experiment starts, in one typed file whose hash the decision is later held against."""

import hashlib
import math
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from pipelines.experimentation.assignment.configuration import canonical_json
from pipelines.experimentation.decision.designs import (
    Canary,
    Declared,
    GroupSequential,
    Interleaving,
    PlannedLooks,
    Switchback,
    unset,
)
from pipelines.experimentation.errors import ExperimentError

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class _Metric(Declared):
    direction: Literal["increase", "decrease"]
    """Which way is better."""

    @property
    def sign(self) -> int:
        """1 when more is better, -1 when less is."""
        return 1 if self.direction == "increase" else -1


class ProportionMetric(_Metric):
    """Share of units with at least one outcome of this name."""

    kind: Literal["proportion"] = "proportion"
    outcome: Name


class MeanMetric(_Metric):
    """Mean over units of the sum of an outcome's values, adjusted by covariates from before exposure (CUPED)."""

    kind: Literal["mean"] = "mean"
    outcome: Name
    covariates: tuple[Name, ...] = ()


class RatioMetric(_Metric):
    """Sum of one outcome over sum of another, such as clicks per view."""

    kind: Literal["ratio"] = "ratio"
    numerator: Name
    denominator: Name


class QuantileMetric(_Metric):
    """Quantile of an outcome's values, such as the 95th percentile of latency; a unit may have many values."""

    kind: Literal["quantile"] = "quantile"
    outcome: Name
    quantile: float = Field(gt=0, lt=1)


Metric = Annotated[ProportionMetric | MeanMetric | RatioMetric | QuantileMetric, Field(discriminator="kind")]


class AlwaysValidGuardrail(Declared):
    """Rolls back when the metric is shown to be worse by more than `margin`, at any moment; asymptotic."""

    kind: Literal["always-valid"] = "always-valid"
    metric: Name
    margin: float = Field(default=0.0, ge=0)
    """Harm still accepted, in the metric's unit."""
    mixing: float = Field(gt=0)
    """Size of harm beyond the margin that should be noticed soonest, in the metric's unit; fixed now."""
    level: float = Field(default=0.01, gt=0, lt=0.5)


class RareEventGuardrail(Declared):
    """Rolls back when a rare event is shown to be more than `tolerated` times as frequent; exact."""

    kind: Literal["rare-event"] = "rare-event"
    metric: Name
    tolerated: float = Field(default=1.0, gt=0)
    level: float = Field(default=0.01, gt=0, lt=0.5)


Guardrail = Annotated[AlwaysValidGuardrail | RareEventGuardrail, Field(discriminator="kind")]


class Secondary(Declared):
    """A metric reported beside the verdict, with an always-valid p-value corrected for their number."""

    metric: Name
    mixing: float = Field(gt=0)


Design = Annotated[GroupSequential | Interleaving | Canary | Switchback, Field(discriminator="kind")]


class StopRules(Declared):
    """When the experiment ends whatever it has shown."""

    maximum_days: float = Field(default=28, gt=0)
    minimum_days: float = Field(default=0, ge=0)
    """No shipping before; harm still ends it. A whole week covers the weekday effect."""


class Declaration(Declared):
    """An experiment as declared."""

    name: Name
    hypothesis: str = Field(min_length=20)
    """What is expected to change, why and for whom."""
    owner: str = Field(min_length=1)
    unit: str = Field(min_length=1)
    """What is assigned: user, session, account."""
    clustered: bool = False
    """Whole clusters of units are assigned together, and analysed as such."""
    variants: dict[Name, float] = Field(min_length=2)
    control: Name
    metrics: dict[Name, Metric] = Field(min_length=1)
    primary: Name
    minimum_effect: float = Field(gt=0)
    """Smallest improvement of the primary metric worth having, in its own unit."""
    level: float = Field(default=0.05, gt=0, lt=0.5)
    """Probability of shipping or condemning any of the treatments when none differs."""
    power: float = Field(default=0.9, gt=0.5, lt=1)
    design: Design
    guardrails: tuple[Guardrail, ...] = ()
    secondary: tuple[Secondary, ...] = ()
    segments: tuple[Name, ...] = Field(default=(), max_length=5, exclude_if=unset)
    """What exposures say of their unit, such as its country: the effect by it is shown and decides nothing."""
    window_hours: float | None = Field(default=None, gt=0)
    """Outcomes later than this after a unit's exposure do not count; None counts all."""
    stop: StopRules = StopRules()
    approvers: tuple[str, ...] = Field(min_length=1)
    """Who may approve the decision."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        total = math.fsum(self.variants.values())
        if min(self.variants.values()) <= 0 or abs(total - 1) > 1e-9:
            raise ValueError(f"variants: weights must be positive and add up to 1, got {self.variants} (sum {total:g})")
        if self.control not in self.variants:
            raise ValueError(f"control: {self.control!r} is not among the variants {list(self.variants)}")
        wanted = {"primary": self.primary}
        wanted |= {f"guardrails[{i}].metric": guardrail.metric for i, guardrail in enumerate(self.guardrails)}
        wanted |= {f"secondary[{i}].metric": secondary.metric for i, secondary in enumerate(self.secondary)}
        for path, metric in wanted.items():
            if metric not in self.metrics:
                raise ValueError(f"{path}: unknown metric {metric!r}; declared are {list(self.metrics)}")
        if len(set(self.segments)) < len(self.segments):
            raise ValueError(f"segments: names must differ, got {list(self.segments)}")
        for guardrail in self.guardrails:
            kind = self.metrics[guardrail.metric].kind
            if guardrail.kind == "rare-event" and (kind != "proportion" or self.clustered):
                needs = "a rare-event guardrail needs a proportion over independent units"
                raise ValueError(f"{needs}, which {guardrail.metric} is not")
        self._check_design()
        return self

    def _check_design(self) -> None:
        if isinstance(self.design, PlannedLooks):
            self.design.with_futility(self.level_per_treatment, self.power)
        if self.design.kind == "group-sequential":
            return
        if len(self.variants) != 2:
            raise ValueError(f"{self.design.kind}: compares two variants, got {list(self.variants)}")
        if self.design.kind == "interleaving":
            self._check_interleaving()
        if self.design.kind == "canary" and not self.guardrails:
            raise ValueError("a canary without guardrails would pass whatever happens; declare at least one")
        if self.design.kind == "switchback" and (self.guardrails or self.secondary or self.segments or self.clustered):
            raise ValueError(
                "a switchback is judged by its primary metric alone; leave guardrails, secondary and segments out"
            )

    def _check_interleaving(self) -> None:
        if len(set(self.variants.values())) != 1:
            raise ValueError(f"an interleaving's coin is fair: give both rankers weight 0.5, got {self.variants}")
        metric = self.metrics[self.primary]
        if metric.kind != "mean" or metric.direction != "increase" or metric.covariates:
            raise ValueError(
                f"the primary metric of an interleaving is the credit of clicks: {self.primary} must be a mean to be "
                "increased, without covariates"
            )
        if len(self.metrics) > 1 or self.guardrails or self.secondary or self.clustered:
            raise ValueError(
                "an interleaving compares rankers, not units: each sees both rankers, so declare the primary metric "
                "alone, not clustered, without guardrails or secondary metrics"
            )
        if set(self.segments) - {"query"}:
            raise ValueError(f"segments: an interleaving knows `query` alone, got {list(self.segments)}")
        if self.window_hours is not None:
            raise ValueError("window_hours: clicks belong to their list, whenever they come; leave it out")

    @property
    def treatments(self) -> list[str]:
        """Every variant but the control."""
        return [name for name in self.variants if name != self.control]

    @property
    def level_per_treatment(self) -> float:
        """Bonferroni's share of the level for each treatment's comparison with the control."""
        return self.level / len(self.treatments)

    @property
    def maximum_information(self) -> float:
        """1 / variance of the primary effect's estimate that finds the minimum effect with the declared power."""
        if not isinstance(self.design, PlannedLooks):
            raise ExperimentError(f"a {self.design.kind} has no information target")
        _, drift = self.design.with_futility(self.level_per_treatment, self.power)
        return (drift / self.minimum_effect) ** 2

    def digest(self) -> str:
        """SHA-256 of the canonical JSON: changes with any change that means something, and with nothing else."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json"))).hexdigest()


def load(path: Path) -> Declaration:
    """Read a declaration from a YAML file; ExperimentError names the file and every mistake in it."""
    try:
        return Declaration.model_validate(yaml.safe_load(path.read_text()))
    except yaml.YAMLError as error:
        raise ExperimentError(f"{path}: not YAML: {error}") from None
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc'])) or 'declaration'}: {e['msg']}" for e in error.errors()]
        raise ExperimentError(f"{path}:\n  " + "\n  ".join(lines)) from None
