import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.naming import BUDGETS, bucket_name, fixed_name, parameter_name, repository_name

words = st.from_regex(r"[a-z0-9](-?[a-z0-9]){0,40}", fullmatch=True)
kinds = st.sampled_from(sorted(BUDGETS))


@given(kinds, st.lists(words, min_size=1, max_size=6))
def test_a_name_fits_its_budget_and_keeps_its_form(kind: str, parts: list[str]) -> None:
    name = fixed_name(kind, *parts)
    assert len(name) <= BUDGETS[kind].length
    assert name.startswith("mlp-")
    assert not name.endswith("-")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(kinds, st.lists(words, min_size=1, max_size=6), st.lists(words, min_size=1, max_size=6))
def test_different_parts_give_different_names(kind: str, first: list[str], second: list[str]) -> None:
    same = "-".join(first) == "-".join(second)
    assert (fixed_name(kind, *first) == fixed_name(kind, *second)) == same


@given(words, words)
def test_a_bucket_keeps_account_and_region_however_long_the_rest(environment: str, role: str) -> None:
    name = bucket_name(environment, role, account_id="123456789012", region="ap-northeast-1")
    assert len(name) <= 63
    assert name.endswith("-123456789012-ap-northeast-1")


@pytest.mark.parametrize("part", ["", "Upper", "under_score", "-dash", "dash-", "two--dashes", "slash/"])
def test_a_part_that_would_spoil_a_name_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="use lower case letters, digits and single inner hyphens"):
        fixed_name("endpoint", part)


def test_suffixes_that_leave_no_room_are_refused() -> None:
    with pytest.raises(ValueError, match="leave no room in the 63 characters"):
        fixed_name("endpoint", "local", suffixes=("a" * 60,))


@pytest.mark.parametrize("kind", [kind for kind, budget in BUDGETS.items() if budget.shape is not None])
def test_a_budget_is_the_one_in_the_service_model(kind: str) -> None:
    budget = BUDGETS[kind]
    assert budget.shape is not None
    shape = botocore.session.get_session().get_service_model(budget.service).shape_for(budget.shape)
    assert shape.metadata["max"] == budget.length


def test_names_read_as_they_are_made() -> None:
    assert fixed_name("endpoint", "local", "serving") == "mlp-local-serving"
    assert repository_name("local", "training") == "mlp-local/training"
    assert parameter_name("local", "serving", "release") == "/mlp/local/serving/release"
