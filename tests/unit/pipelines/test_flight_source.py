from typing import Any

import pandas as pd
import pytest

from pipelines.workloads.flights import source

ZONES = {
    "LAX": "America/Los_Angeles",
    "BOS": "America/New_York",
    "HNL": "Pacific/Honolulu",
    "SJU": "America/Puerto_Rico",
}


def _raw(dest: str, hour: str, departure: int, arrival: int, delays: tuple[float | None, float | None]) -> pd.DataFrame:
    late, arrived = delays
    return pd.DataFrame(
        {
            "sched_dep_time": [departure],
            "dep_time": [None if late is None else 1.0],
            "dep_delay": [late],
            "sched_arr_time": [arrival],
            "arr_delay": [arrived],
            "carrier": ["UA"],
            "flight": [1],
            "tailnum": ["N1"],
            "origin": ["JFK"],
            "dest": [dest],
            "distance": [500],
            "time_hour": [hour],
        }
    ).astype({"dep_time": float, "dep_delay": float, "arr_delay": float})


def _instants(
    dest: str, hour: str, departure: int, arrival: int, delays: tuple[float | None, float | None]
) -> "dict[Any, Any]":
    return source.instants(_raw(dest, hour, departure, arrival, delays), ZONES).iloc[0].to_dict()


def test_departure_is_new_yorks_time_and_arrival_the_destinations() -> None:
    row = _instants("LAX", "2013-01-01T11:00:00Z", 630, 945, (10.0, -5.0))
    assert row["scheduled_departure"] == pd.Timestamp("2013-01-01T11:30Z")
    assert row["departure"] == pd.Timestamp("2013-01-01T11:40Z")
    assert row["scheduled_arrival"] == pd.Timestamp("2013-01-01T17:45Z")
    assert row["arrival"] == pd.Timestamp("2013-01-01T17:40Z")


def test_an_arrival_past_midnight_is_the_next_day() -> None:
    row = _instants("SJU", "2013-07-02T03:00:00Z", 2359, 345, (0.0, 0.0))
    assert row["scheduled_arrival"] == pd.Timestamp("2013-07-02T07:45Z")


def test_a_clock_that_goes_forward_in_flight_is_followed() -> None:
    row = _instants("BOS", "2013-03-10T06:00:00Z", 130, 345, (0.0, 0.0))
    assert row["scheduled_departure"] == pd.Timestamp("2013-03-10T06:30Z")
    assert row["scheduled_arrival"] == pd.Timestamp("2013-03-10T07:45Z")


@pytest.mark.parametrize(
    ("delays", "outcome"), [((0.0, 3.0), "arrived"), ((0.0, None), "diverted"), ((None, None), "cancelled")]
)
def test_outcomes_are_told_apart(delays: tuple[float | None, float | None], outcome: str) -> None:
    row = _instants("BOS", "2013-01-01T11:00:00Z", 600, 700, delays)
    assert row["outcome"] == outcome
    assert pd.isna(row["departure"]) == (outcome == "cancelled")
    assert pd.isna(row["arrival"]) == (outcome != "arrived")


def test_a_destination_without_a_time_zone_is_named() -> None:
    with pytest.raises(ValueError, match="no time zone for XXX"):
        source.instants(_raw("XXX", "2013-01-01T11:00:00Z", 600, 700, (0.0, 0.0)), ZONES)


def test_published_flights_take_a_plausible_time_and_have_names_of_their_own() -> None:
    flights = source.flights()
    assert len(flights) == 336_776
    assert flights["flight_id"].is_unique
    assert flights["outcome"].value_counts().to_dict() == {"arrived": 327_346, "cancelled": 8_255, "diverted": 1_175}
    hours = (flights["arrival"] - flights["departure"]).dt.total_seconds() / 3600
    assert hours.min() > 0.5
    assert hours.max() < 13
