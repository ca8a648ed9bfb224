"""Logged decisions: the schema, and the checks that every log passes before anything is estimated from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow
from numpy.typing import NDArray

from pipelines.experimentation.offpolicy.errors import LogError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_REQUIRED = ("decision", "action", "propensity", "reward")
_OPTIONAL = ("context", "probabilities")

_arrow: Any = pyarrow  # its core is compiled and has no types
SCHEMA: Any = _arrow.schema(
    [
        _arrow.field("decision", _arrow.string(), nullable=False),
        _arrow.field("action", _arrow.string(), nullable=False),
        _arrow.field("propensity", _arrow.float64(), nullable=False),
        _arrow.field("reward", _arrow.float64(), nullable=False),
        _arrow.field("context", _arrow.list_(_arrow.float64())),
        _arrow.field("probabilities", _arrow.list_(_arrow.float64())),
    ]
)
"""A `pyarrow.Schema`, one row per decision. Both lists may be left out; probabilities are in the order of actions."""

_SUM_TOLERANCE = 1e-6


class ArrowTable(Protocol):
    """What is used of a `pyarrow.Table`."""

    def to_pandas(self) -> pd.DataFrame:
        """The same rows as a frame."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LoggedDecisions:
    """Decisions of one policy with their rewards: n rows, K actions. Build it with `from_pandas` or `from_arrow`."""

    actions: tuple[str, ...]
    action: Integers
    """Position of each row's action in `actions`, shape (n,)."""
    propensity: Floats
    """Probability with which the logging policy chose that action then, shape (n,)."""
    reward: Floats
    """Shape (n,)."""
    context: Floats | None
    """Shape (n, features); None when the log has none."""
    probabilities: Floats | None
    """The logging policy's probability of every action, shape (n, K); None when only propensities were logged."""

    def __len__(self) -> int:
        return len(self.action)

    @classmethod
    def from_arrow(cls, table: ArrowTable, actions: Sequence[str]) -> "LoggedDecisions":
        """The log in a table of `SCHEMA`. Raises LogError naming all problems."""
        return cls.from_pandas(table.to_pandas(), actions)

    @classmethod
    def from_pandas(cls, frame: pd.DataFrame, actions: Sequence[str]) -> "LoggedDecisions":
        """The log in a frame with the columns of `SCHEMA`; `actions` are all that the logging policy could choose.

        Raises LogError naming all problems: empty, a column missing or unknown, a decision twice or unnamed, an unknown
        action, a propensity outside (0, 1], a reward that is missing or not finite, probabilities that do not sum to
        one or contradict the propensity.
        """
        _check_columns(frame, actions)
        positions = {action: position for position, action in enumerate(actions)}
        names: list[Any] = frame["action"].tolist()
        action = np.array([positions.get(name, -1) for name in names], dtype=np.int64)
        propensity, reward = _numbers(frame, "propensity"), _numbers(frame, "reward")
        rows = _Rows(frame["decision"].tolist())
        rows.report(
            "decision", frame["decision"].duplicated().to_numpy(), "appears twice; log each once", frame["decision"]
        )
        rows.report("decision", frame["decision"].isna().to_numpy(), "must be named", frame["decision"])
        rows.report("action", action < 0, f"must be one of {sorted(positions)}", frame["action"])
        rows.report("propensity", ~((propensity > 0) & (propensity <= 1)), "must be above 0 and at most 1", propensity)
        rows.report(
            "reward",
            ~np.isfinite(reward),
            "must be a finite number; wait for it, or log what silence means",
            reward,
        )
        context = rows.matrix("context", frame, None)
        probabilities = rows.matrix("probabilities", frame, len(actions))
        if probabilities is not None:
            rows.distribution("probabilities", probabilities)
            own = probabilities[np.arange(len(action)), action]
            wrong = (action >= 0) & ~np.isclose(own, propensity, rtol=1e-6, atol=1e-9)
            rows.report("propensity", wrong, "must be the action's entry in probabilities", propensity)
        rows.raise_problems()
        return cls(tuple(actions), action, propensity, reward, context, probabilities)


def checked_target(log: LoggedDecisions, target: Floats) -> Floats:
    """The policy to evaluate as probabilities of every action in every logged context, shape (n, K).

    A policy that ignores context may be given as shape (K,). Raises LogError for another shape, NaN, negative entries
    or rows that do not sum to one.
    """
    target = np.asarray(target, dtype=np.float64)
    if target.shape == (len(log.actions),):
        target = np.broadcast_to(target, (len(log), len(log.actions)))
    if target.shape != (len(log), len(log.actions)):
        raise LogError([f"target: shape must be {(len(log), len(log.actions))} (rows, actions), got {target.shape}"])
    rows = _Rows(list(range(len(log))))
    rows.distribution("target", target)
    rows.raise_problems()
    return target


def _check_columns(frame: pd.DataFrame, actions: Sequence[str]) -> None:
    problems: list[str] = []
    if len(set(actions)) != len(actions) or len(actions) < 2:
        problems.append(f"actions: must be at least two different names, got {list(actions)}")
    required, allowed = set(_REQUIRED), {*_REQUIRED, *_OPTIONAL}
    columns = {str(column) for column in frame.columns}
    problems += [f"log: column {name!r} is missing" for name in sorted(required - columns)]
    problems += [f"log: column {name!r} is unknown; allowed: {sorted(allowed)}" for name in sorted(columns - allowed)]
    if not len(frame):
        problems.append("log: has no rows; there is nothing to estimate from")
    if problems:
        raise LogError(problems)


def _numbers(frame: pd.DataFrame, column: str) -> Floats:
    """The column as floats; what is not a number becomes NaN, which the checks then report."""
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), dtype=np.float64)


class _Rows:
    """Collects problems row by row, each kind in one sentence with its first row and count."""

    def __init__(self, ids: list[Any]) -> None:
        self._ids = ids
        self._problems: list[str] = []

    def report(self, name: str, wrong: Any, demand: str, values: "Floats | pd.Series[Any]") -> None:
        rows = np.flatnonzero(wrong)
        if len(rows):
            first = int(rows[0])
            value: Any = values[first] if isinstance(values, np.ndarray) else values.iloc[first]
            self._problems.append(
                f"{name}: {demand}; got {value} in decision {self._ids[first]!r} ({len(rows)} such rows)"
            )

    def matrix(self, name: str, frame: pd.DataFrame, width: int | None) -> Floats | None:
        if name not in frame.columns or bool(frame[name].isna().all()):
            return None
        try:
            matrix = np.array(frame[name].tolist(), dtype=np.float64)
        except (TypeError, ValueError):
            self._problems.append(f"{name}: every row must hold a list of numbers, all of one length")
            return None
        if matrix.ndim != 2 or (width is not None and matrix.shape[1] != width):
            self._problems.append(f"{name}: every row must hold {width or 'as many'} numbers, got shape {matrix.shape}")
            return None
        self.report(name, ~np.isfinite(matrix).all(axis=1), "all numbers must be finite", matrix.sum(axis=1))
        return matrix

    def distribution(self, name: str, matrix: Floats) -> None:
        sums = matrix.sum(axis=1)
        # Written so that NaN is caught too.
        self.report(name, ~(np.abs(sums - 1) <= _SUM_TOLERANCE), "each row must sum to 1", sums)
        self.report(name, (matrix < 0).any(axis=1), "must not be negative", matrix.min(axis=1))

    def raise_problems(self) -> None:
        if self._problems:
            raise LogError(self._problems)
