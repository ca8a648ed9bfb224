"""Interleaving as a declared experiment: each unit sees both rankers, and is the comparison.

Events keep the form of every experiment. An impression is an exposure of the unit, whose variant is the ranker that
the first coin let choose. A click is an outcome whose value is its credit to the treatment less that to the control,
at most 1 either way. `shown` and `clicked` make both from an impression. A click's identifier is that of its
impression and position, so none counts twice; send the first click on a position.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.experimentation.decision.bounds import tested, with_boundaries
from pipelines.experimentation.decision.declaration import Declaration, Interleaving
from pipelines.experimentation.decision.effects import finite
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.records import Change, Comparison, Look, Verdict
from pipelines.experimentation.decision.returning import combined
from pipelines.experimentation.decision.stream import Event
from pipelines.experimentation.decision.verdict import changes, judge
from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.interleaving import (
    CompetitivePairs,
    Impression,
    Interleaver,
    Probabilistic,
    Side,
    TeamDraft,
)
from pipelines.experimentation.interleaving.preference import COIN_LEVEL, coin_p_value

Floats = NDArray[np.float64]
DAY = 86_400.0
NEGLIGIBLE = 1e-9
"""Credits that marginalise sum to this much of zero."""


def interleaver(declaration: Declaration) -> Interleaver:
    """The declared method; ranking a is the control's, ranking b the treatment's."""
    design = _design(declaration)
    methods = {"competitive-pairs": CompetitivePairs, "team-draft": TeamDraft, "probabilistic": Probabilistic}
    return methods[design.method](length=design.length)


def shown(declaration: Declaration, impression: Impression, at: float) -> Event:
    """The exposure for an impression: its user must be a keyed hash, its query is not kept."""
    _design(declaration)
    return Event(
        id=impression.id,
        kind="exposure",
        experiment=declaration.name,
        unit=impression.user,
        at=at,
        variant=_variants(declaration)[impression.shown.first],
    )


def clicked(declaration: Declaration, impression: Impression, position: int, at: float) -> Event:
    """The outcome for a click on one position, 0 being the top. Raises InterleavingError beyond the list."""
    credit = interleaver(declaration).credit(impression.shown, [position])
    return Event(
        id=f"{impression.id}/{position}",
        kind="outcome",
        experiment=declaration.name,
        unit=impression.user,
        at=at,
        outcome=_outcome(declaration),
        value=-credit.difference,
    )


def judged(declaration: Declaration, started_at: float, earlier: Sequence[Look], events: Events, at: float) -> Look:
    """One look: first the coin and the data's health, then the boundaries.

    The coin is checked over all impressions, and within queries where exposures carry a segment `query`; its level is
    shared among the planned looks. Raises ExperimentError when no impression was recorded.
    """
    design = _design(declaration)
    if not len(events.unit):
        raise ExperimentError("no impression was recorded; nothing can be analysed")
    days = (at - started_at) / DAY
    exhausted = days >= declaration.stop.maximum_days or len(earlier) + 1 >= len(design.looks)
    coin, coin_level = _coin(declaration, events), COIN_LEVEL / len(design.looks)
    usable, flags = _usable(declaration, events)
    problems = _problems(declaration, events, usable, coin, coin_level)
    comparisons, final = list[Comparison](), exhausted
    verdict: Verdict = "invalid"
    winner, reasons, needed = None, problems, list[Change]()
    if not problems:
        found = _compare(declaration, earlier, events, usable, at)
        final = exhausted or (found.fraction or 0) >= 1
        comparisons = [with_boundaries(declaration, design, earlier, found, final=final)]
        may_ship = exhausted or days >= declaration.stop.minimum_days
        verdict, winner, reasons = judge(declaration, earlier, comparisons, (), may_ship=may_ship, final=final)
        needed = changes(comparisons, (), None, verdict)
        needed.append(Change(what="coin p-value", observed=coin, needed=coin_level, verdict="invalid"))
    return Look(
        number=len(earlier) + 1,
        at=at,
        data_digest=events.digest(),
        units={name: int((events.variant == name).sum()) for name in declaration.variants},
        sample_ratio_p=coin,
        sample_ratio_level=coin_level,
        flags=flags,
        final=final,
        comparisons=tuple(comparisons),
        guardrails=(),
        secondary={},
        verdict=verdict,
        winner=winner,
        reasons=tuple(reasons),
        would_have_changed=tuple(needed),
    )


def _coin(declaration: Declaration, events: Events) -> float:
    query = events.segments.get("query")
    queries = ["" if query is None else str(query[i]) for i in range(len(events.unit))]
    sides: list[Side] = ["a" if variant == declaration.control else "b" for variant in events.variant.tolist()]
    return coin_p_value(zip(queries, sides, strict=True))


def _usable(declaration: Declaration, events: Events) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which outcomes are credits that count, and how many do not, by reason."""
    units, member = np.unique(events.unit, return_inverse=True)
    first = np.full(len(units), np.inf)
    np.minimum.at(first, member, events.at)
    mine = events.outcome == _outcome(declaration)
    row = np.minimum(np.searchsorted(units, events.outcome_unit), len(units) - 1)
    known = units[row] == events.outcome_unit
    early = known & (events.outcome_at < first[row])
    flags = {
        "clicks of units without an impression": int((mine & ~known).sum()),
        "clicks before their unit's first impression": int((mine & early).sum()),
    }
    return mine & known & ~early, flags


