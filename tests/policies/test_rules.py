"""Every rule against its cases: passes, fails by one attribute, and says nothing where it cannot know."""

from collections import Counter
from typing import Any

import pytest

from policies.catalog import RULES
from policies.evaluation import evaluate
from tests.policies.cases import CASES
from tests.policies.cases._case import Case, Entry, Verdict, as_text

BY_ID = {rule.control.id: rule for rule in RULES}
WITH_REFERENCE = [case for case in CASES if case.reference]
KNOWABLE = [case for case in CASES if case.attribute != "protect"]


def verdict(control: str, entries: list[Entry]) -> Verdict:
    """What the one rule says about the stack."""
    findings = evaluate(entries, [BY_ID[control]])
    if any(not finding.undecided for finding in findings):
        return "fails"
    return "undecided" if findings else "passes"


def test_every_rule_has_a_case() -> None:
    assert {case.control for case in CASES} == BY_ID.keys()


def test_control_ids_are_unique() -> None:
    assert not [control for control, count in Counter(rule.control.id for rule in RULES).items() if count > 1]


def test_every_rule_that_needs_a_companion_has_a_case_without_it() -> None:
    # S3.6 judges the policy itself and RDS.46 an optional chain: neither demands a companion.
    demanding = {rule.control.id for rule in RULES if rule.check_in_stack} - {"S3.6", "RDS.46"}

    assert {case.control for case in WITH_REFERENCE} == demanding


@pytest.mark.parametrize("form", [list, as_text], ids=["objects", "text"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_one_attribute_turns_the_verdict(case: Case, form: Any) -> None:
    assert verdict(case.control, form(case.passing())) == "passes"
    assert verdict(case.control, form(case.failing())) == "fails"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_missing_attribute_means_what_aws_takes_it_for(case: Case) -> None:
    assert verdict(case.control, as_text(case.without_attribute())) == case.missing


@pytest.mark.parametrize("case", KNOWABLE, ids=str)
def test_an_unknown_attribute_is_neither_a_finding_nor_a_pass(case: Case) -> None:
    assert verdict(case.control, as_text(case.with_unknown())) == "undecided"


@pytest.mark.parametrize("case", WITH_REFERENCE, ids=str)
def test_a_missing_companion_is_a_finding(case: Case) -> None:
    assert verdict(case.control, as_text(case.without_companion())) == "fails"


@pytest.mark.parametrize("case", WITH_REFERENCE, ids=str)
def test_an_unknown_reference_is_resolved_by_its_dependency_or_not_at_all(case: Case) -> None:
    assert verdict(case.control, as_text(case.with_unknown_reference(dependency=True))) == "passes"
    assert verdict(case.control, as_text(case.with_unknown_reference(dependency=False))) == "undecided"


@pytest.mark.parametrize("case", WITH_REFERENCE, ids=str)
def test_an_id_that_the_engine_does_not_tell_is_resolved_by_the_dependency(case: Case) -> None:
    assert verdict(case.control, as_text(case.with_untold_id(dependency=True))) == "passes"
    assert verdict(case.control, as_text(case.with_untold_id(dependency=False))) == "fails"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_rule_ignores_other_types(case: Case) -> None:
    other = [{**each, "type": "aws:x/y:Z"} for each in case.failing()]

    assert verdict(case.control, as_text(other)) == "passes"
