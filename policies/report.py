"""What the findings mean: a verdict, a table for people and a document for machines."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from policies.catalog import RULES
from policies.controls import Level
from policies.evaluation import Finding
from policies.exemptions import Exemption, Problem, problems


@dataclass(frozen=True)
class Report:
    """Findings sorted out by what becomes of them."""

    violations: tuple[Finding, ...]
    """Decided findings that no exemption accepts, mandatory ones first."""
    exempted: tuple[tuple[Finding, Exemption], ...]
    undecided: tuple[Finding, ...]
    """Controls that a value not known yet kept from being judged."""
    exemption_problems: tuple[Problem, ...]

    @property
    def violated(self) -> bool:
        """Whether something mandatory stands in the way."""
        return any(each.level is Level.MANDATORY for each in (*self.violations, *self.exemption_problems))

    @property
    def clean(self) -> bool:
        """Whether there is nothing at all to do: no violation, no advice, no exemption to mend."""
        return not self.violations and not self.exemption_problems

    def render(self) -> str:
        """The report as plain text: what to do first, what is accepted and why, and a last line of counts."""
        sections = [
            _section(
                "Findings",
                ("level", "severity", "control", "resource", "what"),
                [
                    (each.level, each.control.severity, each.control.id, each.name, each.message)
                    for each in self.violations
                ],
            ),
            _section(
                "Exemptions to mend",
                ("level", "control", "environments", "resource", "what"),
                [
                    (
                        each.level,
                        each.exemption.control,
                        ", ".join(each.exemption.environments),
                        each.exemption.resource,
                        each.message,
                    )
                    for each in self.exemption_problems
                ],
            ),
            _section(
                "Exempted",
                ("control", "resource", "until", "why"),
                [
                    (finding.control.id, finding.name, f"{exemption.expires or 'always'}", exemption.reason)
                    for finding, exemption in self.exempted
                ],
            ),
        ]
        return "\n\n".join([*filter(None, sections), self._summary()])

    def _summary(self) -> str:
        levels = Counter(each.level for each in self.violations)
        return (
            f"{len(RULES)} controls: {levels[Level.MANDATORY]} mandatory findings, {levels[Level.ADVISORY]} advisory, "
            f"{len(self.exempted)} exempted, {len(self.undecided)} undecided, "
            f"{len(self.exemption_problems)} exemptions to mend"
        )

    def document(self) -> dict[str, Any]:
        """The report as one JSON document."""
        return {
            "violated": self.violated,
            "controls": len(RULES),
            "violations": [_finding(each) for each in self.violations],
            "exempted": [
                {**_finding(finding), "exemption": exemption.model_dump(mode="json")}
                for finding, exemption in self.exempted
            ],
            "undecided": [_finding(each) for each in self.undecided],
            "exemptions": [
                {
                    "level": each.level.value,
                    "message": each.message,
                    "exemption": each.exemption.model_dump(mode="json"),
                }
                for each in self.exemption_problems
            ],
        }


def report(
    findings: Iterable[Finding],
    exemptions: Sequence[Exemption] = (),
    *,
    environments: Collection[str] = (),
    judged: Collection[str] | None = None,
    preview: bool = True,
    today: date | None = None,
) -> Report:
    """Sort findings out.

    An exemption that matches nothing is to be mended when it is for one of `environments` (and those that findings
    name) and for one of the controls that had something to judge, `judged`: all of them when left out. In a preview
    undecided controls are counted only; afterwards they are advice. `today` is the day that expiry is judged on: the
    current one, UTC, when left out.
    """
    found = list(findings)
    day = today or datetime.now(UTC).date()
    open_findings: list[Finding] = []
    exempted: list[tuple[Finding, Exemption]] = []
    for finding in found:
        exemption = next((each for each in exemptions if each.accepts(finding) and each.holds(day)), None)
        if exemption is None:
            open_findings.append(finding)
        elif not finding.undecided:
            exempted.append((finding, exemption))
    controls = {rule.control.id for rule in RULES}
    violations = [each for each in open_findings if not (each.undecided and preview)]
    return Report(
        violations=tuple(sorted(violations, key=lambda each: each.level is Level.ADVISORY)),
        exempted=tuple(exempted),
        undecided=tuple(each for each in open_findings if each.undecided),
        exemption_problems=tuple(
            problems(
                exemptions,
                found,
                controls=controls,
                judged=controls if judged is None else judged,
                environments={*environments, *(each.environment for each in found)},
                today=day,
            )
        ),
    )


def _finding(finding: Finding) -> dict[str, str]:
    control = finding.control
    return {
        "control": control.id,
        "title": control.title,
        "severity": control.severity.value,
        "level": finding.level.value,
        "urn": finding.urn,
        "environment": finding.environment,
        "message": finding.message,
    }


def _section(title: str, header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header) - 1)]
    lines = ["  ".join([*map(str.ljust, row[:-1], widths), row[-1]]) for row in (header, *rows)]
    return "\n".join([title, *(f"  {line}" for line in lines)])
