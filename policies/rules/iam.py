"""IAM: nobody gets more than they name."""

import json
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule
from policies.documents import (
    Statement,
    any_of_kind,
    any_resource,
    any_service,
    matches_action,
    statements,
    whole_service,
)
from policies.resources import Resource

MANAGED_POLICY = "aws:iam/policy:Policy"
ROLE = "aws:iam/role:Role"
ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
ROLE_POLICY_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
USER_POLICY = "aws:iam/userPolicy:UserPolicy"
USER_POLICY_ATTACHMENT = "aws:iam/userPolicyAttachment:UserPolicyAttachment"
POLICY_ATTACHMENT = "aws:iam/policyAttachment:PolicyAttachment"
INLINE = (ROLE_POLICY, ROLE)
IDENTITY = (MANAGED_POLICY, *INLINE)

DECRYPTION = ("kms:Decrypt", "kms:ReEncryptFrom")

BROAD_MANAGED_POLICIES = frozenset({"AdministratorAccess", "PowerUserAccess", "IAMFullAccess"})

SCOPING_KEYS = ("aws:resourcetag/", "ec2:resourcetag/", "ec2:vpc", "ec2:subnet", "ecs:cluster", "kms:resourcealiases")
"""Condition keys that narrow a statement to some resources as a resource pattern would (beginnings, lower case)."""


def documents(target: Resource) -> Iterator[list[Statement]]:
    """The identity policies that a resource carries: its own document, or a role's inline policies."""
    if target.type == ROLE:
        for inline in target.get("inlinePolicies", []):
            yield statements(inline.get("policy"))
    else:
        yield statements(target.get("policy"))


def _grants(target: Resource) -> Iterator[Statement]:
    for document in documents(target):
        yield from (statement for statement in document if statement.allows)


def _everything(target: Resource) -> Iterator[str]:
    for statement in _grants(target):
        if any(map(any_service, statement.actions)) and any(map(any_resource, statement.resources)):
            yield f"{statement.label} allows every action on every resource"


def _whole_services(target: Resource) -> Iterator[str]:
    for statement in _grants(target):
        for action in statement.actions:
            if whole_service(action):
                yield f"{statement.label} allows {action}: name the actions"


def _decrypts_everything(target: Resource) -> Iterator[str]:
    for statement in _grants(target):
        action = next((action for action in DECRYPTION if statement.matches_action(action)), None)
        everywhere = statement.not_resources or any(any_of_kind(each, "key") for each in statement.resources)
        if action and everywhere:
            yield f"{statement.label} allows {action} on all keys: name the keys"


@resource_rule(
    Control(
        "IAM.1",
        "IAM policies should not allow full '*' administrative privileges",
        Severity.HIGH,
        (MANAGED_POLICY,),
        "policy document",
        nist=Nist.PRIVILEGE,
    )
)
def managed_policy_is_not_administrator(policy: Resource) -> Iterator[str]:
    """No statement of a customer managed policy allows every action on every resource."""
    yield from _everything(policy)


@resource_rule(
    Control(
        "MLP.IAM.1",
        "Inline policies do not allow full '*' administrative privileges",
        Severity.HIGH,
        INLINE,
        "inline policy documents",
        source=Source.MLP,
        nist=Nist.PRIVILEGE,
    )
)
def inline_policy_is_not_administrator(target: Resource) -> Iterator[str]:
    """No statement of an inline policy allows every action on every resource."""
    yield from _everything(target)


@resource_rule(
    Control(
        "IAM.2",
        "IAM users should not have IAM policies attached",
        Severity.LOW,
        (USER_POLICY, USER_POLICY_ATTACHMENT, POLICY_ATTACHMENT),
        "user policies and attachments",
        nist=Nist.PRIVILEGE,
    )
)
def no_policy_on_a_user(target: Resource) -> Iterator[str]:
    """Permissions go to roles; a user gets them through a group or by assuming a role."""
    if target.type != POLICY_ATTACHMENT or target.get("users"):
        yield "a policy is attached to a user: attach it to a role"


@resource_rule(
    Control(
        "IAM.21",
        "IAM customer managed policies that you create should not allow wildcard actions for services",
        Severity.LOW,
        (MANAGED_POLICY,),
        "policy document",
        nist=Nist.PRIVILEGE,
    )
)
def managed_policy_names_its_actions(policy: Resource) -> Iterator[str]:
    """No `service:*` in a customer managed policy."""
    yield from _whole_services(policy)


@resource_rule(
    Control(
        "MLP.IAM.2",
        "Inline policies do not allow wildcard actions for services",
        Severity.MEDIUM,
        INLINE,
        "inline policy documents",
        source=Source.MLP,
        nist=Nist.PRIVILEGE,
    )
)
def inline_policy_names_its_actions(target: Resource) -> Iterator[str]:
    """No `service:*` in an inline policy."""
    yield from _whole_services(target)


@resource_rule(
    Control(
        "KMS.1",
        "IAM customer managed policies should not allow decryption actions on all KMS keys",
        Severity.MEDIUM,
        (MANAGED_POLICY,),
        "policy document",
        nist=Nist.PRIVILEGE,
    )
)
def managed_policy_does_not_decrypt_everything(policy: Resource) -> Iterator[str]:
    """kms:Decrypt and kms:ReEncryptFrom name their keys in customer managed policies."""
    yield from _decrypts_everything(policy)


