"""Futility: advice to stop when the minimum effect is out of sight, which costs no error when it is ignored."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipelines.experimentation.analysis.sequential import Boundaries, KimDeMets
from pipelines.experimentation.analysis.sequential.recursion import crossing
from pipelines.experimentation.analysis.simulation import Rate, canonical
from pipelines.experimentation.decision.bounds import with_boundaries
from pipelines.experimentation.decision.declaration import Declaration
from pipelines.experimentation.decision.designs import PlannedLooks
from pipelines.experimentation.decision.events import Events
from pipelines.experimentation.decision.ledger import Ledger, reproduce
from pipelines.experimentation.decision.records import Comparison, Look
from pipelines.experimentation.errors import ExperimentError
from tests.unit.experimentation.test_decision import DAY, START, after, declared, recorded
from tests.unit.experimentation.test_decision_interleaved import declared as interleaving
from tests.unit.experimentation.test_decision_interleaved import recorded as impressions

LEVEL, POWER = 0.05, 0.9
FUTILITY = {"spending": {"kind": "kim-demets", "rho": 2}}
FIFTHS = [0.2, 0.4, 0.6, 0.8, 1.0]
GOLDEN = Path(__file__).parents[2] / "golden/experimentation/ledger_without_optional_parts.json"


def designed(**changes: Any) -> Declaration:
    design = {"kind": "group-sequential", "looks": FIFTHS, "futility": FUTILITY, **changes}
    return declared(design=design, guardrails=[], secondary=[])


def planned(declaration: Declaration) -> tuple[Boundaries, np.ndarray, float]:
    """Efficacy boundaries, futility by look, and the drift that is found with the declared power."""
    assert isinstance(declaration.design, PlannedLooks)
    futile, drift = declaration.design.with_futility(declaration.level_per_treatment, declaration.power)
    assert futile is not None
    return declaration.design.boundaries(declaration.level_per_treatment), futile.lower, drift


def outcomes(declaration: Declaration, drift: float, seed: int, *, followed: bool) -> tuple[Rate, Rate]:
    """How often effect and harm are called in simulated experiments whose Z at the end has mean `drift`."""
    design, futile, _ = planned(declaration)
    z = canonical(40_000, np.array(FIFTHS), seed, drift).z
    upper, lower = z >= design.upper, z <= design.lower
    stops = upper | lower | ((z <= futile) if followed else False)
    stops[:, -1] = True
    first = stops.argmax(axis=1)
    rows = np.arange(len(z))
    return Rate(int(upper[rows, first].sum()), len(z)), Rate(int(lower[rows, first].sum()), len(z))


@pytest.mark.parametrize("sides", ["two", "upper"])
@pytest.mark.parametrize("spending", [{"kind": "obrien-fleming"}, {"kind": "pocock"}])
def test_the_level_is_attained_when_the_advice_is_ignored_and_kept_when_it_is_followed(
    spending: dict[str, Any], sides: str
) -> None:
    declaration = designed(sides=sides, spending=spending)
    shipped, condemned = outcomes(declaration, 0.0, 21, followed=False)
    assert Rate(shipped.rejected + condemned.rejected, shipped.replicates).attains(LEVEL)
    shipped, condemned = outcomes(declaration, 0.0, 21, followed=True)
    assert Rate(shipped.rejected + condemned.rejected, shipped.replicates).keeps(LEVEL)


@pytest.mark.parametrize("sides", ["two", "upper"])
def test_the_declared_power_is_that_of_following_the_advice(sides: str) -> None:
    declaration = designed(sides=sides)
    _, _, drift = planned(declaration)
    followed, _ = outcomes(declaration, drift, 22, followed=True)
    ignored, _ = outcomes(declaration, drift, 22, followed=False)
    assert followed.attains(POWER)
    assert followed.value < ignored.value < followed.value + 0.02


def test_futility_costs_a_few_percent_of_information_and_saves_much_of_it_without_an_effect() -> None:
    with_it, without = designed(), designed(futility=None)
    assert 1.05 < with_it.maximum_information / without.maximum_information < 1.10
    design, futile, _ = planned(with_it)
    stops = crossing(design.fractions, np.maximum(futile, design.lower), design.upper)
    alone = crossing(design.fractions, design.lower, design.upper)
    spent = with_it.maximum_information * _mean_fraction(stops.upper + stops.lower)
    assert spent < 0.65 * without.maximum_information * _mean_fraction(alone.upper + alone.lower)


def _mean_fraction(stopped: np.ndarray) -> float:
    stopped = stopped.copy()
    stopped[-1] += 1 - stopped.sum()
    return float(stopped @ FIFTHS)


def compared(z: float, fraction: float, declaration: Declaration) -> Comparison:
    information = fraction * declaration.maximum_information
    return Comparison(
        treatment="treatment",
        control_value=0.1,
        treatment_value=0.1,
        difference=z / information**0.5,
        standard_error=1 / information**0.5,
        z=z,
        information=information,
        fraction=fraction,
    )


def looked(declaration: Declaration, *fractions: float, z: float = 0.5) -> list[Look]:
    """Looks that reached these fractions, with nothing crossed."""
    looks = list[Look]()
    assert isinstance(declaration.design, PlannedLooks)
    for number, fraction in enumerate(fractions, 1):
        found = with_boundaries(
            declaration, declaration.design, looks, compared(z, fraction, declaration), final=fraction >= 1
        )
        looks.append(
            Look(
                number=number,
                at=START + number * DAY,
                data_digest="",
                units={},
                sample_ratio_p=None,
                sample_ratio_level=None,
                flags={},
                final=fraction >= 1,
                comparisons=(found,),
                guardrails=(),
                secondary={},
                verdict="continue",
                winner=None,
                reasons=(),
                would_have_changed=(),
            )
        )
    return looks


def test_looks_as_planned_have_the_planned_futility_boundary() -> None:
    declaration = designed()
    _, futile, _ = planned(declaration)
    found = [look.comparisons[0].futility for look in looked(declaration, *FIFTHS)]
    assert found[:-1] == pytest.approx(futile[:-1], abs=1e-6)
    assert found[-1] is None


def test_looks_at_other_moments_spend_the_type_ii_error_of_those_moments() -> None:
    declaration, fractions = designed(), [0.13, 0.47, 0.52, 0.91]
    comparisons = [look.comparisons[0] for look in looked(declaration, *fractions)]
    lower = np.array([c.futility for c in comparisons], dtype=float)
    upper = np.array([c.upper for c in comparisons], dtype=float)
    _, _, drift = planned(declaration)
    missed = crossing(np.array(fractions), lower, upper, drift).lower.cumsum()
    assert missed == pytest.approx(KimDeMets(rho=2).spent(np.array(fractions), 1 - POWER), abs=1e-7)


def mixed(plain: Events, lifted: Events, where: np.ndarray) -> Events:
    """`plain` with the outcomes of `lifted` for some of its units."""
    theirs = np.isin(plain.outcome_unit, plain.unit[where])
    ours = np.isin(lifted.outcome_unit, plain.unit[where])
    return dataclasses.replace(
        plain,
        outcome_unit=np.concatenate([plain.outcome_unit[~theirs], lifted.outcome_unit[ours]]),
        outcome=np.concatenate([plain.outcome[~theirs], lifted.outcome[ours]]),
        value=np.concatenate([plain.value[~theirs], lifted.value[ours]]),
        outcome_at=np.concatenate([plain.outcome_at[~theirs], lifted.outcome_at[ours]]),
    )


def turning(units: int = 6_000) -> Events:
    """No effect on whoever came in the first eight days, much of it on the later ones."""
    plain = recorded(units, seed=4)
    return mixed(plain, recorded(units, lift=0.2, seed=4), plain.at > START + 8 * DAY)


def without_effect() -> tuple[Declaration, Ledger]:
    declaration = designed()
    return declaration, after(turning(), 8, declaration=declaration)


def test_an_effect_out_of_sight_advises_to_stop_and_says_what_would_have_changed_that() -> None:
    _, ledger = without_effect()
    look = ledger.looks[0]
    comparison = look.comparisons[0]
    assert (ledger.verdict, look.final, look.advises) == ("keep control", False, True)
    assert comparison.crossed is None
    assert comparison.interval is not None
    assert "stopping is advised, not required" in look.reasons[0]
    needed = {change.what: change for change in look.would_have_changed}["z of treatment at which going on is futile"]
    assert (needed.observed, needed.needed, needed.verdict) == (comparison.z, comparison.futility, "continue")
    assert reproduce(ledger, turning()) == []


def test_the_team_may_go_on_and_nothing_of_the_advice_sticks() -> None:
    declaration, ledger = without_effect()
    later = ledger.take_look(declaration, turning(), START + 15 * DAY)
    assert (later.verdict, later.looks[1].winner) == ("ship", "treatment")
    assert reproduce(later, turning()) == []


def test_approved_advice_ends_the_experiment() -> None:
    declaration, ledger = without_effect()
    approved = ledger.approve("ann", START + 9 * DAY)
    assert (ledger.may_go_on, approved.may_go_on) == (True, False)
    with pytest.raises(ExperimentError, match="ended at look 1 with 'keep control'"):
        approved.take_look(declaration, turning(), START + 15 * DAY)


def test_harm_is_no_advice() -> None:
    declaration = designed()
    ledger = after(recorded(6_000, lift=-0.08), 14, declaration=declaration)
    assert ledger.looks[0].reasons == ("conversion is shown to be worse in every treatment",)
    assert not ledger.looks[0].advises
    assert not ledger.may_go_on


def test_one_futile_treatment_does_not_end_the_others() -> None:
    declaration = designed()
    several = declared(
        variants={"control": 0.4, "treatment": 0.3, "other": 0.3},
        design=declaration.design,
        guardrails=[],
        secondary=[],
    )
    plain = recorded(9_000, share=0.6, seed=4)
    other = (plain.variant == "treatment") & (np.random.default_rng(3).random(len(plain.unit)) < 0.5)
    events = mixed(plain, recorded(9_000, lift=0.02, share=0.6, seed=4), other)
    events = dataclasses.replace(events, variant=np.where(other, "other", plain.variant))
    look = after(events, 6, declaration=several).looks[0]
    assert {c.treatment: c.futile for c in look.comparisons} == {"treatment": True, "other": False}
    assert look.verdict == "continue"


def test_equal_rankers_are_advised_to_be_left_alone_and_a_better_one_is_not() -> None:
    design = {"kind": "interleaving", "length": 6, "looks": [0.25, 0.5, 0.75, 1.0], "futility": FUTILITY}
    declaration = interleaving(design=design)
    equal = after(impressions(800), 3, declaration=declaration)
    assert equal.looks[0].advises
    assert reproduce(equal, impressions(800)) == []
    assert after(impressions(800, lift=0.2), 3, declaration=declaration).verdict == "continue"


def test_error_spent_too_early_is_refused() -> None:
    early = {"spending": {"kind": "kim-demets", "rho": 0.001}}
    with pytest.raises(ValidationError, match="futility: kim-demets spends so much error so early"):
        declared(power=0.51, design={"kind": "group-sequential", "looks": [0.2, 1.0], "futility": early})


def test_records_written_before_the_optional_parts_keep_digest_and_approval() -> None:
    stored = GOLDEN.read_text()
    ledger = Ledger.model_validate_json(stored)
    assert ledger.may_ship
    assert not any(".flags" in each or "approval" in each for each in reproduce(ledger, recorded(lift=0.03, seed=3)))
    assert ledger.model_dump(mode="json") == json.loads(stored)


def test_without_futility_no_look_is_futile() -> None:
    comparisons = [look.comparisons[0] for look in looked(designed(futility=None), *FIFTHS, z=-1.9)]
    assert [(c.futility, c.futile) for c in comparisons] == [(None, False)] * 5
