"""The pack's policies, called as the SDK's server calls them."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyCustomTimeouts,
    PolicyResource,
    PolicyResourceOptions,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
)
from pulumi_policy.proxy import unknown_checking_proxy

from policies.__main__ import Pack
from policies.catalog import RULES
from policies.exemptions import Exemption
from policies.rules import kms
from tests.policies.cases._case import UNKNOWN

OPTIONS = PolicyResourceOptions(
    protect=True,
    ignore_changes=[],
    delete_before_replace=None,
    aliases=[],
    custom_timeouts=PolicyCustomTimeouts(0, 0, 0),
    additional_secret_outputs=[],
    parent=None,
)
URN = "urn:pulumi:prod::mlp::aws:kms/key:Key::key"
EXEMPTION = Exemption(control="KMS.4", resource="key", reason="because")


def policy(name: str, *exemptions: Exemption) -> Policy:
    (found,) = [each for each in Pack(RULES, list(exemptions)).policies() if each.name == name]
    return found


def said(name: str, *exemptions: Exemption, **properties: Any) -> list[tuple[str, str | None]]:
    """What one policy reports about a key with these properties."""
    found: list[tuple[str, str | None]] = []
    judging = policy(name, *exemptions)
    validate: Callable[[Any, ReportViolation], object] = getattr(judging, "validate")  # noqa: B009 - its own type is partly unknown
    properties = unknown_checking_proxy(properties)
    if isinstance(judging, ResourceValidationPolicy):
        args = ResourceValidationArgs(kms.KEY, properties, URN, "key", OPTIONS, None)
        validate(args, lambda message, urn: found.append((message, urn)))
    else:
        resource = PolicyResource(kms.KEY, properties, URN, "key", OPTIONS, None, None, [], {})
        validate(StackValidationArgs([resource]), lambda message, urn: found.append((message, urn)))
    return found


def test_every_rule_is_a_policy_of_its_own_level() -> None:
    policies = {each.name: each for each in Pack(RULES, []).policies()}

    for rule in RULES:
        found = policies[rule.control.id]
        assert found.enforcement_level is not None
        assert (found.enforcement_level.value, found.description) == (rule.control.level.value, rule.control.title)
    assert len(policies) == len(RULES) + 3


def test_a_violation_is_reported_on_its_resource() -> None:
    assert said("KMS.4", enableKeyRotation=False) == [("enableKeyRotation is not true", URN)]


def test_an_exempted_violation_is_not_reported() -> None:
    assert said("KMS.4", EXEMPTION, enableKeyRotation=False) == []


def test_an_unknown_value_is_not_reported_by_the_rule() -> None:
    assert said("KMS.4", enableKeyRotation=UNKNOWN) == []


@pytest.mark.parametrize(("dry_run", "expected"), [(True, 0), (False, 1)])
def test_what_is_unknown_is_advice_only_after_an_update(
    monkeypatch: pytest.MonkeyPatch, *, dry_run: bool, expected: int
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: dry_run)
    tags = dict.fromkeys(("Project", "Environment", "Stage", "Owner", "CostCenter", "DataClass", "ManagedBy"), "x")

    assert len(said("MLP.Undecided", enableKeyRotation=UNKNOWN, tags=tags)) == expected
    assert policy("MLP.Undecided").enforcement_level is EnforcementLevel.ADVISORY


def test_an_exemption_without_a_reason_is_mandatory_and_a_stale_one_advice() -> None:
    nameless = Exemption(control="KMS.4", resource="key")

    assert said("MLP.Exemptions.mandatory", nameless, enableKeyRotation=False) == [
        ("KMS.4 of key: it gives no reason", None)
    ]
    assert said("MLP.Exemptions.advisory", EXEMPTION, enableKeyRotation=False) == []
    assert said("MLP.Exemptions.advisory", EXEMPTION, enableKeyRotation=True) == [
        ("KMS.4 of key: it matches no finding: remove it, or correct its pattern", None)
    ]
