"""The README's tables are current, and no control is both judged and excused."""

import os

from policies.catalog import RULES
from policies.tables import README, not_judged, updated

REGENERATE = "MLP_REGENERATE_GOLDEN"


def test_the_readme_is_current() -> None:
    if os.environ.get(REGENERATE):
        README.write_text(updated(README.read_text("utf-8")), "utf-8")
    text = README.read_text("utf-8")

    assert text == updated(text), f"set {REGENERATE}=1 to write the tables anew"


def test_no_control_is_both_judged_and_excused() -> None:
    judged = {rule.control.id for rule in RULES}

    assert judged.isdisjoint(each["control"] for each in not_judged())


def test_every_excuse_has_its_section_and_a_note() -> None:
    assert {each["why"] for each in not_judged()} == {"account", "runtime", "type", "choice"}
    assert all(each["note"] and each["title"] for each in not_judged())
