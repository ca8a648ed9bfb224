"""Contexts and rewards as they are given, checked against what the policy takes."""

from collections.abc import Sequence

import numpy as np

from pipelines.experimentation.bandits.errors import BanditError
from pipelines.experimentation.bandits.memory import Floats
from pipelines.experimentation.bandits.policy import Policy

# Ridge regression squares contexts: beyond this length, for a ridge near 1, too few digits of it are left.
_LONGEST = 1e5
# Sums of so many times larger rewards would run out of a float's range or leave no digits for ordinary ones.
_LARGEST = 1e12


def context(given: Sequence[float] | Floats | None, policy: Policy) -> Floats | None:
    """A copy of the context; BanditError unless it is what the policy takes."""
    features = policy.features
    if given is None:
        if features:
            raise BanditError(f"context: {policy.kind} needs {features} numbers, got none")
        return None
    if not features:
        raise BanditError(f"context: {policy.kind} takes none, got {len(given)} numbers; leave it out")
    vector = np.array(given, dtype=np.float64)
    if vector.shape != (features,):
        raise BanditError(f"context: {policy.kind} needs {features} numbers, got shape {vector.shape}")
    if not vector.dot(vector) <= _LONGEST**2:
        raise BanditError(f"context: {_unusable(vector)}")
    return vector


def contexts(given: Sequence[Sequence[float]] | Floats | None, count: int, policy: Policy) -> Floats | None:
    """`context` for `count` of them, one per row."""
    if given is None:
        return context(None, policy)
    if not policy.features:
        raise BanditError(f"contexts: {policy.kind} takes none, got {len(given)}; leave them out")
    wanted = f"contexts: {policy.kind} needs {count} rows of {policy.features} numbers"
    try:
        matrix = np.array(given, dtype=np.float64)
    except ValueError as error:
        raise BanditError(f"{wanted}: {error}") from None
    if matrix.shape != (count, policy.features):
        raise BanditError(f"{wanted}, got shape {matrix.shape}")
    usable = np.einsum("nd,nd->n", matrix, matrix) <= _LONGEST**2
    if not usable.all():
        row = int(usable.argmin())
        raise BanditError(f"contexts: row {row}: {_unusable(matrix[row])}")
    # It is both returned to the caller and learnt from later.
    matrix.setflags(write=False)
    return matrix


def reward(decision: int, value: float, policy: Policy) -> float:
    """The reward as a plain float; BanditError for one that the policy cannot learn from."""
    if policy.unit_rewards:
        if not 0 <= value <= 1:
            raise BanditError(
                f"reward of decision {decision}: {policy.kind} takes rewards from 0 to 1, got {value}; rescale it"
            )
    elif not -_LARGEST <= value <= _LARGEST:
        raise BanditError(
            f"reward of decision {decision}: must be a finite number of size {_LARGEST:g} at most, got {value}"
        )
    return float(value)


def rewards(decisions: Sequence[int], values: Sequence[float] | Floats, policy: Policy) -> Floats:
    """`reward` for each, in the same order."""
    if len(decisions) != len(values):
        raise BanditError(f"rewards: got {len(decisions)} decisions and {len(values)} values")
    found = np.array(values, dtype=np.float64)
    low, high = (0.0, 1.0) if policy.unit_rewards else (-_LARGEST, _LARGEST)
    usable = (found >= low) & (found <= high)
    if not usable.all():
        wrong = int(usable.argmin())
        reward(decisions[wrong], float(found[wrong]), policy)
    return found


def _unusable(vector: Floats) -> str:
    if np.isfinite(vector).all():
        return f"its length may be {_LONGEST:g} at most, got {np.linalg.norm(vector):.3g}; standardise the features"
    return f"all numbers must be finite, got {vector.tolist()}"
