"""A canary's part of the page: where its traffic went, and why."""

from dataclasses import dataclass

from pipelines.experimentation.decision import Declaration, Rollout
from pipelines.experimentation.report import charts, wording

ACTIONS = {
    "start": "first step",
    "advance": "next step",
    "finish": "all traffic",
    "roll back": "rolled back",
    "stop": "stopped",
    "resume": "resumed",
}


@dataclass(frozen=True)
class Row:
    """One move in words."""

    when: str
    what: str
    share: float
    why: str
    by: str


@dataclass(frozen=True)
class Section:
    """What the page shows of a canary."""

    headline: str | None
    """Instead of the record's, once the canary is over; None before."""
    explanation: str
    tone: str
    endpoint: str
    chart: str
    rows: list[Row]
    problem: str | None


def section(declaration: Declaration, rollout: Rollout, now: float) -> Section:
    """The section as of `now`, seconds since the epoch."""
    treatment = declaration.treatments[0]
    last, first = rollout.moves[-1], rollout.moves[0]
    ends = {
        "finish": (f"Shipped {treatment}: it took every step of its plan.", "good"),
        "roll back": (f"Rolled back to {declaration.control}.", "bad"),
    }
    headline, tone = ends.get(rollout.end or "", (None, "bad" if rollout.stopped else "plain"))
    points = [((move.at - first.at) / 3600, move.weights.get(treatment, 0.0)) for move in rollout.moves]
    end = last.at if rollout.end else max(now, last.at)
    return Section(
        headline=headline,
        explanation=wording.sentence(last.reason),
        tone=tone,
        endpoint=rollout.steering.endpoint,
        chart=charts.steps(points, (end - first.at) / 3600, "hours since the start", f"traffic of {treatment}"),
        rows=[
            Row(
                wording.moment(move.at),
                ACTIONS[move.action],
                move.weights.get(treatment, 0.0),
                move.reason,
                move.by or "the plan",
            )
            for move in rollout.moves
            if move.action != "hold"
        ],
        problem=rollout.waits_for,
    )
