"""A canary's rollout: what it steers, and every move of its weights, from which the step at any moment follows."""

from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pipelines.experimentation.decision.canary import Action, Move, Position
from pipelines.experimentation.decision.declaration import Canary, Declaration, Name
from pipelines.experimentation.errors import ExperimentError

EndpointName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$", max_length=63)]
MARGIN_SECONDS, MARGIN_SHARE = 60.0, 0.05
"""Exposures this near a change of weights belong to no step, since clocks differ; at most this share of a step."""
SHORTEST_SECONDS, LONGEST_SECONDS, LOOKS_PER_STEP = 15.0, 900.0, 20


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Steering(_Model):
    """What a canary's weights are applied to; said at the start and never changed after it."""

    endpoint: EndpointName
    """Of SageMaker."""
    variants: dict[Name, EndpointName] = Field(default_factory=dict[Name, EndpointName])
    """Production variant of each declared variant; one that is left out bears the declared name."""
    seconds: float | None = Field(default=None, ge=1, le=86_400)
    """From look to look. Left out: a twentieth of a step, not below 15 seconds and not above 15 minutes."""

    def production(self, declaration: Declaration) -> dict[str, str]:
        """Production variant by declared variant. Raises ExperimentError for names that do not fit."""
        if unknown := sorted(set(self.variants) - set(declaration.variants)):
            raise ExperimentError(
                f"serving.variants: {unknown} are not declared; declared: {list(declaration.variants)}"
            )
        found = {name: self.variants.get(name, name) for name in declaration.variants}
        if len(set(found.values())) < len(found):
            raise ExperimentError(f"serving.variants: every variant needs a production variant of its own, got {found}")
        return found

    def interval(self, plan: Canary) -> float:
        """Seconds from look to look."""
        if self.seconds is not None:
            return self.seconds
        return min(max(plan.minutes * 60 / LOOKS_PER_STEP, SHORTEST_SECONDS), LONGEST_SECONDS)


class Moved(_Model):
    """One move: written down before the weights change, and again once they have."""

    action: Action | Literal["stop", "resume"]
    step: int
    weights: dict[str, float]
    reason: str
    look: int | None
    """Number of the look it follows from."""
    by: str | None
    """Who asked for it; None is the plan."""
    at: float
    """When it was decided, seconds since the epoch."""
    doubtful_since: float
    """From here on the earlier weights are not known to have been in force."""
    in_force_at: float | None = None
    """When the weights were seen in force."""


class Rollout(_Model):
    """Where a canary stands and how it came there."""

    steering: Steering
    moves: tuple[Moved, ...] = ()
    checked_at: float
    """When the weights were last seen as the plan had set them."""
    problem: str | None = None
    """What keeps the weights from being read or set."""
    unlooked: str | None = None
    """Why the last look that was due could not be taken."""

    @property
    def waits_for(self) -> str | None:
        """What keeps the canary from going on; None when nothing does."""
        if self.problem is None and self.unlooked is not None:
            return f"no look can be taken: {self.unlooked}"
        return self.problem

    @property
    def position(self) -> Position:
        """For `next_move`. A move that is not in force yet counts from when it was decided."""
        if not self.moves:
            return Position()
        last = self.moves[-1]
        since = last.at if last.in_force_at is None else last.in_force_at
        return Position(last.step, since, over=self.end is not None)

    @property
    def pending(self) -> Moved | None:
        """The move whose weights are not known to be in force."""
        return self.moves[-1] if self.moves and self.moves[-1].in_force_at is None else None

    @property
    def stopped(self) -> bool:
        """Somebody else changed the weights, and nobody has said since what is to follow."""
        return bool(self.moves) and self.moves[-1].action == "stop"

    @property
    def end(self) -> Literal["roll back", "finish"] | None:
        """The move that ends the canary; None while it goes on."""
        action = self.moves[-1].action if self.moves else None
        return action if action in ("roll back", "finish") else None

    @property
    def over(self) -> bool:
        """Rolled back or finished, and the weights in force."""
        return self.position.over and self.pending is None

    def expected(self, declaration: Declaration) -> list[dict[str, float]]:
        """Shares that the endpoint may have by our own doing: those seen in force last, and any asked for since."""
        found = list[dict[str, float]]()
        for move in reversed(self.moves):
            if move.action == "stop":
                continue
            found.append(move.weights)
            if move.in_force_at is not None:
                return found
        others = dict.fromkeys(declaration.treatments, 0.0)
        return [*found, {declaration.control: 1.0, **others}]

    def decided(self, move: Move, at: float, look: int | None, by: str | None = None) -> Self:
        """With one more move, still to be applied."""
        moved = Moved(
            action=move.action,
            step=move.position.step,
            weights=move.weights,
            reason=move.reason,
            look=look,
            by=by,
            at=at,
            doubtful_since=at,
        )
        return self.model_copy(update={"moves": (*self.moves, moved), "problem": None})

    def in_force(self, at: float) -> Self:
        """With the last move's weights seen in force."""
        moved = self.moves[-1].model_copy(update={"in_force_at": at})
        return self.model_copy(update={"moves": (*self.moves[:-1], moved), "checked_at": at, "problem": None})

    def stop(self, found: dict[str, float], expected: dict[str, float], at: float) -> Self:
        """Stopped by weights that somebody else has set; what was measured since they were last right is left out."""
        reason = f"the endpoint serves {found}, the plan had set {expected}: somebody else changed the weights"
        moved = Moved(
            action="stop",
            step=max(self.position.step, 0),
            weights=found,
            reason=reason,
            look=None,
            by=None,
            at=at,
            doubtful_since=min(self.checked_at, at),
            in_force_at=at,
        )
        return self.model_copy(update={"moves": (*self.moves, moved), "problem": None})

    def resume(self, declaration: Declaration, reason: str, by: str, at: float) -> Self:
        """The step is to be served again, and its time begins anew. Raises ExperimentError unless it was stopped."""
        if not self.stopped or declaration.design.kind != "canary":
            raise ExperimentError("only a canary that was stopped can be resumed")
        step = self.moves[-1].step
        share = declaration.design.shares[step]
        weights = {declaration.control: 1 - share, declaration.treatments[0]: share}
        moved = Moved(
            action="resume", step=step, weights=weights, reason=reason, look=None, by=by, at=at, doubtful_since=at
        )
        return self.model_copy(update={"moves": (*self.moves, moved), "problem": None})

    def steps(self, plan: Canary, moments: NDArray[np.float64], known_at: float) -> NDArray[np.intp]:
        """The step in force at each moment by the moves known at `known_at`; -1 where that is not certain."""
        margin = min(MARGIN_SECONDS, plan.minutes * 60 * MARGIN_SHARE)
        found = np.full(len(moments), -1, dtype=np.intp)
        known = [move for move in self.moves if move.at <= known_at]
        for i, move in enumerate(known):
            begins = move.in_force_at
            if begins is None or begins > known_at or move.action not in ("start", "advance", "resume"):
                continue
            ends = known[i + 1].doubtful_since if i + 1 < len(known) else np.inf
            found[(moments >= begins + margin) & (moments < ends - margin)] = move.step
        return found
