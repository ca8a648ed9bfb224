"""The coverage page tells what is there."""

from infra.local import coverage


def test_the_coverage_page_is_current() -> None:
    assert coverage.PATH.read_text(encoding="utf-8") == coverage.render(), "run `python -m infra.local.coverage`"
