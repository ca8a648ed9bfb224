"""The assignment configuration: what a caller needs to place a unit, and nothing else."""

import hashlib
import itertools
import json
import math
from typing import Literal, Self

import numpy as np
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from pipelines.experimentation.assignment.conditions import Condition
from pipelines.experimentation.assignment.hashing import BUCKETS

Name = str
_NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"
_WEIGHT_TOLERANCE = 1e-9


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Variant(_Model):
    """One arm and its share of the experiment's units."""

    name: Name = Field(pattern=_NAME)
    weight: float = Field(gt=0, le=1)


class Slot(_Model):
    """The part [start, end) of a layer that an experiment occupies; disjoint slots of a layer exclude each other.

    `hash_version` 2 is a GrowthBook filter; 1 is GrowthBook's older `namespace`, with a thousand buckets. One layer
    has one version.
    """

    layer: Name = Field(pattern=_NAME)
    start: float = Field(ge=0, lt=1)
    end: float = Field(gt=0, le=1)
    hash_version: Literal[1, 2] = 2

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start >= self.end:
            raise ValueError(f"slot of layer {self.layer}: start {self.start} must be below end {self.end}")
        return self


class Holdout(_Model):
    """A share of all units kept out of the experiments that name it, so their joint effect can be measured later."""

    name: Name = Field(pattern=_NAME)
    share: float = Field(gt=0, lt=1)


class Experiment(_Model):
    """How units of one experiment are found and split."""

    key: Name = Field(pattern=_NAME)
    seed: str = ""
    """Salt of the split; empty means `<namespace>/<key>`. A new seed deals every unit anew."""
    variants: tuple[Variant, ...] = Field(min_length=2)
    coverage: float = Field(default=1.0, ge=0, le=1)
    """Share of each variant's range that is enrolled: a ramp raises it, and whoever was in stays where they were."""
    slot: Slot | None = None
    holdouts: tuple[Name, ...] = ()
    targeting: Condition | None = None
    overrides: dict[str, Name] = Field(default_factory=dict)
    """Digest of a unit (`override_digest`) to the variant it is given whatever else is said."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) != len(names):
            raise ValueError(f"experiment {self.key}: variant names must differ, got {names}")
        total = math.fsum(variant.weight for variant in self.variants)
        if abs(total - 1) > _WEIGHT_TOLERANCE:
            said = "overlap" if total > 1 else "leave a gap"
            raise ValueError(f"experiment {self.key}: weights must add up to 1, got {total:g}: the ranges would {said}")
        unknown = sorted(set(self.overrides.values()) - set(names))
        if unknown:
            raise ValueError(f"experiment {self.key}: overrides name unknown variants {unknown}; there are {names}")
        return self

    def ranges(self) -> list[tuple[float, float]]:
        """Half-open ranges of [0, 1) by variant, in floating point as GrowthBook's `getBucketRanges` makes them."""
        cumulative, ranges = 0.0, list[tuple[float, float]]()
        for variant in self.variants:
            ranges.append((cumulative, cumulative + self.coverage * variant.weight))
            cumulative += variant.weight
        return ranges


class Configuration(_Model):
    """Every experiment of one namespace. Experiments of different namespaces are dealt independently."""

    namespace: Name = Field(pattern=_NAME)
    version: int = Field(ge=1)
    issued_at: AwareDatetime
    expires_at: AwareDatetime
    override_salt: str = ""
    """Keys the digests in `overrides`. Whoever holds the configuration can test a guessed identifier against them."""
    holdouts: tuple[Holdout, ...] = ()
    experiments: tuple[Experiment, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.expires_at <= self.issued_at:
            raise ValueError(f"expires_at {self.expires_at} must be after issued_at {self.issued_at}")
        for what, names in (
            ("experiment", [experiment.key for experiment in self.experiments]),
            ("seed", self._seeds()),
            ("holdout", [holdout.name for holdout in self.holdouts]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{what}s must differ, got {sorted(names)}")
        known = {holdout.name for holdout in self.holdouts}
        for experiment in self.experiments:
            if unknown := sorted(set(experiment.holdouts) - known):
                raise ValueError(f"experiment {experiment.key}: unknown holdouts {unknown}; there are {sorted(known)}")
        self._check_layers()
        return self

    def _seeds(self) -> list[str]:
        # An experiment salted like a layer or a holdout would split units by the very number that let them in.
        layers = {self.layer_seed(experiment.slot) for experiment in self.experiments if experiment.slot}
        holdouts = {self.holdout_seed(holdout.name) for holdout in self.holdouts}
        return [*(self.seed(experiment) for experiment in self.experiments), *layers, *holdouts]

    def _check_layers(self) -> None:
        slots = [(e.slot, e.key) for e in self.experiments if e.slot]
        for (slot, key), (other, other_key) in itertools.combinations(slots, 2):
            if slot.layer != other.layer:
                continue
            if slot.hash_version != other.hash_version:
                raise ValueError(f"layer {slot.layer}: {key} and {other_key} must use the same hash_version")
            if slot.start < other.end and other.start < slot.end:
                raise ValueError(
                    f"layer {slot.layer}: slots of {key} [{slot.start}, {slot.end}) and {other_key} "
                    f"[{other.start}, {other.end}) overlap; experiments of one layer exclude each other"
                )

    def seed(self, experiment: Experiment) -> str:
        """Salt of an experiment's split."""
        return experiment.seed or f"{self.namespace}/{experiment.key}"

    def layer_seed(self, slot: Slot) -> str:
        """Salt of a layer; version 1 carries the prefix that GrowthBook gives its namespaces."""
        seed = f"{self.namespace}/layer/{slot.layer}"
        return seed if slot.hash_version == 2 else "__" + seed

    def holdout_seed(self, name: str) -> str:
        """Salt of a holdout."""
        return f"{self.namespace}/holdout/{name}"

    def canonical(self) -> bytes:
        """The configuration as JSON with sorted keys and no spaces: the bytes that are signed."""
        return canonical_json(self.model_dump(mode="json"))


def canonical_json(document: object) -> bytes:
    """JSON in UTF-8 with sorted keys and no spaces; NaN and infinities raise ValueError."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def override_digest(salt: str, unit: str) -> str:
    """Keyed digest of a unit for `Experiment.overrides`: BLAKE2b, 16 bytes, hexadecimal."""
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    return hashlib.blake2b(unit.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()


def bucket_members(ranges: list[tuple[float, float]], version: int = 2) -> list[int]:
    """Index of the range that holds each bucket, -1 for none; compared as floating point, as the SDKs do."""
    position = np.arange(BUCKETS[version]) / BUCKETS[version]
    members = np.full(BUCKETS[version], -1)
    for i, (start, end) in reversed(list(enumerate(ranges))):  # the first range that holds a bucket wins
        members[(position >= start) & (position < end)] = i
    return members.tolist()
