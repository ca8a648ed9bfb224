"""IAM policy documents: read from JSON text or objects, and asked what they match.

Grammar and matching after the IAM User Guide, "Grammar of the IAM JSON policy language": a statement, action,
resource or condition value may be one item or a list; `*` and `?` are the wildcards; action names ignore case,
resources do not.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, cast

EVERYONE = "*"

RESTRICTING_KEYS = frozenset(
    {
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceaccount",
        "aws:sourcearn",
        "aws:sourceorgid",
        "aws:sourceowner",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
"""Condition keys that narrow a statement open to everyone to known callers (S3 User Guide, "The meaning of public")."""

_RESTRICTING_OPERATORS = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"})


@dataclass(frozen=True)
class Statement:
    """One statement. Absent elements are empty; `Action` and `NotAction` (and so on) exclude each other."""

    effect: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()
    """(kind, name) pairs: `("AWS", "*")`, `("Service", "ecs-tasks.amazonaws.com")`; everyone is `("*", "*")`."""
    not_principals: tuple[tuple[str, str], ...] = ()
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(operator, key, values), operator and key in lower case."""
    sid: str = field(default="", compare=False)

    @property
    def allows(self) -> bool:
        """Whether the effect is Allow."""
        return self.effect == "Allow"

    def matches_action(self, action: str) -> bool:
        """Whether the statement speaks about `action` (`service:Name`, without wildcards)."""
        if self.not_actions:
            return not any(matches_action(pattern, action) for pattern in self.not_actions)
        return any(matches_action(pattern, action) for pattern in self.actions)

    def matches_resource(self, arn: str) -> bool:
        """Whether the statement speaks about the resource `arn`."""
        if self.not_resources:
            return not any(matches(pattern, arn) for pattern in self.not_resources)
        return any(matches(pattern, arn) for pattern in self.resources)

    @property
    def everyone(self) -> bool:
        """Whether the principal is everyone: `*`, `{"AWS": "*"}`, or everyone but some."""
        return bool(self.not_principals) or any(name == EVERYONE for _, name in self.principals)

    @property
    def restricted(self) -> bool:
        """Whether a condition names the callers. `…IfExists`, `ForAllValues` and bare wildcards do not."""
        return any(
            operator.removeprefix("foranyvalue:") in _RESTRICTING_OPERATORS
            and key in RESTRICTING_KEYS
            and all(value.strip("*?") for value in values)
            for operator, key, values in self.conditions
        )

    @property
    def public(self) -> bool:
        """Whether it allows something to anybody in the world."""
        return self.allows and self.everyone and not self.restricted

    @property
    def label(self) -> str:
        """The Sid, or what stands for it in a sentence."""
        return f"statement {self.sid!r}" if self.sid else "a statement"


class MalformedError(ValueError):
    """A JSON document in a property cannot be read; the message says why."""


def load_json(text: str) -> object:
    """`text` as data. Raises `MalformedError`."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise MalformedError(f"not JSON: {error}") from error


def statements(document: object) -> list[Statement]:
    """The statements of a policy document given as JSON text or as an object; none for an absent document.

    Raises `MalformedError` for text that is not a JSON object, and `policies.unknown.Undecidable` for unknown parts.
    """
    if not document:
        return []
    parsed = load_json(document) if isinstance(document, str) else document
    if not isinstance(parsed, Mapping):
        raise MalformedError(f"a policy document must be a JSON object, got {type(parsed).__name__}")
    return [_statement(each) for each in _listed(cast("Mapping[str, Any]", parsed).get("Statement"))]


def _statement(raw: Mapping[str, Any]) -> Statement:
    conditions: Mapping[str, Mapping[str, Any]] = raw.get("Condition") or {}
    return Statement(
        effect=_text(raw.get("Effect")),
        actions=_strings(raw.get("Action")),
        not_actions=_strings(raw.get("NotAction")),
        resources=_strings(raw.get("Resource")),
        not_resources=_strings(raw.get("NotResource")),
        principals=_principals(raw.get("Principal")),
        not_principals=_principals(raw.get("NotPrincipal")),
        conditions=tuple(
            (operator.lower(), key.lower(), _strings(values))
            for operator, keys in conditions.items()
            for key, values in keys.items()
        ),
        sid=_text(raw.get("Sid") or ""),
    )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(cast("Iterable[Any]", value)) if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> str:
    # JSON booleans and numbers are legal condition values: AWS reads them as their text.
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value}"


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(_text(each) for each in _listed(value))


def _principals(value: Any) -> tuple[tuple[str, str], ...]:
    if isinstance(value, Mapping):
        kinds = cast("Mapping[str, Any]", value)
        return tuple((kind, name) for kind, names in kinds.items() for name in _strings(names))
    return tuple((EVERYONE, name) for name in _strings(value))


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether `value` matches `pattern`, where `*` stands for any text and `?` for one character."""
    return _regex(pattern).fullmatch(value) is not None


def matches_action(pattern: str, action: str) -> bool:
    """`matches`, ignoring case as IAM does for actions."""
    return matches(pattern.lower(), action.lower())


def any_service(pattern: str) -> bool:
    """Whether an action pattern covers every action of every service (`*`, `*:*`)."""
    return not pattern.strip("*:")


def whole_service(pattern: str) -> bool:
    """Whether an action pattern covers every action of one named service (`s3:*`)."""
    service, colon, name = pattern.partition(":")
    return bool(colon and service.strip("*") and name and not name.strip("*"))


def any_resource(pattern: str) -> bool:
    """Whether a resource pattern names nothing: `*`, or an ARN whose account and resource part are wildcards only."""
    parts = pattern.split(":", 5)
    return not pattern.strip("*") or (len(parts) == 6 and not parts[4].strip("*") and not parts[5].strip("*"))


def any_of_kind(pattern: str, kind: str) -> bool:
    """Whether a resource pattern covers every resource of `kind` (`key` covers `arn:…:key/*`, `arn:…:*` and `*`)."""
    part = pattern.split(":", 5)[-1]
    return not part.strip("*") or bool(re.fullmatch(rf"{re.escape(kind)}/[*?]*\*[*?]*", part))
