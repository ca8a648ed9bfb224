"""The shape of a case, and what can be done to one."""

import copy
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
DOCUMENTS = frozenset({"policy", "assumeRolePolicy", "containerDefinitions"})
"""Properties that hold JSON text; cases write them as objects."""

Entry = dict[str, Any]
Verdict = Literal["passes", "fails", "undecided"]
_ABSENT = object()


def entry(token: str, name: str, /, **properties: Any) -> Entry:
    """A resource as a plan or a checkpoint gives it."""
    return {"type": token, "urn": f"urn:pulumi:test::mlp::{token}::{name}", "properties": properties, "protect": True}


@dataclass(frozen=True)
class Case:
    """A stack that passes `control`, and the one attribute whose value `bad` makes it fail."""

    control: str
    stack: tuple[Entry, ...]
    of: str
    """Logical name of the resource that holds the attribute."""
    attribute: str
    """Path of the attribute, as `rules[0].status`."""
    bad: Any
    missing: Verdict = "fails"
    """The verdict when the attribute is absent."""
    reference: str = ""
    """Where `of` is a companion: its property that names the judged resource."""

    def __str__(self) -> str:
        return f"{self.control}-{self.attribute}-{self.bad!r}"[:70]

    def passing(self) -> list[Entry]:
        """The stack as it is."""
        return copy.deepcopy(list(self.stack))

    def failing(self) -> list[Entry]:
        """The stack with the bad value."""
        return self._with(self.bad)

    def without_attribute(self) -> list[Entry]:
        """The stack without the attribute."""
        return self._with(_ABSENT)

    def with_unknown(self) -> list[Entry]:
        """The stack with an attribute that is not known yet; a JSON text is unknown as a whole."""
        inside_document = re.match(rf"(?:.*\.)?(?:{'|'.join(DOCUMENTS)})(?=[.\[])", self.attribute)
        return self._with(UNKNOWN, inside_document.group() if inside_document else self.attribute)

    def without_companion(self) -> list[Entry]:
        """The stack without the resource that holds the attribute."""
        return [each for each in self.passing() if not each["urn"].endswith(f"::{self.of}")]

    def with_unknown_reference(self, *, dependency: bool) -> list[Entry]:
        """The companion's reference is not known yet; `dependency` tells where it came from."""
        return self._with_reference(self.passing(), UNKNOWN, dependency=dependency)

    def with_untold_id(self, *, dependency: bool) -> list[Entry]:
        """The companion's reference is the judged resource's id, which is not among its properties."""
        entries = self.passing()
        entries[0]["properties"].pop("id", None)
        return self._with_reference(entries, "id-1234", dependency=dependency)

    def _with_reference(self, entries: list[Entry], value: str, *, dependency: bool) -> list[Entry]:
        companion = next(each for each in entries if each["urn"].endswith(f"::{self.of}"))
        companion["properties"][self.reference] = value
        if dependency:
            companion["propertyDependencies"] = {self.reference: [entries[0]["urn"]]}
        return entries

    def _with(self, value: Any, attribute: str = "") -> list[Entry]:
        entries = self.passing()
        target = next(each for each in entries if each["urn"].endswith(f"::{self.of}"))
        if self.attribute == "protect":
            target["protect"] = False if value is _ABSENT else value
        else:
            _assign(target["properties"], attribute or self.attribute, value)
        return entries


def as_text(entries: list[Entry]) -> list[Entry]:
    """The same entries with their documents as JSON text, which is how a program hands them over."""
    result = copy.deepcopy(entries)
    for each in result:
        for key in DOCUMENTS & each["properties"].keys():
            if isinstance(each["properties"][key], dict | list):
                each["properties"][key] = json.dumps(each["properties"][key])
        for inline in each["properties"].get("inlinePolicies", []):
            if isinstance(inline["policy"], dict):
                inline["policy"] = json.dumps(inline["policy"])
    return result


def _assign(container: Any, path: str, value: Any) -> None:
    steps = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
    for step in steps[:-1]:
        container = container[step]
    if value is _ABSENT:
        del container[steps[-1]]
    else:
        container[steps[-1]] = value
