"""From a ledger to the page."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from pipelines.experimentation.decision import Declaration, Ledger, Rollout
from pipelines.experimentation.decision.declaration import PlannedLooks
from pipelines.experimentation.decision.records import Look
from pipelines.experimentation.report import canary, charts, wording


@dataclass(frozen=True)
class Decided:
    """Who closed the experiment, and when (seconds since the epoch)."""

    by: str
    at: float


def render(
    declaration: Declaration,
    ledger: Ledger | None,
    decided: Decided | None,
    now: float,
    rollout: Rollout | None = None,
) -> str:
    """HTML of the report as of `now`; everything it shows is in the ledger, and of a canary in its rollout."""
    moved = canary.section(declaration, rollout, now) if rollout else None
    last = ledger.looks[-1] if ledger and ledger.looks else None
    metric = declaration.metrics[declaration.primary]
    return _template().render(
        declaration=declaration,
        ledger=ledger,
        last=last,
        decided=decided,
        headline=(moved and moved.headline) or wording.headline(declaration, ledger),
        explanation=moved.explanation if moved else wording.explanation(declaration, ledger),
        tone=moved.tone if moved else _tone(ledger),
        canary=moved,
        measure=wording.Measure.of(metric),
        worth=metric.sign * declaration.minimum_effect,
        effects=_effects(declaration, last),
        looks=_looks(declaration, ledger) if ledger else [],
        guardrails=_guardrails(last),
        shares=_shares(declaration, last),
        health=wording.health(last) if last else [],
        words=wording.Words.of_design(declaration),
        moment=wording.moment,
        now=now,
    )


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(
        "report.html"
    )


def _tone(ledger: Ledger | None) -> str:
    verdict = ledger.verdict if ledger else "continue"
    return {"ship": "good", "roll back": "bad", "invalid": "bad"}.get(verdict, "plain")


def _effects(declaration: Declaration, last: Look | None) -> str:
    if last is None:
        return ""
    two_sided = isinstance(declaration.design, PlannedLooks) and declaration.design.sides == "two"
    rows = list[charts.Interval]()
    for found in last.comparisons:
        difference = found.estimate if found.estimate is not None else found.difference
        if difference is not None:
            low, high = wording.repeated_interval(found, two_sided=two_sided) or (None, None)
            rows.append(charts.Interval(found.treatment, difference, _finite(low), _finite(high)))
    metric = declaration.metrics[declaration.primary]
    measure = wording.Measure.of(metric)
    worth = metric.sign * declaration.minimum_effect
    return charts.effects(rows, worth, measure.unit, measure.factor) if rows else ""


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _looks(declaration: Declaration, ledger: Ledger) -> list[tuple[str, str]]:
    """A chart for each treatment of a design with planned looks: its path, the boundaries planned and those used."""
    if not isinstance(declaration.design, PlannedLooks) or not ledger.looks:
        return []
    level = declaration.level_per_treatment
    planned = declaration.design.boundaries(level)
    futile, _ = declaration.design.with_futility(level, declaration.power)
    found = list[tuple[str, str]]()
    for treatment in declaration.treatments:
        seen = [c for look in ledger.looks for c in look.comparisons if c.treatment == treatment]
        path = [(c.fraction, c.z) for c in seen if c.fraction is not None and c.z is not None]
        if not path:
            continue
        lines = [charts.Line("planned", _finite_points(planned.fractions.tolist(), planned.upper.tolist()))]
        if declaration.design.sides == "two":
            lines.append(charts.Line("planned", _finite_points(planned.fractions.tolist(), planned.lower.tolist())))
        if futile is not None:
            lines.append(charts.Line("planned", _finite_points(futile.fractions.tolist(), futile.lower.tolist())))
        for bound, css in (("upper", "boundary"), ("lower", "boundary"), ("futility", "futility")):
            used = [(c.fraction, value) for c in seen if c.fraction and (value := getattr(c, bound)) is not None]
            if used:
                lines.append(charts.Line(css, used, marks=True))
        lines.append(charts.Line("path", [(0.0, 0.0), *path], marks=True))
        chart = charts.looks(lines, "information, share of the plan", "evidence (z)")
        found.append((treatment, chart))
    return found


def _finite_points(x: Sequence[float], y: Sequence[float]) -> list[tuple[float, float]]:
    return [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(b)]


def _guardrails(last: Look | None) -> str:
    if last is None or not last.guardrails:
        return ""
    rows = [(f"{r.metric} ({r.treatment})", r.log_e_value / r.threshold, r.tripped) for r in last.guardrails]
    return charts.meters(rows, "rolls back here")


def _shares(declaration: Declaration, last: Look | None) -> str:
    if last is None or not isinstance(declaration.design, PlannedLooks):
        return ""
    rows = [(name, last.units.get(name, 0), weight) for name, weight in declaration.variants.items()]
    return charts.shares(rows, wording.Words.of_design(declaration).counted)
