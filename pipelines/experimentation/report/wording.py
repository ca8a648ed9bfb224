"""The verdict in a sentence, and numbers as people read them."""

from dataclasses import dataclass
from datetime import UTC, datetime

from pipelines.experimentation.decision import Declaration, Ledger
from pipelines.experimentation.decision.declaration import Metric
from pipelines.experimentation.decision.records import Comparison, Look


@dataclass(frozen=True)
class Measure:
    """How a metric's values are written."""

    factor: float
    unit: str
    """Of a difference."""
    suffix: str
    """Of a value."""

    @classmethod
    def of(cls, metric: Metric) -> "Measure":
        """Percent for a proportion, plain numbers otherwise."""
        return cls(100.0, "percentage points", " %") if metric.kind == "proportion" else cls(1.0, "in its own unit", "")

    def value(self, number: float | None) -> str:
        """A level of the metric."""
        return "unknown" if number is None else f"{number * self.factor:.3g}{self.suffix}"

    def difference(self, number: float | None) -> str:
        """A change of the metric, with its sign."""
        points = " points" if self.factor == 100 else ""
        return "unknown" if number is None else f"{number * self.factor:+.3g}{points}"


@dataclass(frozen=True)
class Words:
    """What differs between designs that split units and those in which every unit sees both sides."""

    counted: str
    """What a look counts by variant."""
    bar: str
    of: str
    """What a variant's value belongs to it by."""
    check: str
    fits: str
    differs: str

    @classmethod
    def of_design(cls, declaration: Declaration) -> "Words":
        """Of an interleaving the lists are counted, and a coin is checked instead of a split."""
        if declaration.design.kind == "interleaving":
            fair = "The coin that decides which ranker begins a list"
            return cls(
                "lists",
                "lists that each ranker began",
                "credited to",
                "coin check",
                f"{fair} looks fair",
                f"{fair} is not fair",
            )
        split = "The split {} the declared one"
        return cls("units", "units seen", "with", "sample-ratio check", split.format("fits"), split.format("is not"))


def moment(seconds: float) -> str:
    """A time in UTC, to the minute."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %B %Y, %H:%M UTC")


HEADLINES = {
    "ship": "Ship {winner}.",
    "keep control": "Keep {control}.",
    "roll back": "Roll back to {control}.",
    "invalid": "No conclusion: the data cannot be trusted.",
    "continue": "Keep running: nothing is decided yet.",
}

ADVICE = "Better stop and keep {control}."
"""Of a verdict that rests on futility."""


def headline(declaration: Declaration, ledger: Ledger | None) -> str:
    """The verdict in a few words."""
    if ledger is None:
        return "Declared, not started."
    if not ledger.looks:
        return "Running: no look was taken yet."
    if ledger.looks[-1].advises:
        return ADVICE.format(control=declaration.control)
    winner = ledger.looks[-1].winner or ""
    return HEADLINES[ledger.verdict].format(winner=winner, control=declaration.control)


def explanation(declaration: Declaration, ledger: Ledger | None) -> str:
    """Why, in a sentence or two."""
    if ledger is None or not ledger.looks:
        return f"It asks whether {declaration.primary} changes by {_worth(declaration)} or more."
    last = ledger.looks[-1]
    if ledger.verdict in ("invalid", "roll back"):
        return sentence("; ".join(last.reasons))
    if not last.comparisons:
        return sentence("; ".join(last.reasons))
    chosen = next((c for c in last.comparisons if c.treatment == last.winner), last.comparisons[0])
    parts = [_effect(declaration, chosen)]
    parts.append(sentence("; ".join(last.reasons)))
    return " ".join(parts)


def _effect(declaration: Declaration, found: Comparison) -> str:
    measure = Measure.of(declaration.metrics[declaration.primary])
    difference = found.estimate if found.estimate is not None else found.difference
    if difference is None:
        return f"{declaration.primary} of {found.treatment} cannot be compared yet."
    said = f"{declaration.primary} differs by {measure.difference(difference)} with {found.treatment}"
    if found.control_value is not None and found.treatment_value is not None:
        said = _levels(declaration, found, measure)
        said += f", a difference of {measure.difference(difference)}"
    if found.estimate is not None:
        said += " after allowing for the looks taken"
    if found.interval is not None:
        low, high = (measure.difference(end) for end in found.interval)
        said += f"; the data fit anything from {low} to {high}"
    return sentence(said)


def _levels(declaration: Declaration, found: Comparison, measure: Measure) -> str:
    new, old = measure.value(found.treatment_value), measure.value(found.control_value)
    design, treatment, control = declaration.design, found.treatment, declaration.control
    if design.kind != "interleaving":
        return f"{declaration.primary} was {new} with {treatment} and {old} with {control}"
    if design.test == "sign":
        return f"a share of {new} of all users clicked more for {treatment} and {old} more for {control}"
    return f"clicks on merged lists credited {treatment} with {new} a list and {control} with {old}"


def repeated_interval(comparison: Comparison, *, two_sided: bool) -> tuple[float, float] | None:
    """The interval after stopping, or while running one that holds at every look.

    The latter is the difference and the look's boundary times its error (Jennison & Turnbull 2000, chapter 9).
    """
    if comparison.interval is not None:
        return comparison.interval
    if comparison.difference is None or comparison.standard_error is None or comparison.upper is None or not two_sided:
        return None
    reach = comparison.upper * comparison.standard_error
    return comparison.difference - reach, comparison.difference + reach


def health(look: Look) -> list[str]:
    """What was set aside, in words."""
    return [f"{count:,} {what}" for what, count in look.flags.items() if count]


def _worth(declaration: Declaration) -> str:
    metric = declaration.metrics[declaration.primary]
    return Measure.of(metric).difference(metric.sign * declaration.minimum_effect)


def sentence(text: str) -> str:
    """With a capital letter and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
