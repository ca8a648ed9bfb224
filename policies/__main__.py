"""The policy pack: serves the rules to a deployment engine until it is stopped."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyPack,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.catalog import RULES
from policies.controls import Level, Rule
from policies.evaluation import Finding, evaluate, judge, judge_stack, judged
from policies.exemptions import Exemption, problems
from policies.exemptions import read as read_exemptions
from policies.resources import Resource, Stack
from policies.unknown import plain


class Pack:
    """The policies, built from rules and exemptions."""

    def __init__(self, rules: tuple[Rule, ...], exemptions: list[Exemption]) -> None:
        self._rules = rules
        self._exemptions = exemptions
        self._today = datetime.now(UTC).date()

    def policies(self) -> list[Policy]:
        """A policy per rule, one for what stayed undecided and two for the exemptions themselves."""
        return [
            *map(self._policy, self._rules),
            StackValidationPolicy(
                "MLP.Undecided",
                "Every control can be judged once everything is deployed",
                self._report_undecided,
                EnforcementLevel.ADVISORY,
            ),
            *(
                StackValidationPolicy(
                    f"MLP.Exemptions.{level}", title, self._exemption_check(level), EnforcementLevel(level.value)
                )
                for level, title in (
                    (Level.MANDATORY, "An exemption has a reason, has not expired and names a control"),
                    (Level.ADVISORY, "An exemption matches a finding"),
                )
            ),
        ]

    def _policy(self, rule: Rule) -> Policy:
        control = rule.control
        level, severity = EnforcementLevel(control.level.value), Severity(control.severity.value)
        if rule.check_resource is not None:

            def validate(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
                if args.resource_type in control.types:
                    self._report(judge(rule, _analyzed(args)), report_violation)

            return ResourceValidationPolicy(
                control.id, control.title, validate, enforcement_level=level, severity=severity
            )

        def validate_stack(args: StackValidationArgs, report_violation: ReportViolation) -> None:
            if any(each.resource_type in control.types for each in args.resources):
                self._report(judge_stack(rule, _stack(args)), report_violation)

        return StackValidationPolicy(control.id, control.title, validate_stack, level, severity=severity)

    def _report(self, findings: Iterable[Finding], report_violation: ReportViolation) -> None:
        for finding in findings:
            if not finding.undecided and not self._accepted(finding):
                report_violation(finding.message, finding.urn)

    def _accepted(self, finding: Finding) -> bool:
        return any(each.accepts(finding) and each.holds(self._today) for each in self._exemptions)

    def _report_undecided(self, args: StackValidationArgs, report_violation: ReportViolation) -> None:
        if pulumi.runtime.is_dry_run():
            return
        for finding in evaluate(_stack(args).resources, self._rules):
            if finding.undecided and not self._accepted(finding):
                report_violation(f"{finding.control.id}: {finding.message}", finding.urn)

    def _exemption_check(self, level: Level) -> Callable[[StackValidationArgs, ReportViolation], None]:
        def validate(args: StackValidationArgs, report_violation: ReportViolation) -> None:
            stack = _stack(args)
            found = problems(
                self._exemptions,
                evaluate(stack.resources, self._rules),
                controls={rule.control.id for rule in self._rules},
                judged=judged(stack.resources, self._rules),
                environments={each.environment for each in stack.resources},
                today=self._today,
            )
            for problem in found:
                if problem.level is level:
                    exemption = problem.exemption
                    report_violation(f"{exemption.control} of {exemption.resource}: {problem.message}", None)

        return validate


def _analyzed(resource: ResourceValidationArgs | PolicyResource) -> Resource:
    dependencies = getattr(resource, "property_dependencies", {})
    return Resource(
        type=resource.resource_type,
        urn=resource.urn,
        properties=plain(resource.props),
        protect=resource.opts.protect,
        dependencies={key: [each.urn for each in targets] for key, targets in dependencies.items()},
    )


def _stack(args: StackValidationArgs) -> Stack:
    return Stack(map(_analyzed, args.resources))


if __name__ == "__main__":
    PolicyPack("mlp", Pack(RULES, read_exemptions()).policies())
