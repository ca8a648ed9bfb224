"""Exemptions: which finding is accepted, where, why and until when."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from policies.controls import Level
from policies.evaluation import Finding

FILE = Path(__file__).with_name("exemptions.yaml")


class Exemption(BaseModel):
    """One accepted finding, or a family of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    control: str
    """The control's id, as `S3.9`."""
    environments: tuple[str, ...] = ("*",)
    """Patterns for the resource's Environment tag or the stack's name; every environment when left out."""
    resource: str
    """Pattern for the resource's logical name or its whole URN."""
    reason: str = ""
    """Why the finding is accepted. An exemption without one is a problem of its own."""
    expires: date | None = None
    """Last day it holds; for ever when left out."""

    def accepts(self, finding: Finding) -> bool:
        """Whether it speaks about `finding`; whether it holds is for `problems` to say."""
        return (
            finding.control.id == self.control
            and self.covers(finding.environment)
            and (fnmatchcase(finding.name, self.resource) or fnmatchcase(finding.urn, self.resource))
        )

    def covers(self, environment: str) -> bool:
        """Whether it is meant for `environment`."""
        return any(fnmatchcase(environment, pattern) for pattern in self.environments)

    def holds(self, today: date) -> bool:
        """Whether it has a reason and has not expired."""
        return bool(self.reason.strip()) and (self.expires is None or today <= self.expires)


@dataclass(frozen=True)
class Problem:
    """What is wrong with an exemption."""

    exemption: Exemption
    message: str
    level: Level


def read(path: Path = FILE) -> list[Exemption]:
    """The exemptions of a YAML file. Raises ValueError naming the file, the entry and the key that is wrong."""
    entries: Any = yaml.safe_load(path.read_text("utf-8")) or []
    try:
        return TypeAdapter(list[Exemption]).validate_python(entries)
    except ValidationError as error:
        complaints = (
            f"{path.name}: {'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}, got {each['input']!r}"
            for each in error.errors()
        )
        raise ValueError("\n".join(complaints)) from error


def problems(
    exemptions: Iterable[Exemption],
    findings: Collection[Finding],
    *,
    controls: Collection[str],
    judged: Collection[str],
    environments: Collection[str],
    today: date,
) -> list[Problem]:
    """What is wrong with exemptions: no reason, expired, not one of `controls`, or (advice only) nothing to exempt.

    That one matches nothing can be said only of controls that were `judged` in one of its own `environments`.
    """
    here = [each for each in exemptions if each.control in judged and any(map(each.covers, environments))]
    idle = [each for each in here if not any(each.accepts(finding) for finding in findings)]
    message = "it matches no finding: remove it, or correct its pattern"
    return [
        *(problem for each in exemptions for problem in _problems(each, controls, today)),
        *(Problem(each, message, Level.ADVISORY) for each in idle),
    ]


def _problems(exemption: Exemption, controls: Collection[str], today: date) -> Iterable[Problem]:
    if exemption.control not in controls:
        yield Problem(exemption, f"there is no control {exemption.control!r}", Level.MANDATORY)
        return
    if not exemption.reason.strip():
        yield Problem(exemption, "it gives no reason", Level.MANDATORY)
    if exemption.expires is not None and today > exemption.expires:
        yield Problem(exemption, f"it expired on {exemption.expires}", Level.MANDATORY)
