"""Reading the guardrails: they may be read at any moment, and one that trips ends the experiment."""

import math

import numpy as np
from pydantic import BaseModel, ConfigDict

from pipelines.experimentation.analysis.always_valid import MINIMUM_UNITS, MixtureTest
from pipelines.experimentation.analysis.e_process import RareEventTest, Stage
from pipelines.experimentation.analysis.multiplicity import correct
from pipelines.experimentation.decision.declaration import (
    AlwaysValidGuardrail,
    Declaration,
    Guardrail,
    RareEventGuardrail,
)
from pipelines.experimentation.decision.effects import effect
from pipelines.experimentation.decision.table import Table


class Reading(BaseModel):
    """One guardrail for one treatment at one moment."""

    model_config = ConfigDict(frozen=True)

    metric: str
    treatment: str
    kind: str
    harm: float | None
    """Observed harm in the metric's unit, or relative risk for a rare event; None when nothing can be said yet."""
    log_e_value: float
    """Evidence for harm beyond what is tolerated; 0 is none."""
    threshold: float
    """The evidence that trips it: log(treatments / level)."""
    note: str = ""

    @property
    def tripped(self) -> bool:
        """True when harm is shown."""
        return self.log_e_value >= self.threshold


def read(declaration: Declaration, table: Table) -> list[Reading]:
    """Every guardrail for every treatment. Too little data gives evidence 0 and a note, and trips nothing."""
    return [
        _read(declaration, guardrail, treatment, table)
        for guardrail in declaration.guardrails
        for treatment in declaration.treatments
    ]


def _read(declaration: Declaration, guardrail: Guardrail, treatment: str, table: Table) -> Reading:
    threshold = math.log(len(declaration.treatments) / guardrail.level)
    if guardrail.kind == "rare-event":
        harm, evidence, note = _rare(declaration, guardrail, treatment, table)
    else:
        harm, evidence, note = _always_valid(declaration, guardrail, treatment, table)
    return Reading(
        metric=guardrail.metric,
        treatment=treatment,
        kind=guardrail.kind,
        harm=harm,
        log_e_value=evidence,
        threshold=threshold,
        note=note,
    )


def _always_valid(
    declaration: Declaration, guardrail: AlwaysValidGuardrail, treatment: str, table: Table
) -> tuple[float | None, float, str]:
    fewest = min(int((table.variant == name).sum()) for name in (declaration.control, treatment))
    if fewest < MINIMUM_UNITS:
        return None, 0.0, f"{fewest} units in the smaller arm; {MINIMUM_UNITS} are needed before a reading"
    metric = declaration.metrics[guardrail.metric]
    found = effect(metric, table, declaration.control, treatment)
    harm = -metric.sign * float(found.difference)
    test, beyond = MixtureTest(guardrail.mixing, "upper"), harm - guardrail.margin
    evidence = float(test.log_e_value(beyond, found.cautious_information))
    if not math.isfinite(evidence):
        return None, 0.0, "no variance yet: the metric is the same for every unit"
    return harm, evidence, ""


def _rare(
    declaration: Declaration, guardrail: RareEventGuardrail, treatment: str, table: Table
) -> tuple[float | None, float, str]:
    metric = declaration.metrics[guardrail.metric]
    if metric.kind != "proportion":
        raise TypeError("the declaration admits only proportions here")
    hit = table.counts[metric.outcome] > 0
    # A good event that gets rare is harm too: then it is the event's absence that is counted.
    harmed = hit if metric.sign < 0 else ~hit
    stages = list[Stage]()
    for stage in np.unique(table.stage):
        here = harmed & (table.stage == stage)
        arms = [int((here & (table.variant == name)).sum()) for name in (treatment, declaration.control)]
        stages.append(Stage(share_of(declaration, treatment, int(stage)), *arms))
    seen = [sum(s.treatment for s in stages), sum(s.control for s in stages)]
    if not sum(seen):
        return None, 0.0, "no event yet"
    units = [int((table.variant == name).sum()) for name in (treatment, declaration.control)]
    risk = (seen[0] / units[0]) / (seen[1] / units[1]) if units[0] and units[1] and seen[1] else None
    note = "" if risk is not None else "no event in control"
    return risk, RareEventTest(guardrail.tolerated).log_e_value(stages), note


def share_of(declaration: Declaration, treatment: str, stage: int) -> float:
    """Share of `treatment` among it and the control while `stage` was in force."""
    if declaration.design.kind == "canary":
        return declaration.design.shares[stage]
    return declaration.variants[treatment] / (
        declaration.variants[treatment] + declaration.variants[declaration.control]
    )


class SecondaryResult(BaseModel):
    """One secondary metric for one treatment."""

    model_config = ConfigDict(frozen=True)

    difference: float | None
    p_value: float
    """Always-valid: it holds whenever and why ever the experiment stopped."""
    adjusted: float
    """After Holm's correction over all secondary metrics and treatments."""
    significant: bool


def secondary(declaration: Declaration, table: Table) -> dict[str, SecondaryResult]:
    """Secondary metrics by `metric/treatment`; one without an estimate keeps p-value 1 and counts in the correction."""
    differences, p_values = dict[str, float | None](), dict[str, float]()
    for item in declaration.secondary:
        for treatment in declaration.treatments:
            found = effect(declaration.metrics[item.metric], table, declaration.control, treatment)
            p_value = float(MixtureTest(item.mixing).p_value(found))
            usable = math.isfinite(p_value)
            differences[f"{item.metric}/{treatment}"] = float(found.difference) if usable else None
            p_values[f"{item.metric}/{treatment}"] = p_value if usable else 1.0
    return {
        name: SecondaryResult(
            difference=differences[name],
            p_value=found.p_value,
            adjusted=found.adjusted,
            significant=found.significant,
        )
        for name, found in correct(p_values, declaration.level).items()
    }
