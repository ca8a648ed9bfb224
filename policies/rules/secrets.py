"""Secrets: rotated, encrypted with a key of ours, and never plain parameters."""

import re
from collections.abc import Iterator

from policies.controls import Control, Nist, Severity, Source, resource_rule, stack_rule
from policies.resources import Block, Resource, Stack
from policies.unknown import known

PARAMETER = "aws:ssm/parameter:Parameter"
SECRET = "aws:secretsmanager/secret:Secret"  # noqa: S105 - a type token
ROTATION = "aws:secretsmanager/secretRotation:SecretRotation"

ROTATION_DAYS = 90
"""Longest time between rotations that SecretsManager.4 accepts by default."""

_SECRET_NAME = re.compile(
    r"(password|passwd|passphrase|secret|token|api[-_]?key|private[-_]?key|credential)", re.IGNORECASE
)
_POINTER = re.compile(r"(arn|name|id|path)$", re.IGNORECASE)


@stack_rule(
    Control(
        "SecretsManager.1",
        "Secrets Manager secrets should have automatic rotation enabled",
        Severity.MEDIUM,
        (SECRET,),
        "SecretRotation with rules",
        nist=Nist.PRIVILEGE,
    )
)
def secret_rotates(secret: Resource, stack: Stack) -> Iterator[str]:
    """A rotation with a schedule."""
    if not any(each.get("rotationRules") for each in stack.referring(secret, ROTATION, "secretId")):
        yield "no SecretRotation with rotationRules"


@resource_rule(
    Control(
        "SecretsManager.4",
        "Secrets Manager secrets should be rotated within a specified number of days",
        Severity.MEDIUM,
        (ROTATION,),
        f"rotationRules.automaticallyAfterDays: at most {ROTATION_DAYS}",
        nist=Nist.PRIVILEGE,
    )
)
def secret_rotates_in_time(rotation: Resource) -> Iterator[str]:
    """At least every 90 days; a schedule expression in cron is AWS's to judge."""
    rules: Block = rotation.get("rotationRules") or {}
    days = rules.get("automaticallyAfterDays") or 0
    if not rules.get("scheduleExpression") and not 0 < days <= ROTATION_DAYS:
        yield f"automaticallyAfterDays is {days:g}, not 1 to {ROTATION_DAYS}"


@resource_rule(
    Control(
        "MLP.Secrets.1",
        "Secrets are encrypted with a customer managed key",
        Severity.MEDIUM,
        (SECRET, PARAMETER),
        "kmsKeyId; keyId of SecureString parameters",
        source=Source.MLP,
        nist=Nist.AT_REST,
    )
)
def secret_has_its_own_key(target: Resource) -> Iterator[str]:
    """A key is named."""
    if target.type == SECRET and not target.get("kmsKeyId"):
        yield "kmsKeyId is not set"
    if target.type == PARAMETER and target.get("type") == "SecureString" and not target.get("keyId"):
        yield "keyId is not set"


@resource_rule(
    Control(
        "MLP.SSM.1",
        "A parameter that holds a secret is a SecureString",
        Severity.HIGH,
        (PARAMETER,),
        "type of parameters whose name speaks of a secret",
        source=Source.MLP,
        nist=Nist.AT_REST,
    )
)
def secret_parameter_is_secure(parameter: Resource) -> Iterator[str]:
    """A name like `…/password` on a plain String; a name that ends in arn, name, id or path only points at one."""
    name = parameter.get("name", "")
    name = name if known(name) else parameter.name
    if parameter.get("type") != "SecureString" and _SECRET_NAME.search(name) and not _POINTER.search(name):
        yield f"{name} is a {parameter.get('type')}: make it a SecureString, or keep the secret in Secrets Manager"
