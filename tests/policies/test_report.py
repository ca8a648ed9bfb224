"""Exemptions and the report: what is accepted is still shown, and an exemption has to earn its place."""

import json
from datetime import date
from pathlib import Path

import pytest

from policies.controls import Level
from policies.evaluation import Finding, evaluate
from policies.evaluation import judged as judged_controls
from policies.exemptions import Exemption, read
from policies.report import Report, report
from policies.rules import kms, s3, sagemaker
from tests.policies.cases._case import UNKNOWN, Entry, entry

TODAY = date(2026, 1, 15)


def key(**properties: object) -> Entry:
    tags = {
        "Project": "mlp",
        "Environment": "dev",
        "Stage": "keys",
        "Owner": "o",
        "CostCenter": "c",
        "DataClass": "d",
        "ManagedBy": "p",
    }
    return entry(kms.KEY, "keys-lake", enableKeyRotation=True, tags=tags) | {
        "properties": {"enableKeyRotation": True, "tags": tags, **properties}
    }


def judged(*exemptions: Exemption, preview: bool = False, **properties: object) -> Report:
    return report(evaluate([key(**properties)]), exemptions, environments=["dev"], preview=preview, today=TODAY)


def exempt(**fields: object) -> Exemption:
    return Exemption.model_validate({"control": "KMS.4", "resource": "keys-*", "reason": "because", **fields})


def messages(result: Report) -> list[str]:
    return [each.message for each in result.exemption_problems]


def test_a_clean_stack_is_clean() -> None:
    assert judged().clean
    assert not judged().violated


def test_a_mandatory_finding_stops_and_an_advisory_one_does_not() -> None:
    assert judged(enableKeyRotation=False).violated

    advised = judged(deletionWindowInDays=3)
    assert not advised.violated
    assert not advised.clean


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"environments": ["dev"]},
        {"environments": ["prod", "d*"]},
        {"resource": "urn:pulumi:test::*::keys-lake"},
        {"expires": TODAY},
    ],
)
def test_an_exempted_finding_is_no_violation_but_is_listed_with_its_reason(fields: dict[str, object]) -> None:
    result = judged(exempt(**fields), enableKeyRotation=False)

    assert result.clean
    assert [(finding.control.id, exemption.reason) for finding, exemption in result.exempted] == [("KMS.4", "because")]
    assert "because" in result.render()


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"reason": "  "}, "it gives no reason"),
        ({"expires": date(2026, 1, 14)}, "it expired on 2026-01-14"),
        ({"control": "KMS.44"}, "there is no control 'KMS.44'"),
    ],
)
def test_an_exemption_that_does_not_hold_is_a_finding_and_accepts_nothing(
    fields: dict[str, object], problem: str
) -> None:
    result = judged(exempt(**fields), enableKeyRotation=False)

    assert result.violated
    assert messages(result) == [problem]
    assert [finding.control.id for finding in result.violations] == ["KMS.4"]


def test_an_exemption_that_matches_nothing_is_to_be_mended_but_stops_nothing() -> None:
    result = judged(exempt())

    assert messages(result) == ["it matches no finding: remove it, or correct its pattern"]
    assert not result.violated
    assert not result.clean


def test_an_exemption_for_an_environment_that_was_not_judged_is_left_alone() -> None:
    assert judged(exempt(environments=["prod"])).clean


def test_an_exemption_for_what_is_not_deployed_yet_is_left_alone() -> None:
    exemption = exempt(control="SageMaker.4")

    for entries, clean in (([key()], True), ([key(), entry(sagemaker.ENDPOINT_CONFIGURATION, "it")], False)):
        result = report([], [exemption], environments=["dev"], judged=judged_controls(entries), today=TODAY)
        assert result.clean is clean


def test_an_exemption_for_what_cannot_be_decided_yet_is_not_stale() -> None:
    assert judged(exempt(), enableKeyRotation=UNKNOWN, preview=True).exemption_problems == ()


def test_undecided_controls_are_counted_in_a_preview_and_advice_afterwards() -> None:
    before = judged(enableKeyRotation=UNKNOWN, preview=True)
    after = judged(enableKeyRotation=UNKNOWN)

    assert before.clean
    assert [finding.control.id for finding in before.undecided] == ["KMS.4"]
    assert [(finding.control.id, finding.level) for finding in after.violations] == [("KMS.4", Level.ADVISORY)]
    assert not after.violated


def test_the_environment_is_the_tag_or_else_the_stack() -> None:
    findings = evaluate([key(enableKeyRotation=False), entry(s3.BUCKET, "lake", bucket="lake")])

    assert {(finding.name, finding.environment) for finding in findings} == {("keys-lake", "dev"), ("lake", "test")}


def test_mandatory_findings_come_first() -> None:
    levels = [finding.level for finding in judged(enableKeyRotation=False, deletionWindowInDays=3).violations]

    assert levels == [Level.MANDATORY, Level.ADVISORY]


def test_the_document_is_json_and_says_what_the_table_says() -> None:
    result = judged(exempt(control="MLP.KMS.1"), enableKeyRotation=False, deletionWindowInDays=3)
    document = json.loads(json.dumps(result.document()))

    assert document["violated"] is True
    assert [each["control"] for each in document["violations"]] == ["KMS.4"]
    assert [each["exemption"]["reason"] for each in document["exempted"]] == ["because"]
    assert "KMS.4" in result.render()
    assert "1 mandatory findings, 0 advisory, 1 exempted" in result.render()


def test_a_malformed_policy_document_is_a_finding() -> None:
    findings = evaluate([key(policy="{")])

    assert any("cannot be read" in finding.message and not finding.undecided for finding in findings)


def test_a_violation_seen_before_something_unknown_is_kept() -> None:
    entries = [
        entry(s3.BUCKET, "lake", bucket="lake"),
        entry(s3.PUBLIC_ACCESS_BLOCK, "block", bucket="lake", blockPublicAcls=False, blockPublicPolicy=UNKNOWN),
    ]
    found: list[Finding] = [each for each in evaluate(entries) if each.control.id == "S3.8"]

    assert [each.undecided for each in found] == [False, True]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("- resource: x", "0.control: Field required"),
        ("- {control: S3.9, resource: x, resaon: y}", "0.resaon: Extra inputs are not permitted, got 'y'"),
        ("- {control: S3.9, resource: x, expires: soon}", "0.expires"),
        ("control: S3.9", "the file: Input should be a valid list"),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "exemptions.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(ValueError, match=r"exemptions\.yaml") as error:
        read(path)

    assert complaint in str(error.value)


def test_an_empty_file_exempts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "exemptions.yaml"
    path.write_text("# nothing\n", "utf-8")

    assert read(path) == []


def test_every_exemption_of_the_platform_gives_a_reason() -> None:
    assert all(exemption.reason for exemption in read())
