"""Features of a flight depend on what had happened two hours before it was due to leave, and on nothing later."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pipelines.workloads.flights import features, schemas

NOON = pd.Timestamp("2013-03-09T17:00Z")
CUTOFF = NOON - features.LEAD


@dataclass(frozen=True)
class Event:
    """A flight as drawn: minutes count from the target's cutoff."""

    scheduled: int
    delay: int | None
    arrival_delay: int | None
    carrier: str
    origin: str
    dest: str


CARRIERS, ORIGINS, DESTINATIONS = ("UA", "B6"), ("JFK", "EWR"), ("LAX", "BOS")
EVENTS = st.builds(
    Event,
    scheduled=st.integers(-30 * 60, 4 * 60),
    delay=st.none() | st.integers(-20, 400),
    arrival_delay=st.none() | st.integers(-60, 400),
    carrier=st.sampled_from(CARRIERS),
    origin=st.sampled_from(ORIGINS),
    dest=st.sampled_from(DESTINATIONS),
)
TARGET = Event(120, 30, 45, "UA", "JFK", "LAX")
FLIGHT_MINUTES = 180


def _flights(events: list[Event]) -> pd.DataFrame:
    def instant(minutes: "pd.Series[float]") -> "pd.Series[pd.Timestamp]":
        return CUTOFF + pd.to_timedelta(minutes, unit="min")

    drawn = pd.DataFrame([vars(each) for each in events])
    delay = pd.to_numeric(drawn["delay"]).astype("float64")
    arrival_delay = pd.to_numeric(drawn["arrival_delay"]).astype("float64").where(delay.notna())
    return pd.DataFrame(
        {
            "flight_id": [str(at) for at in range(len(drawn))],
            "carrier": drawn["carrier"],
            "flight": 1,
            "tailnum": None,
            "origin": drawn["origin"],
            "dest": drawn["dest"],
            "distance": 500,
            "scheduled_departure": instant(drawn["scheduled"]),
            "scheduled_arrival": instant(drawn["scheduled"] + FLIGHT_MINUTES),
            "departure": instant(drawn["scheduled"] + delay),
            "arrival": instant(drawn["scheduled"] + FLIGHT_MINUTES + arrival_delay),
            "arrival_delay": arrival_delay,
            "outcome": np.select([delay.isna(), arrival_delay.isna()], ["cancelled", "diverted"], "arrived"),
        }
    ).astype(schemas.FLIGHTS)


def _weather(temperatures: list[float]) -> pd.DataFrame:
    """An observation per origin and hour from three hours before the cutoff on."""
    rows = [
        {"origin": origin, "observed": CUTOFF + pd.Timedelta(hours=hour - 3), "temp": value}
        for origin in ORIGINS
        for hour, value in enumerate(temperatures)
    ]
    return pd.DataFrame(rows).reindex(columns=list(schemas.WEATHER)).astype(schemas.WEATHER)


def _after(event: Event, other: Event) -> Event:
    """The event with whatever became known after the cutoff taken from another one: the past is left as it was."""
    left = None if event.delay is None else event.scheduled + event.delay
    if left is not None and left <= 0:
        landed = None if event.arrival_delay is None else event.scheduled + FLIGHT_MINUTES + event.arrival_delay
        if landed is not None and landed <= 0:
            return event
        arrival = other.arrival_delay
        if arrival is not None and event.scheduled + FLIGHT_MINUTES + arrival <= 0:
            arrival = 1 - event.scheduled - FLIGHT_MINUTES
        return Event(event.scheduled, event.delay, arrival, event.carrier, event.origin, event.dest)
    delay, arrival = other.delay, other.arrival_delay
    if delay is not None and event.scheduled + delay <= 0:
        delay = 1 - event.scheduled
    if arrival is not None and event.scheduled + FLIGHT_MINUTES + arrival <= 0:
        arrival = 1 - event.scheduled - FLIGHT_MINUTES
    return Event(event.scheduled, delay, arrival, event.carrier, event.origin, event.dest)


