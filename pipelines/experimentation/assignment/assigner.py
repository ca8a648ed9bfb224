"""Placing units, locally and fast: a configuration is compiled once into tables, and a call is a hash and a look-up."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from pipelines.experimentation.assignment.conditions import Attributes, Predicate
from pipelines.experimentation.assignment.configuration import (
    Configuration,
    Experiment,
    Slot,
    bucket_members,
    override_digest,
)
from pipelines.experimentation.assignment.hashing import bucket
from pipelines.experimentation.assignment.signing import Envelope, StaleConfigurationError, verify
from pipelines.experimentation.errors import ExperimentError

Reason = Literal["assigned", "overridden", "held out", "other slot", "not targeted", "not covered"]
_NO_ATTRIBUTES: Attributes = {}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a unit is and why; `variant` is None when it is not in the experiment."""

    variant: str | None
    reason: Reason


class _Gate:
    """Which buckets of another seed are let through: a layer's slot, or everything outside a holdout."""

    __slots__ = ("admitted", "reason", "seed", "version")

    def __init__(self, seed: str, version: int, ranges: list[tuple[float, float]], reason: Reason) -> None:
        self.seed, self.version = seed, version
        self.reason: Reason = reason
        self.admitted = bytes(member >= 0 for member in bucket_members(ranges, version))

    def admits(self, unit: str) -> bool:
        return bool(self.admitted[bucket(self.seed, unit, self.version)])


class _Compiled:
    __slots__ = ("gates", "overrides", "predicate", "salt", "seed", "table")

    def __init__(self, configuration: Configuration, experiment: Experiment) -> None:
        self.seed = configuration.seed(experiment)
        names = [variant.name for variant in experiment.variants]
        members = bucket_members(experiment.ranges())
        self.table: list[str | None] = [names[member] if member >= 0 else None for member in members]
        self.predicate: Predicate | None = experiment.targeting.compile() if experiment.targeting else None
        self.salt, self.overrides = configuration.override_salt, experiment.overrides
        self.gates = [_holdout_gate(configuration, name) for name in experiment.holdouts]
        if experiment.slot:
            self.gates.append(_slot_gate(configuration, experiment.slot))

    def variant(self, unit: str, attributes: Attributes) -> str | None:
        """The hot path. `explain` says the same with reasons; a test holds them together."""
        if self.overrides and (forced := self.overrides.get(override_digest(self.salt, unit))):
            return forced
        if self.predicate is not None and not self.predicate(attributes):
            return None
        for gate in self.gates:
            if not gate.admits(unit):
                return None
        return self.table[bucket(self.seed, unit)]

    def explain(self, unit: str, attributes: Attributes) -> Placement:
        if forced := self.overrides.get(override_digest(self.salt, unit)):
            return Placement(forced, "overridden")
        if self.predicate is not None and not self.predicate(attributes):
            return Placement(None, "not targeted")
        for gate in self.gates:
            if not gate.admits(unit):
                return Placement(None, gate.reason)
        variant = self.table[bucket(self.seed, unit)]
        return Placement(variant, "assigned" if variant is not None else "not covered")


def _slot_gate(configuration: Configuration, slot: Slot) -> _Gate:
    return _Gate(configuration.layer_seed(slot), slot.hash_version, [(slot.start, slot.end)], "other slot")


def _holdout_gate(configuration: Configuration, name: str) -> _Gate:
    share = next(holdout.share for holdout in configuration.holdouts if holdout.name == name)
    return _Gate(configuration.holdout_seed(name), 2, [(share, 1.0)], "held out")


class Assigner:
    """Places units by a verified configuration.

    Deterministic: the same configuration, unit and attributes give the same variant in any process, on any machine.
    Thread-safe: `update` swaps the compiled tables in one step, and a call sees either the old or the new ones.
    `clock` gives seconds since the epoch and is asked on every call, since an expired configuration must not place
    anybody.
    """

    def __init__(self, configuration: Configuration, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._install(configuration)

    @classmethod
    def open(
        cls, envelope: Envelope, trusted: Mapping[str, Ed25519PublicKey], clock: Callable[[], float] = time.time
    ) -> Self:
        """An assigner from a signed envelope; raises what `signing.verify` raises."""
        return cls(verify(envelope, trusted, datetime.fromtimestamp(clock(), UTC)), clock)

    def update(self, envelope: Envelope, trusted: Mapping[str, Ed25519PublicKey]) -> bool:
        """Take a newer configuration into use; False when it is the one in use.

        Raises StaleConfigurationError for an older version (an attacker may replay it) and ExperimentError for another
        namespace or a different document under the same version; what is in use then stays.
        """
        incoming = verify(envelope, trusted, datetime.fromtimestamp(self._clock(), UTC))
        current = self.configuration
        if incoming.namespace != current.namespace:
            raise ExperimentError(f"namespace is {current.namespace}, got a configuration of {incoming.namespace}")
        if incoming.version < current.version:
            raise StaleConfigurationError(f"version {current.version} is in use, got version {incoming.version}")
        if incoming.version == current.version:
            if incoming != current:
                raise ExperimentError(
                    f"two different configurations carry version {current.version}; issue a new version"
                )
            return False
        self._install(incoming)
        return True

    def _install(self, configuration: Configuration) -> None:
        compiled = {e.key: _Compiled(configuration, e) for e in configuration.experiments}
        self._state = (configuration, configuration.expires_at.timestamp(), compiled)

    @property
    def configuration(self) -> Configuration:
        """The configuration in use."""
        return self._state[0]

    def variant(self, experiment: str, unit: str, attributes: Attributes = _NO_ATTRIBUTES) -> str | None:
        """Name of the unit's variant, None when the unit is not in the experiment (serve what you serve without one).

        Raises ExperimentError for an unknown experiment or an empty unit, StaleConfigurationError after `expires_at`.
        """
        _, expires, compiled = self._state
        if self._clock() >= expires:
            raise StaleConfigurationError(f"the configuration expired at {datetime.fromtimestamp(expires, UTC)}")
        if not unit or (found := compiled.get(experiment)) is None:
            raise _refusal(experiment, unit, compiled)
        return found.variant(unit, attributes)

    def explain(self, experiment: str, unit: str, attributes: Attributes = _NO_ATTRIBUTES) -> Placement:
        """As `variant`, with the reason; raises the same."""
        _, expires, compiled = self._state
        if self._clock() >= expires:
            raise StaleConfigurationError(f"the configuration expired at {datetime.fromtimestamp(expires, UTC)}")
        if not unit or (found := compiled.get(experiment)) is None:
            raise _refusal(experiment, unit, compiled)
        return found.explain(unit, attributes)


def _refusal(experiment: str, unit: str, compiled: Mapping[str, object]) -> ExperimentError:
    if not unit:
        return ExperimentError("unit is empty: without an identifier nobody can be placed")
    return ExperimentError(f"unknown experiment {experiment!r}; there are {sorted(compiled)}")
