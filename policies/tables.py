"""The tables of the README: what is judged, and what is not and why. Rendered from the rules, so they cannot drift."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from policies.catalog import RULES
from policies.controls import NIST_REQUIREMENTS, Nist, Rule

_HERE = Path(__file__).parent
README = _HERE / "README.md"
_BEGIN, _END = "<!-- tables: begin -->", "<!-- tables: end -->"

_WHY = {
    "account": "Settings of the whole account or Region, which no stack owns",
    "runtime": "State of what runs or of who uses it, which no plan shows",
    "type": "Resource types that the platform does not use yet, or that Pulumi does not manage",
    "choice": "Decidable, and left out on purpose",
}


def not_judged() -> list[dict[str, str]]:
    """Controls of the covered services without a rule: `control`, `title`, `why` (a key of the sections), `note`."""
    with (_HERE / "not_judged.tsv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


def render() -> str:
    """All tables as Markdown."""
    requirements = [(group.value, NIST_REQUIREMENTS[group]) for group in Nist if group is not Nist.NONE]
    sections = [
        f"{len(RULES)} controls.",
        _table(("id", "title", "severity", "level", "looks at", "NIST 800-53 r5", "source"), map(_row, RULES)),
        "### NIST groups",
        _table(("group", "requirements"), requirements),
        "## What this pack does not judge",
        *_unjudged_sections(),
    ]
    return "\n\n".join(sections)


def updated(readme: str) -> str:
    """The README's text with the tables between its two markers rendered anew."""
    head, _, rest = readme.partition(_BEGIN)
    _, _, tail = rest.partition(_END)
    return f"{head}{_BEGIN}\n\n{render()}\n\n{_END}{tail}"


def _row(rule: Rule) -> tuple[str, ...]:
    control = rule.control
    nist = "" if control.nist is Nist.NONE else control.nist.value
    return (control.id, control.title, control.severity, control.level, control.looks_at, nist, control.source)


def _unjudged_sections() -> Iterable[str]:
    entries = not_judged()
    for why, title in _WHY.items():
        yield f"### {title}"
        yield _table(
            ("id", "title", "note"),
            ((each["control"], each["title"], each["note"]) for each in entries if each["why"] == why),
        )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
