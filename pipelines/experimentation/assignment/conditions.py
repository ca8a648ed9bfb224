"""Typed targeting conditions over a unit's attributes, and their translation to GrowthBook's condition language.

A condition on an attribute that is absent, or whose value has another type, is false; `Not` of it is true. GrowthBook's
own operators convert types and take anything for a version, so the translations state the types they mean.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Attributes = Mapping[str, str | float | bool]
Predicate = Callable[[Attributes], bool]
Attribute = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
"""A name without dots, which GrowthBook reads as a path."""
_PART = "(0|[1-9][0-9]{0,4})"
_VERSION = rf"^{_PART}(\.{_PART})*"
# Five digits and no leading zeros: GrowthBook compares versions as text padded to five places.
_END = r"(?![\s\S])"
# The end of the text in every language's regular expressions; Python's $ would let a newline follow.


class _Condition(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OneOf(_Condition):
    """The attribute equals one of the values; a boolean equals no number."""

    kind: Literal["one_of"] = "one_of"
    attribute: Attribute
    values: tuple[Scalar, ...] = Field(min_length=1)

    def compile(self) -> Predicate:
        """A predicate over attributes."""
        name, allowed = self.attribute, frozenset((type(v) is bool, v) for v in self.values)

        def holds(attributes: Attributes) -> bool:
            got = attributes.get(name)
            return isinstance(got, str | float | int) and (type(got) is bool, got) in allowed

        return holds

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language, type by type."""
        kinds: dict[str, list[Scalar]] = {}
        for value in self.values:
            kind = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
            kinds.setdefault(kind, []).append(value)
        typed = [{self.attribute: {"$type": kind, "$in": values}} for kind, values in sorted(kinds.items())]
        return {"$or": typed}


class Compare(_Condition):
    """A numeric attribute compared with a number."""

    kind: Literal["compare"] = "compare"
    attribute: Attribute
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
        """The same condition in GrowthBook's language, where an absent attribute counts as zero and "3" as 3."""
        return {self.attribute: {"$type": "number", f"${self.operator}": self.value}}


class AtLeastVersion(_Condition):
    """A dotted version of whole numbers, such as 4.12.0, that is not older than `version`; 4.2 and 4.2.0 are the same.

    Numbers have at most five digits and no leading zeros.
    """

    kind: Literal["at_least_version"] = "at_least_version"
    attribute: Attribute
    version: str = Field(pattern=_VERSION + "$")

    def compile(self) -> Predicate:
        """A predicate over attributes; a version of another form does not match."""
        name, wanted, form = self.attribute, _numbers(self.version), re.compile(_VERSION + _END)

        def holds(attributes: Attributes) -> bool:
            got = attributes.get(name)
            return isinstance(got, str) and form.match(got) is not None and _numbers(got) >= wanted

        return holds

    def growthbook(self) -> dict[str, object]:
        """The same condition in GrowthBook's language.

        There a version of three parts is greater than any of four that begins with them, as 1.0.0 is than 1.0.0-beta.
        """
        wanted = [str(number) for number in _numbers(self.version)] or ["0"]
        least = ".".join([*wanted, "0"] if len(wanted) == 3 else wanted)
        condition = {"$type": "string", "$regex": _VERSION + _END, "$vgte": least}
        return {self.attribute: condition | ({"$vne": ".".join(wanted[:3])} if len(wanted) > 3 else {})}


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


def _numbers(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