@resource_rule(
    Control(
        "KMS.2",
        "IAM principals should not have IAM inline policies that allow decryption actions on all KMS keys",
        Severity.MEDIUM,
        INLINE,
        "inline policy documents",
        nist=Nist.PRIVILEGE,
    )
)
def inline_policy_does_not_decrypt_everything(target: Resource) -> Iterator[str]:
    """kms:Decrypt and kms:ReEncryptFrom name their keys in inline policies."""
    yield from _decrypts_everything(target)


@resource_rule(
    Control(
        "IAM.27",
        "IAM identities should not have the AWSCloudShellFullAccess policy attached",
        Severity.MEDIUM,
        (ROLE_POLICY_ATTACHMENT,),
        "policyArn",
        source=Source.SECURITY_HUB,
        nist=Nist.PRIVILEGE,
    )
)
def no_cloud_shell(attachment: Resource) -> Iterator[str]:
    """No role gets a shell with its permissions."""
    if attachment.get("policyArn", "").endswith("policy/AWSCloudShellFullAccess"):
        yield "AWSCloudShellFullAccess is attached"


@resource_rule(
    Control(
        "MLP.IAM.3",
        "No role has one of AWS's broad managed policies",
        Severity.HIGH,
        (ROLE_POLICY_ATTACHMENT, ROLE),
        "policyArn, managedPolicyArns",
        source=Source.MLP,
        nist=Nist.PRIVILEGE,
    )
)
def no_broad_managed_policy(target: Resource) -> Iterator[str]:
    """None of the administrator policies, and none that ends in FullAccess."""
    arns: Any = target.get("managedPolicyArns", []) if target.type == ROLE else [target.get("policyArn", "")]
    for arn in arns:
        account, _, name = arn.rpartition(":policy/")
        name = name.rpartition("/")[2]
        if account.endswith(":aws") and (name in BROAD_MANAGED_POLICIES or name.endswith("FullAccess")):
            yield f"{name} is attached: write a policy that names what the role needs"


@resource_rule(
    Control(
        "MLP.IAM.4",
        "A policy allows '*' as its resource only for actions that have no resource level",
        Severity.HIGH,
        IDENTITY,
        "policy documents, against AWS's list of actions (policies/rules/iam_actions.json)",
        source=Source.MLP,
        nist=Nist.PRIVILEGE,
    )
)
def wildcard_resource_only_where_there_is_no_other(target: Resource) -> Iterator[str]:
    """An action that AWS can restrict to resources is restricted, by a resource or by a condition that names some."""
    for statement in _grants(target):
        if not any(map(any_resource, statement.resources)) or _scoped(statement):
            continue
        for action in statement.actions:
            if complaint := _needs_a_resource(action):
                yield f"{statement.label}: {complaint}"


def _scoped(statement: Statement) -> bool:
    return any(
        key.startswith(SCOPING_KEYS)
        and not operator.endswith("ifexists")
        and not operator.startswith("forallvalues")
        and "not" not in operator
        and operator != "null"
        and all(value.strip("*?") for value in values)
        for operator, key, values in statement.conditions
    )


@cache
def _actions() -> dict[str, dict[str, list[str]]]:
    return json.loads(files("policies.rules").joinpath("iam_actions.json").read_text("utf-8"))


def _needs_a_resource(pattern: str) -> str:
    service, colon, _ = pattern.lower().partition(":")
    if not colon or service not in _actions():
        return f"{pattern} on '*': iam_actions.json has no service {service!r}, so name the resources"
    for name in _actions()[service]["resource"]:
        if matches_action(pattern, f"{service}:{name}"):
            return f"{service}:{name} can be restricted to resources, but is allowed on '*'"
    return ""


@resource_rule(
    Control(
        "MLP.IAM.5",
        "Allow statements name what they allow: no NotAction, no NotResource",
        Severity.MEDIUM,
        IDENTITY,
        "policy documents",
        source=Source.MLP,
        nist=Nist.PRIVILEGE,
    )
)
def allows_by_name(target: Resource) -> Iterator[str]:
    """Everything but something grows by itself whenever AWS adds an action or somebody a resource."""
    for statement in _grants(target):
        if statement.not_actions:
            yield f"{statement.label} allows everything except NotAction"
        if statement.not_resources:
            yield f"{statement.label} allows on everything except NotResource"


@resource_rule(
    Control(
        "MLP.IAM.6",
        "A role is not assumable by everyone",
        Severity.CRITICAL,
        (ROLE,),
        "assumeRolePolicy's principals",
        source=Source.MLP,
        nist=Nist.NETWORK,
    )
)
def is_not_assumable_by_everyone(role: Resource) -> Iterator[str]:
    """No trust statement is open to everyone without a condition that names the callers."""
    for statement in statements(role.get("assumeRolePolicy")):
        if statement.public:
            yield f"{statement.label} of the trust policy is open to everyone"


@resource_rule(
    Control(
        "MLP.IAM.7",
        "A service assumes a role only on behalf of a known account or resource",
        Severity.MEDIUM,
        (ROLE,),
        "assumeRolePolicy's conditions for service principals",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.PRIVILEGE,
    )
)
def no_confused_deputy(role: Resource) -> Iterator[str]:
    """A service principal's trust carries aws:SourceAccount or aws:SourceArn (IAM, "The confused deputy problem")."""
    for statement in statements(role.get("assumeRolePolicy")):
        services = [name for kind, name in statement.principals if kind == "Service"]
        if statement.allows and services and not statement.restricted:
            yield f"{statement.label} trusts {services[0]} on anybody's behalf: add aws:SourceAccount"
