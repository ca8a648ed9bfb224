"""Canary plans: which share the treatment gets next, decided by time, units and the guardrails and nothing else."""

from dataclasses import dataclass
from typing import Literal

from pipelines.experimentation.decision.declaration import Canary, Declaration
from pipelines.experimentation.decision.records import Look
from pipelines.experimentation.decision.serving import ServingWeights, same
from pipelines.experimentation.errors import ExperimentError

Action = Literal["start", "hold", "advance", "roll back", "finish"]


@dataclass(frozen=True)
class Position:
    """Where a canary stands: its step, -1 before the start, and since when (seconds since the epoch)."""

    step: int = -1
    since: float = 0.0
    over: bool = False


@dataclass(frozen=True)
class Move:
    """What to do next, why, and the weights that follow from it."""

    action: Action
    weights: dict[str, float]
    reason: str
    position: Position


def next_move(declaration: Declaration, position: Position, look: Look | None, now: float) -> Move:
    """The plan's next move. `look` must have been taken since the last move; None only before the start.

    A look that is invalid or tripped a guardrail rolls back to no traffic, whenever it was taken: what cannot be judged
    is not safe. So does the end of the declared time before the last step is through. Raises ExperimentError for a
    design that is not a canary, one that is over, or a look that is missing or from before this step.
    """
    if declaration.design.kind != "canary":
        raise ExperimentError(f"{declaration.name} is a {declaration.design.kind}, not a canary")
    if position.over:
        raise ExperimentError(f"the canary {declaration.name} is over")
    plan = declaration.design
    if position.step < 0:
        return _at(declaration, plan, 0, now, "start", "first step")
    if look is not None and look.verdict in ("roll back", "invalid"):
        return rollback(declaration, position, "; ".join(look.reasons), now)
    if look is None or look.at < position.since:
        raise ExperimentError("a look taken since the last move is needed before the next one")
    held = (now - position.since) / 60
    units = look.step_units[position.step]
    if held < plan.minutes or units < plan.units:
        reason = f"{held:.0f} of {plan.minutes:g} minutes, {units} of {plan.units} units"
        if look.final:
            days = f"the declared {declaration.stop.maximum_days:g} days are over at step {position.step + 1}"
            return rollback(declaration, position, f"{days}: {reason}", now)
        return Move("hold", _weights(declaration, plan.shares[position.step]), reason, position)
    if position.step + 1 < len(plan.shares):
        return _at(declaration, plan, position.step + 1, now, "advance", "time and units reached, guardrails held")
    done = Position(position.step, now, over=True)
    return Move("finish", _weights(declaration, 1.0), "every step passed its guardrails", done)


def rollback(declaration: Declaration, position: Position, reason: str, now: float) -> Move:
    """All traffic to the control, for good."""
    return Move("roll back", _weights(declaration, 0.0), reason, Position(position.step, now, over=True))


def drive(weights: ServingWeights, declaration: Declaration, position: Position, look: Look | None, now: float) -> Move:
    """Make the next move on the serving weights.

    Weights that somebody else changed meanwhile are a reason to stop, except for a rollback, which always goes
    through. Raises ExperimentError then. The move counts only once the weights have been applied, so that a failure
    repeats it.
    """
    move = next_move(declaration, position, look, now)
    if move.action == "hold":
        return move
    if move.action not in ("roll back", "start") and declaration.design.kind == "canary":
        expected, found = _weights(declaration, declaration.design.shares[position.step]), weights.read()
        if not same(found, expected):
            raise ExperimentError(
                f"serving weights are {found}, the plan had set {expected}; somebody else changed them"
            )
    weights.apply(move.weights)
    return move


def _at(declaration: Declaration, plan: Canary, step: int, now: float, action: Action, reason: str) -> Move:
    return Move(action, _weights(declaration, plan.shares[step]), reason, Position(step, now))


def _weights(declaration: Declaration, share: float) -> dict[str, float]:
    return {declaration.control: 1 - share, declaration.treatments[0]: share}
