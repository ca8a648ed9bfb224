"""Stored events as the columns that the analysis reads."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.decision import Events, Rollout
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.service.event_store import Received

Floats = NDArray[np.float64]


Steps = Callable[[Floats, float], NDArray[np.intp]]
"""The canary step in force at each moment by the moves known at another, -1 where that is not certain."""


@dataclass(frozen=True, kw_only=True)
class ReceivedEvents(Events):
    """Events that know when they arrived: a look sees what had both happened and arrived by its moment.

    What arrives late therefore never changes a look already taken, and a record can be computed again. So it is with
    `steps`, which gives a canary's exposures their stage.
    """

    received: Floats
    outcome_received: Floats
    steps: Steps | None = None

    def until(self, moment: float) -> Events:
        """What had happened and was stored by `moment`, without exposures of which nobody can say the step."""
        known, staged = self.received <= moment, self
        if self.steps is not None:
            stage = self.steps(self.at, moment)
            known &= stage >= 0
            staged = replace(self, stage=stage)
        return staged.where(known, self.outcome_received <= moment).until(moment)


def columns(
    declaration: Declaration,
    found: Sequence[Received],
    deleted: Mapping[str, float],
    rollout: Rollout | None = None,
) -> ReceivedEvents:
    """Columns of what was stored, without events from before their unit was deleted (`deleted`: unit to moment)."""
    kept = [r for r in found if r.event.at > deleted.get(r.event.unit, -1.0)]
    exposures = [r for r in kept if r.event.kind == "exposure"]
    outcomes = [r for r in kept if r.event.kind == "outcome"]
    names = sorted({c for m in declaration.metrics.values() if m.kind == "mean" for c in m.covariates})
    return ReceivedEvents(
        unit=_texts([r.event.unit for r in exposures]),
        variant=_texts([r.event.variant or "" for r in exposures]),
        at=_floats([r.event.at for r in exposures]),
        outcome_unit=_texts([r.event.unit for r in outcomes]),
        outcome=_texts([r.event.outcome or "" for r in outcomes]),
        value=_floats([r.event.value for r in outcomes]),
        outcome_at=_floats([r.event.at for r in outcomes]),
        cluster=_texts([r.event.cluster or "" for r in exposures]) if declaration.clustered else None,
        covariates={name: _floats([r.event.covariates[name] for r in exposures]) for name in names},
        segments={name: _texts([r.event.segments[name] for r in exposures]) for name in declaration.segments},
        received=_floats([r.at for r in exposures]),
        outcome_received=_floats([r.at for r in outcomes]),
        steps=_steps(declaration, rollout),
    )


def _steps(declaration: Declaration, rollout: Rollout | None) -> Steps | None:
    plan = declaration.design
    if rollout is None or plan.kind != "canary":
        return None
    return lambda moments, known_at: rollout.steps(plan, moments, known_at)


def _texts(values: list[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=np.str_) if values else np.empty(0, dtype="U1")


def _floats(values: list[float]) -> Floats:
    return np.array(values, dtype=np.float64)