@settings(max_examples=60, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.lists(st.tuples(EVENTS, EVENTS), max_size=25), EVENTS, st.lists(st.floats(0, 100), min_size=6, max_size=6))
def test_nothing_that_happens_after_the_cutoff_changes_a_feature(
    pairs: list[tuple[Event, Event]], fate: Event, later: list[float]
) -> None:
    past = [TARGET, *(event for event, _ in pairs)]
    other = [_after(TARGET, fate), *(_after(event, replacement) for event, replacement in pairs)]
    weather = [40.0] * 6
    # Published an hour after it begins: the third observation is the last one known at the cutoff.
    changed = [*weather[:3], *later[3:]]
    one = features.build(_flights(past), _weather(weather)).iloc[[0]]
    two = features.build(_flights(other), _weather(changed)).iloc[[0]]
    pd.testing.assert_frame_equal(one, two, check_exact=False, rtol=1e-9, atol=1e-9)


def test_what_happened_just_before_the_cutoff_does_change_features() -> None:
    on_time = Event(-60, 0, None, "UA", "JFK", "BOS")
    late = Event(-60, 60, None, "UA", "JFK", "BOS")
    too_late = Event(-60, 61, None, "UA", "JFK", "BOS")
    built = [
        features.build(_flights([TARGET, each]), _weather([40.0] * 6)).iloc[0] for each in (on_time, late, too_late)
    ]
    assert [each["departed_2h"] for each in built] == [1, 1, 0]
    assert [each["departure_delay_2h"] for each in built[:2]] == [0, 60]
    assert [each["waiting"] for each in built] == [0, 0, 1]


def test_a_cancelled_flight_waits_until_it_is_given_up() -> None:
    waiting = [
        features.build(_flights([TARGET, Event(-minutes, None, None, "UA", "JFK", "BOS")]), _weather([40.0] * 6))
        for minutes in (1, 179, 180, 600)
    ]
    assert [each["waiting"].iloc[0] for each in waiting] == [1, 1, 0, 0]


def test_delays_at_another_airport_or_of_another_carrier_are_kept_apart() -> None:
    elsewhere = Event(-60, 50, None, "UA", "EWR", "BOS")
    other_carrier = Event(-60, 50, None, "B6", "JFK", "BOS")
    row = features.build(_flights([TARGET, elsewhere, other_carrier]), _weather([40.0] * 6)).iloc[0]
    assert row["departed_2h"] == 1
    assert np.isnan(row["carrier_departure_delay_4h"])


def test_weather_is_the_newest_that_was_published_and_missing_when_it_is_old() -> None:
    weather = _weather([10.0, 20.0, 30.0, 40.0, 50.0, 60.0])
    row = features.build(_flights([TARGET]), weather).iloc[0]
    assert row["temp"] == 30.0
    stale = weather[weather["observed"] < CUTOFF - pd.Timedelta(hours=3)]
    assert np.isnan(features.build(_flights([TARGET]), stale).iloc[0]["temp"])


def test_the_order_and_the_index_of_flights_do_not_matter() -> None:
    events = [TARGET, *(Event(-at * 40, at * 7, at * 5, "UA", "JFK", "LAX") for at in range(1, 12))]
    flights = _flights(events)
    shuffled = flights.sample(frac=1, random_state=3)
    straight = features.build(flights, _weather([40.0] * 6))
    pd.testing.assert_frame_equal(features.build(shuffled, _weather([40.0] * 6)).sort_index(), straight)


@pytest.mark.parametrize(("delay", "label"), [(14, 0.0), (15, 1.0), (-30, 0.0)])
def test_late_is_fifteen_minutes_or_more(delay: int, label: float) -> None:
    assert features.late(_flights([Event(0, 0, delay, "UA", "JFK", "LAX")])).tolist() == [label]


def test_cancelled_and_diverted_flights_have_no_label() -> None:
    gone = [Event(0, None, None, "UA", "JFK", "LAX"), Event(0, 5, None, "UA", "JFK", "LAX")]
    assert features.late(_flights(gone)).isna().all()
