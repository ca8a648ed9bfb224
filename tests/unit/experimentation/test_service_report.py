import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from pipelines.experimentation.decision import Ledger
from pipelines.experimentation.report import charts, page
from tests.unit.experimentation.test_decision import DAY, START, declared, recorded
from tests.unit.experimentation.test_decision_interleaved import declared as interleaving
from tests.unit.experimentation.test_decision_interleaved import recorded as impressions


def rendered(days: float = 14, **data: float) -> tuple[str, Ledger]:
    declaration = declared()
    ledger = Ledger.start(declaration, START).take_look(declaration, recorded(**data), START + days * DAY)  # pyright: ignore[reportArgumentType]: numbers by name
    return page.render(declaration, ledger, None, START + 20 * DAY), ledger


def test_the_verdict_comes_first_in_a_sentence() -> None:
    html, ledger = rendered(lift=0.06)
    assert ledger.verdict == "ship"
    text = re.sub(r"<[^>]+>|\s+", " ", html.split("<body>")[1])
    assert text.index("Ship treatment.") < text.index("Conversion was") < text.index("Hypothesis")
    assert "Not approved yet; ann may approve." in html


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"errors": 0.2}, "Roll back to control."),
        ({"share": 0.6}, "No conclusion: the data cannot be trusted."),
        ({"lift": -0.08}, "Keep control."),
        ({"units": 600}, "Keep running: nothing is decided yet."),
    ],
)
def test_every_verdict_has_its_headline(data: dict[str, float], said: str) -> None:
    assert said in rendered(**data)[0]


def test_no_effect_is_shown_when_the_data_cannot_be_trusted() -> None:
    html, ledger = rendered(share=0.6)
    assert ledger.verdict == "invalid"
    assert "Effect on" not in html
    assert "Looks at" not in html


def test_the_page_fetches_nothing() -> None:
    fetched = list[str]()

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            fetched.extend(tag for name, _ in attrs if name in {"src", "href", "data", "srcset", "action"})
            fetched.extend([tag] if tag in {"script", "link", "iframe", "object"} else [])

    html, _ = rendered(lift=0.06)
    Links().feed(html)
    assert fetched == []
    assert "url(" not in html
    assert "@import" not in html


def test_what_people_wrote_cannot_become_markup() -> None:
    declaration = declared(hypothesis="<script>alert(1)</script> will make it better", owner="<b>me</b>")
    html = page.render(declaration, Ledger.start(declaration, START), None, START)
    assert "<script>" not in html
    assert "<b>" not in html
    assert "Running: no look was taken yet." in html


def test_an_interleaving_speaks_of_lists_and_credit_not_of_split_units() -> None:
    declaration = interleaving()
    ledger = Ledger.start(declaration, START).take_look(declaration, impressions(lift=0.2), START + 8 * DAY)
    text = re.sub(r"<[^>]+>|\s+", " ", page.render(declaration, ledger, None, START + 9 * DAY).split("<body>")[1])
    assert "Ship new." in text
    assert "Clicks on merged lists credited new with" in text
    assert "The coin that decides which ranker begins a list looks fair" in text
    assert " units" not in text
    assert "split" not in text


def test_advice_to_stop_is_headed_as_advice_and_has_its_line_in_the_chart() -> None:
    futility = {"spending": {"kind": "pocock"}}
    declaration = declared(design={"kind": "group-sequential", "looks": [0.5, 1.0], "futility": futility})
    ledger = Ledger.start(declaration, START).take_look(declaration, recorded(6_000, seed=4), START + 8 * DAY)
    html = page.render(declaration, ledger, None, START + 9 * DAY)
    assert "Better stop and keep control." in html
    assert "Advice, not a must" in html
    assert 'class="futility mark"' in html
    approved = page.render(declaration, ledger.approve("ann", START + 8 * DAY), None, START + 9 * DAY)
    assert "Advice, not a must" not in approved
    assert "futility" not in rendered()[0].split("<body>")[1]


@pytest.mark.parametrize(
    "chart",
    [
        charts.effects([charts.Interval("a<b", 0.0, None, None)], 0.0, "points"),
        charts.effects([charts.Interval("a", 1e-9, -1e-9, 2e-9), charts.Interval("b", 3.0, 1.0, 1e6)], -0.1, "points"),
        charts.looks([charts.Line("path", [(0.0, 0.0), (1.7, 40.0)], marks=True)], "x", "y"),
        charts.meters([("m", -3.0, False), ("n", 90.0, True)], "limit"),
        charts.shares([("control", 0, 0.5), ("treatment", 0, 0.5)], "units"),
    ],
)
def test_charts_of_odd_numbers_are_well_formed_and_stay_in_their_frame(chart: str) -> None:
    root = ET.fromstring(chart)  # noqa: S314 - our own
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for element in root.iter():
        for name, limit in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("cy", height), ("y", height)):
            if name in element.attrib:
                assert 0 <= float(element.attrib[name]) <= limit, (element.tag, element.attrib)
