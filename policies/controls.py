"""What a control is: the data beside each rule, and the rule itself."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from policies.resources import Resource, Stack


class Severity(StrEnum):
    """How bad a violation is, in Security Hub's words."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Level(StrEnum):
    """What a violation does: stop the deployment, or be reported."""

    MANDATORY = "mandatory"
    ADVISORY = "advisory"


class Source(StrEnum):
    """Where a control comes from."""

    FSBP = "AWS Foundational Security Best Practices"
    SECURITY_HUB = "AWS Security Hub, outside FSBP"
    AI = "AWS AI Security Best Practices v1.0.0"
    MLP = "this platform"


class Nist(StrEnum):
    """Groups of controls that AWS relates to the same NIST 800-53 r5 requirements."""

    NONE = "none"
    NETWORK = "network"
    AT_REST = "at rest"
    IN_TRANSIT = "in transit"
    PRIVILEGE = "privilege"
    MONITORING = "monitoring"
    LOGGING = "logging"
    BACKUP = "backup"
    DELETION = "deletion"


NIST_REQUIREMENTS: dict[Nist, str] = {
    Nist.NONE: "",
    Nist.NETWORK: "AC-21, AC-3, AC-3(7), AC-4, AC-4(21), AC-6, SC-7, SC-7(3)(4)(9)(11)(16)(20)(21)",
    Nist.AT_REST: "AU-9, CA-9(1), CM-3(6), SC-7(10), SC-12(2), SC-13, SC-28, SC-28(1), SI-7(6)",
    Nist.IN_TRANSIT: "AC-4, SC-7(4), SC-8, SC-8(1), SC-8(2), SC-13, SC-23, SC-23(3)",
    Nist.PRIVILEGE: "AC-2(1), AC-3, AC-3(7), AC-3(15), AC-5, AC-6",
    Nist.MONITORING: "CA-7, SI-2",
    Nist.LOGGING: (
        "AC-2(4), AC-4(26), AC-6(9), AU-2, AU-3, AU-6(3)(4), AU-10, AU-12, CA-7, SC-7(9), SI-3(8), SI-4(20), SI-7(8)"
    ),
    Nist.BACKUP: "CP-6(1)(2), CP-9, CP-10, SC-5(2), SC-36, SI-12, SI-13(5)",
    Nist.DELETION: "CA-9(1), CM-2, CM-2(2), CM-3, SC-5(2)",
}
"""AWS's "Related requirements" by group; a single control may list fewer."""


@dataclass(frozen=True)
class Control:
    """A control's metadata."""

    id: str
    title: str
    severity: Severity
    types: tuple[str, ...]
    """Type tokens of the resources it judges."""
    looks_at: str
    """The properties or companion resources that decide it, in a few words."""
    source: Source = Source.FSBP
    level: Level = Level.MANDATORY
    nist: Nist = Nist.NONE


ResourceCheck = Callable[[Resource], Iterable[str]]
StackCheck = Callable[[Resource, Stack], Iterable[str]]


@dataclass(frozen=True)
class Rule:
    """A control and the pure function that decides it for one resource: a sentence for each violation.

    Exactly one check is set: `check_resource` needs the resource alone, `check_in_stack` its neighbours too.
    """

    control: Control
    check_resource: ResourceCheck | None = field(default=None, compare=False)
    check_in_stack: StackCheck | None = field(default=None, compare=False)


def resource_rule(control: Control) -> Callable[[ResourceCheck], Rule]:
    """Make a rule of a function that judges one resource by itself."""
    return lambda check: Rule(control, check_resource=check)


def stack_rule(control: Control) -> Callable[[StackCheck], Rule]:
    """Make a rule of a function that judges one resource together with the rest of its stack."""
    return lambda check: Rule(control, check_in_stack=check)
