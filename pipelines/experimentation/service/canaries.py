"""The driver of canaries: applies the moves that the records say, and takes the looks that the moves follow from."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipelines.experimentation.decision import Declaration, Rollout, ServingWeights
from pipelines.experimentation.decision.serving import same
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service import transitions
from pipelines.experimentation.service.columns import ReceivedEvents
from pipelines.experimentation.service.dynamodb import ConditionFailedError
from pipelines.experimentation.service.experiment_store import ExperimentStore, Standing
from pipelines.experimentation.service.lease import Lease
from pipelines.experimentation.service.problems import ProblemError, StoreUnavailableError

APPLYING_SECONDS = 20.0
"""Longest from asking for the lease's rest to SageMaker having a request: with less left no weights are changed."""
_LOG = logging.getLogger(__name__)


@dataclass
class Canaries:
    """Every canary that the service steers, driven by one replica at a time.

    A move is written down before its weights are applied and once more when they are in force. A crash at any point is
    made good by the next `drive`: a move without its weights is applied again, which changes nothing where it already
    was. `settle_seconds` lie between a look's moment and now.
    """

    experiments: ExperimentStore
    events: Callable[[Standing, float], ReceivedEvents]
    serving: Callable[[Declaration, Rollout], ServingWeights]
    lease: Lease
    settle_seconds: float
    clock: Callable[[], float] = time.time
    _tried: dict[str, float] = field(default_factory=dict[str, float])

    def drive(self) -> int:
        """Bring every canary on as far as it goes now; the number of changes. Call it every few seconds."""
        changes = 0
        for endpoint, name in self.experiments.steering().items():
            if not self.lease.take():
                return changes
            try:
                changes += self._drive(endpoint, name)
            except (StoreUnavailableError, ConditionFailedError) as error:
                _LOG.warning("canary %s waits: %s", name, error)
            except Exception:  # noqa: BLE001 - one canary's failure must not keep the others from a rollback
                _LOG.exception("canary %s failed", name)
        return changes

    def _drive(self, endpoint: str, name: str) -> int:
        changes = 0
        while (found := self.experiments.read(name)) is not None:
            standing, revision = found
            rollout = standing.rollout
            if rollout is None or rollout.steering.endpoint != endpoint or rollout.over or standing.closing is not None:
                self.experiments.release(endpoint, name)
                return changes
            after = self._next(standing, rollout)
            if after == standing:
                return changes
            try:
                self.experiments.write(after, revision)
            except ConditionFailedError:
                self._overtaken(name, rollout)
                raise
            changes += 1
            if after.rollout is not None and after.rollout.problem is not None:
                return changes  # what does not go now is tried again in the next round
        return changes

    def _next(self, standing: Standing, rollout: Rollout) -> Standing:
        """What follows now; the same standing when nothing does."""
        try:
            standing = standing.model_copy(update={"rollout": self._applied(standing.declaration, rollout)})
        except ExperimentError as error:
            _LOG.warning("canary %s: %s", standing.declaration.name, error)
            standing = standing.model_copy(update={"rollout": rollout.model_copy(update={"problem": str(error)})})
        if standing.rollout is None or standing.rollout.moves != rollout.moves:
            return standing
        return self._looked(standing, standing.rollout)

    def _applied(self, declaration: Declaration, rollout: Rollout) -> Rollout:
        """The weights brought to what the record says, or the canary stopped because they are not what it said."""
        weights, pending = self.serving(declaration, rollout), rollout.pending
        if rollout.stopped:
            return rollout
        if pending is None or pending.action not in ("roll back", "resume"):
            expected, found = rollout.expected(declaration), weights.read()
            if not any(same(found, shares) for shares in expected):
                return rollout.stop(found, expected[-1], self.clock())
        if pending is None:
            return rollout.model_copy(update={"problem": None})
        if self.lease.left < APPLYING_SECONDS:
            return rollout  # another replica might lead before SageMaker has the request
        weights.apply(pending.weights)
        return rollout.in_force(self.clock())

    def _looked(self, standing: Standing, rollout: Rollout) -> Standing:
        """With the look that is due, if one is."""
        name, now, plan = standing.declaration.name, self.clock(), standing.declaration.design
        ledger = transitions.started(standing)
        if rollout.position.over or plan.kind != "canary":
            return standing
        at = now - self.settle_seconds
        last = max(ledger.looks[-1].at if ledger.looks else ledger.started_at, rollout.position.since)
        due = ledger.ended or at - max(last, self._tried.get(name, 0.0)) >= rollout.steering.interval(plan)
        if not due or (rollout.pending is not None and not ledger.looks):
            return standing
        self._tried[name] = at
        checked = rollout if rollout.problem or rollout.stopped else rollout.model_copy(update={"checked_at": now})
        standing = standing.model_copy(update={"rollout": checked})
        try:
            return transitions.looked(standing, self.events(standing, at), at, now)
        except StoreUnavailableError:
            raise
        except (ExperimentError, ProblemError) as error:
            return transitions.unlooked(standing, str(error), now)
        except Exception:  # noqa: BLE001 - a fault of ours must be seen in the record, and end with the declared days
            _LOG.exception("canary %s cannot be looked at", name)
            return transitions.unlooked(standing, "a fault of the service, which its log tells", now)

    def _overtaken(self, name: str, applied: Rollout) -> None:
        """Somebody else wrote first. Weights that only we hold for right must not stay."""
        found = self.experiments.read(name)
        if applied.pending is None or found is None or (rollout := found[0].rollout) is None:
            return
        if rollout.pending is None and not rollout.stopped:
            _LOG.warning("canary %s: overtaken by another replica, its weights are applied again", name)
            self.serving(found[0].declaration, rollout).apply(rollout.moves[-1].weights)
