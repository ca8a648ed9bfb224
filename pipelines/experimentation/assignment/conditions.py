"""Typed targeting conditions over a unit's attributes, and their translation to GrowthBook's condition language.

A condition on an attribute that is absent, or whose value has another type, is false; `Not` of it is true.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Attributes = Mapping[str, str | float | bool]
Predicate = Callable[[Attributes], bool]


class _Condition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OneOf(_Condition):
    """The attribute equals one of the values; a boolean equals no number."""

    kind: Literal["one_of"] = "one_of"
    attribute: str
    values: tuple[Scalar, ...] = Field(min_length=1)

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        name, allowed = self.attribute, frozenset((type(v) is bool, v) for v in self.values)
        return lambda attributes: name in attributes and (type(attributes[name]) is bool, attributes[name]) in allowed

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language."""
        return {self.attribute: {"$in": list(self.values)}}


class Compare(_Condition):
    """A numeric attribute compared with a number."""

    kind: Literal["compare"] = "compare"
    attribute: str
    operator: Literal["gt", "gte", "lt", "lte"]
    value: float = Field(allow_inf_nan=False)

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        name, value = self.attribute, self.value
        compare = {"gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}[self.operator]

        def holds(attributes: Attributes) -> bool:
            got = attributes.get(name)
            return isinstance(got, int | float) and not isinstance(got, bool) and compare(got, value)

        return holds

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language; `$exists` because an absent attribute counts as zero there."""
        return {self.attribute: {"$exists": True, f"${self.operator}": self.value}}


class AtLeastVersion(_Condition):
    """A dotted version of whole numbers, such as 4.12.0, that is not older than `version`."""

    kind: Literal["at_least_version"] = "at_least_version"
    attribute: str
    version: str = Field(pattern=r"^\d+(\.\d+)*$")

    def compile(self) -> Predicate:
        """A predicate over attributes; a version that is not dotted whole numbers does not match."""
        name, wanted = self.attribute, _version(self.version)

        def holds(attributes: Attributes) -> bool:
            got = attributes.get(name)
            version = _version(got) if isinstance(got, str) else None
            return version is not None and wanted is not None and version >= wanted

        return holds

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language."""
        return {self.attribute: {"$vgte": self.version}}


class All(_Condition):
    """Every condition holds."""

    kind: Literal["all"] = "all"
    conditions: "tuple[Condition, ...]" = Field(min_length=1)

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        predicates = [condition.compile() for condition in self.conditions]
        return lambda attributes: all(predicate(attributes) for predicate in predicates)

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language."""
        return {"$and": [condition.growthbook() for condition in self.conditions]}


class AnyOf(_Condition):
    """At least one condition holds."""

    kind: Literal["any_of"] = "any_of"
    conditions: "tuple[Condition, ...]" = Field(min_length=1)

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        predicates = [condition.compile() for condition in self.conditions]
        return lambda attributes: any(predicate(attributes) for predicate in predicates)

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language."""
        return {"$or": [condition.growthbook() for condition in self.conditions]}


class Not(_Condition):
    """The condition does not hold."""

    kind: Literal["not"] = "not"
    condition: "Condition"

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        predicate = self.condition.compile()
        return lambda attributes: not predicate(attributes)

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language."""
        return {"$not": self.condition.growthbook()}


Condition = Annotated[OneOf | Compare | AtLeastVersion | All | AnyOf | Not, Field(discriminator="kind")]

All.model_rebuild()
AnyOf.model_rebuild()
Not.model_rebuild()


def _version(text: str) -> tuple[int, ...] | None:
    parts = text.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
