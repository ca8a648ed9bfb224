"""IAM policy documents: every legal shape reads the same, and matching is IAM's."""

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.documents import (
    MalformedError,
    Statement,
    any_of_kind,
    any_resource,
    any_service,
    matches,
    matches_action,
    statements,
    whole_service,
)
from policies.unknown import Undecidable, Unknown

PLAIN = st.text("abAB:/-.$[(^", max_size=8)
PATTERN = st.text("abAB:/-.$[(^*?", max_size=8)
WORD = st.text("abcdef", min_size=1, max_size=6)


def one(**elements: Any) -> Statement:
    (found,) = statements({"Statement": {"Effect": "Allow", **elements}})
    return found


@given(PLAIN)
def test_a_pattern_without_wildcards_matches_itself_only(text: str) -> None:
    assert matches(text, text)
    assert not matches(text, f"{text}x")


@given(PATTERN)
def test_a_star_matches_every_text(text: str) -> None:
    assert matches("*", text)


@given(PATTERN, PLAIN)
def test_only_star_and_question_mark_are_special(pattern: str, text: str) -> None:
    assert matches(pattern, text) == fnmatchcase(text, pattern.replace("[", "[[]"))


@given(PATTERN, PLAIN, PLAIN)
def test_a_star_more_never_matches_less(pattern: str, text: str, tail: str) -> None:
    if matches(pattern, text):
        assert matches(f"{pattern}*", text + tail)


@given(PATTERN, PLAIN)
def test_actions_ignore_case(pattern: str, action: str) -> None:
    assert matches_action(pattern.upper(), action.lower()) == matches_action(pattern, action)


@given(st.lists(PATTERN, min_size=1, max_size=3), PLAIN)
def test_not_action_and_not_resource_are_the_complements(patterns: list[str], text: str) -> None:
    assert one(Action=patterns).matches_action(text) != one(NotAction=patterns).matches_action(text)
    assert one(Resource=patterns).matches_resource(text) != one(NotResource=patterns).matches_resource(text)


@given(WORD, WORD, st.sampled_from(["Allow", "Deny"]))
def test_single_items_lists_objects_and_text_read_the_same(action: str, resource: str, effect: str) -> None:
    single = {"Effect": effect, "Action": action, "Resource": resource, "Principal": {"AWS": "1"}}
    listed = {"Effect": effect, "Action": [action], "Resource": [resource], "Principal": {"AWS": ["1"]}}
    forms = [{"Statement": single}, {"Statement": [listed]}, json.dumps({"Statement": [single]})]

    assert len({tuple(statements(form)) for form in forms}) == 1


@pytest.mark.parametrize("absent", [None, "", {}, {"Version": "2012-10-17"}])
def test_an_absent_document_has_no_statements(absent: object) -> None:
    assert statements(absent) == []


@pytest.mark.parametrize("text", ["{", "not json", "[]", '"text"', "3"])
def test_text_that_is_no_document_is_said_to_be_none(text: str) -> None:
    with pytest.raises(MalformedError):
        statements(text)


@pytest.mark.parametrize("key", ["Effect", "Action", "Resource", "Principal", "Condition"])
def test_an_unknown_element_makes_a_document_undecidable(key: str) -> None:
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", key: Unknown(key)}

    with pytest.raises(Undecidable, match=key):
        statements({"Statement": [statement]})


@pytest.mark.parametrize(
    "principal",
    ["*", {"AWS": "*"}, {"AWS": ["arn:aws:iam::1:root", "*"]}],
)
def test_every_spelling_of_everyone_is_everyone(principal: object) -> None:
    assert one(Principal=principal, Action="s3:*").public


def test_everyone_but_one_is_everyone() -> None:
    assert one(NotPrincipal={"AWS": "1"}, Action="s3:*").public


@pytest.mark.parametrize("principal", [{"AWS": "1"}, {"Service": "s3.amazonaws.com"}, {"Federated": "idp"}])
def test_a_named_principal_is_not_everyone(principal: object) -> None:
    assert not one(Principal=principal, Action="s3:*").public


@pytest.mark.parametrize(
    ("condition", "restricts"),
    [
        ({"StringEquals": {"aws:PrincipalOrgID": "o-1"}}, True),
        ({"stringequals": {"AWS:SourceAccount": ["1", "2"]}}, True),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-1/*"}}, True),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::lake"}}, True),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": "o-1/"}}, False),
        ({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}, False),
        ({"StringLike": {"aws:PrincipalArn": "*"}}, False),
        ({"StringEquals": {"aws:SourceAccount": ["1", "*"]}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, False),
        ({}, False),
    ],
)
def test_a_condition_restricts_everyone_only_when_it_names_the_callers(condition: object, *, restricts: bool) -> None:
    assert one(Principal="*", Action="s3:*", Condition=condition).public is not restricts


def test_condition_values_that_are_not_text_read_as_aws_reads_them() -> None:
    statement = one(Condition={"Bool": {"aws:SecureTransport": False}, "NumericLessThan": {"s3:max-keys": 10}})

    assert statement.conditions == (
        ("bool", "aws:securetransport", ("false",)),
        ("numericlessthan", "s3:max-keys", ("10",)),
    )


@pytest.mark.parametrize(
    ("pattern", "service", "everything"),
    [
        ("*", False, True),
        ("*:*", False, True),
        ("s3:*", True, False),
        ("s3:**", True, False),
        ("s3:Get*", False, False),
    ],
)
def test_action_patterns_are_told_apart(pattern: str, *, service: bool, everything: bool) -> None:
    assert whole_service(pattern) is service
    assert any_service(pattern) is everything


@pytest.mark.parametrize(
    ("pattern", "wild"),
    [
        ("*", True),
        ("arn:aws:s3:::*", True),
        ("arn:*:*:*:*:*", True),
        ("arn:aws:kms:eu-west-1:123456789012:*", False),
        ("arn:aws:s3:::lake", False),
        ("arn:aws:s3:::lake/*", False),
    ],
)
def test_a_resource_pattern_that_names_nothing_is_a_wildcard(pattern: str, *, wild: bool) -> None:
    assert any_resource(pattern) is wild


@pytest.mark.parametrize(
    ("pattern", "every"),
    [
        ("*", True),
        ("arn:aws:kms:*:*:key/*", True),
        ("arn:aws:kms:eu-west-1:123456789012:key/*", True),
        ("arn:aws:kms:eu-west-1:123456789012:*", True),
        ("arn:aws:kms:eu-west-1:123456789012:key/1234", False),
        ("arn:aws:kms:eu-west-1:123456789012:key/12*", False),
        ("arn:aws:kms:eu-west-1:123456789012:alias/*", False),
    ],
)
def test_all_keys_are_told_from_some(pattern: str, *, every: bool) -> None:
    assert any_of_kind(pattern, "key") is every