def _problems(
    declaration: Declaration, events: Events, usable: NDArray[np.bool_], coin: float, coin_level: float
) -> list[str]:
    """Everything that makes the data unfit to be judged."""
    unknown = sorted(set(events.variant.tolist()) - set(declaration.variants))
    if unknown:
        return [f"impressions begun by undeclared variants {unknown}"]
    problems = list[str]()
    values = events.value[usable]
    if (wrong := int((~np.isfinite(values)).sum())) > 0:
        problems.append(f"{wrong} credits are NaN or infinite")
    if (beyond := int((np.abs(values) > 1 + NEGLIGIBLE).sum())) > 0:
        problems.append(f"{beyond} credits of a click lie beyond -1 and 1")
    if coin < coin_level:
        began = {name: int((events.variant == name).sum()) for name in declaration.variants}
        problems.append(
            f"the coin is not fair: {began} impressions begun, p = {coin:.2g} below {coin_level:.2g}; "
            "toss it anew for every impression, whoever asks for whatever"
        )
    return problems


def _compare(
    declaration: Declaration, earlier: Sequence[Look], events: Events, usable: NDArray[np.bool_], at: float
) -> Comparison:
    """The units' figures at this look, combined with those at the earlier ones that spent error."""
    treatment = declaration.treatments[0]
    moments = [*(past.at for past in tested(earlier, treatment)), at]
    parts = np.stack([_parts(declaration, events, usable, moment) for moment in moments], axis=1)
    found = combined(parts[0], parts[1])
    information = finite(found.information)
    return Comparison(
        treatment=treatment,
        control_value=finite(found.control),
        treatment_value=finite(found.treatment),
        difference=finite(found.difference),
        standard_error=finite(found.standard_error),
        z=finite(found.z),
        information=information,
        fraction=None if information is None else information / declaration.maximum_information,
    )


def _parts(declaration: Declaration, events: Events, usable: NDArray[np.bool_], moment: float) -> Floats:
    """Each unit's credit to the control and to the treatment per impression by then; NaN before its first one."""
    units, member = np.unique(events.unit, return_inverse=True)
    impressions = np.bincount(member[events.at <= moment], minlength=len(units)).astype(np.float64)
    clicked = usable & (events.outcome_at <= moment)
    row, credit = np.searchsorted(units, events.outcome_unit[clicked]), events.value[clicked]
    sums = [np.bincount(row, weights=np.maximum(sign * credit, 0), minlength=len(units)) for sign in (-1, 1)]
    parts = np.stack(sums) / np.where(impressions > 0, impressions, np.nan)
    if _design(declaration).test == "mean":
        return parts
    preferred = np.stack([parts[side] - parts[1 - side] > NEGLIGIBLE for side in (0, 1)])
    return np.where(np.isnan(parts), np.nan, preferred)


def _variants(declaration: Declaration) -> dict[Literal["a", "b"], str]:
    return {"a": declaration.control, "b": declaration.treatments[0]}


def _outcome(declaration: Declaration) -> str:
    metric = declaration.metrics[declaration.primary]
    if metric.kind != "mean":
        raise TypeError("the declaration admits only a mean here")
    return metric.outcome


def _design(declaration: Declaration) -> Interleaving:
    if declaration.design.kind != "interleaving":
        raise ExperimentError(f"{declaration.name} is a {declaration.design.kind}, not an interleaving")
    return declaration.design
