"""What an experiment's standing becomes with a look or a move of its canary; nothing here reads or writes."""

from pipelines.experimentation.decision import Events, Ledger, Move, Position, Rollout, Steering, next_move
from pipelines.experimentation.decision.canary import rollback
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service.experiment_store import Closing, Standing

MOST_LOOKS = 1000
"""Of a canary that the service steers: its record must fit into one item."""


def begun(standing: Standing, steering: Steering | None, now: float) -> Standing:
    """With a canary's rollout, whose first move is still to be applied; other designs have none.

    Raises ExperimentError for a canary without an endpoint, and for an endpoint without a canary.
    """
    declaration = standing.declaration
    if steering is None:
        if declaration.design.kind == "canary":
            raise ExperimentError(
                "serving: missing; a canary is started with the endpoint whose weights its plan moves"
            )
        return standing
    move = next_move(declaration, Position(), None, now)
    production = steering.production(declaration)
    complete = steering.model_copy(update={"variants": production})
    rollout = Rollout(steering=complete, checked_at=now).decided(move, now, None)
    return standing.model_copy(update={"rollout": rollout})


def looked(standing: Standing, events: Events, at: float, now: float, by: str | None = None) -> Standing:
    """With one more look at what had happened by `at`, and the move that follows from it, in one record.

    After a look that ended the experiment the move alone. A canary that was stopped is only rolled back, and only on a
    guardrail: its weights are somebody else's now. Raises ExperimentError when no look can be taken.
    """
    ledger = started(standing)
    rollout = standing.rollout
    if standing.closing is not None:
        raise ExperimentError(f"{standing.declaration.name} was decided by {standing.closing.by}")
    if rollout is None:
        return standing.model_copy(update={"ledger": ledger.take_look(standing.declaration, events, at)})
    if rollout.position.over:
        raise ExperimentError(f"the canary {standing.declaration.name} is over")
    if len(ledger.looks) >= MOST_LOOKS and not ledger.ended:
        reason = f"the record holds {MOST_LOOKS} looks and cannot hold more"
        return rolled_back(standing, reason, now)
    taken = ledger if ledger.ended else ledger.take_look(standing.declaration, events, at)
    seen = rollout.model_copy(update={"unlooked": None})
    return _moved(standing.model_copy(update={"ledger": taken, "rollout": seen}), seen, taken, now, by)


def unlooked(standing: Standing, reason: str, now: float) -> Standing:
    """After a look that was due and could not be taken: it is noted, and ends the canary when its days are over."""
    rollout, ledger = steered(standing), started(standing)
    if (now - ledger.started_at) / 86_400 >= standing.declaration.stop.maximum_days:
        return rolled_back(standing, f"the declared days are over, and no look can be taken: {reason}", now)
    return standing.model_copy(update={"rollout": rollout.model_copy(update={"unlooked": reason})})


def _moved(standing: Standing, rollout: Rollout, ledger: Ledger, now: float, by: str | None) -> Standing:
    last = ledger.looks[-1]
    harmful = last.verdict == "roll back" or (last.verdict == "invalid" and not rollout.stopped)
    waits = rollout.pending is not None or rollout.stopped or last.at < rollout.position.since
    if waits and not harmful:
        return standing
    move = next_move(standing.declaration, rollout.position, last, now)
    if move.action == "hold":
        return standing.model_copy(update={"rollout": rollout.model_copy(update={"problem": None})})
    return standing.model_copy(update={"rollout": rollout.decided(move, now, len(ledger.looks), by)})


def rolled_back(standing: Standing, reason: str, now: float, by: str | None = None) -> Standing:
    """With all traffic to be given to the control. Raises ExperimentError when the canary is over."""
    rollout = steered(standing)
    if rollout.position.over:
        raise ExperimentError(f"the canary {standing.declaration.name} is over")
    move: Move = rollback(standing.declaration, rollout.position, reason, now)
    return standing.model_copy(update={"rollout": rollout.decided(move, now, None, by)})


def resumed(standing: Standing, reason: str, by: str, now: float) -> Standing:
    """With the step to be served again that was served before somebody else changed the weights."""
    rollout = steered(standing).resume(standing.declaration, reason, by, now)
    return standing.model_copy(update={"rollout": rollout})


def closed(standing: Standing, by: str, now: float) -> Standing:
    """Closed on its verdict. Raises ExperimentError before there is one, without the approval it needs, and twice."""
    name, ledger = standing.declaration.name, started(standing)
    if standing.closing is not None:
        raise ExperimentError(f"{name} was decided by {standing.closing.by}")
    if not standing.concluded:
        raise ExperimentError(f"there is nothing to decide yet: the verdict is {standing.verdict!r}")
    if standing.verdict == "ship" and not standing.may_ship:
        raise ExperimentError(f"shipping needs the approval of one of {list(standing.declaration.approvers)}")
    closing = Closing(by=by, at=now, verdict=standing.verdict, winner=standing.winner, record_digest=ledger.digest())
    return standing.model_copy(update={"closing": closing})


def started(standing: Standing) -> Ledger:
    """The ledger. Raises ExperimentError before the start."""
    if standing.ledger is None:
        raise ExperimentError(f"{standing.declaration.name} has not started")
    return standing.ledger


def steered(standing: Standing) -> Rollout:
    """The rollout. Raises ExperimentError when the service does not steer it, or it is decided."""
    if standing.rollout is None:
        raise ExperimentError(f"the service steers nothing for {standing.declaration.name}; say `serving` at its start")
    if standing.closing is not None:
        raise ExperimentError(f"{standing.declaration.name} is decided")
    return standing.rollout
