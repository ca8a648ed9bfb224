"""What is known about a flight two hours before its scheduled departure, and nothing later.

Every feature is a function of the schedule and of events whose instant lies at or before the flight's *cutoff*:
departures and arrivals that have happened, and weather that has been published. A flight that has not left by then
counts as waiting, whatever becomes of it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pandas is typed in part.

from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd

LEAD = pd.Timedelta(hours=2)
"""How long before scheduled departure a prediction is made."""

PUBLICATION = pd.Timedelta(hours=1)
"""An hour's observation may be taken at any minute of it, so it is known when the hour is over."""

STALE = pd.Timedelta(hours=4)
"""Weather older than this at the cutoff counts as missing."""

GIVEN_UP = pd.Timedelta(hours=3)
"""After so long a flight that has not left no longer counts as waiting."""

LATE_MINUTES = 15
"""A flight that arrives this many minutes after schedule, or more, is late: the rule of US transport statistics."""

CATEGORIES = ["carrier", "origin", "dest"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]
RECENT = [
    "departed_2h", "departure_delay_2h", "departed_late_2h", "carrier_departure_delay_4h", "carrier_departed_late_4h",
    "waiting", "waiting_carrier", "arrived_late_6h", "dest_arrival_delay_6h", "dest_arrived_late_24h",
    "arrived_late_24h",
]  # fmt: skip
SCHEDULE = ["departure_minute", "arrival_minute", "weekday", "distance", "scheduled_minutes", "departures_in_hour"]
COLUMNS = [*CATEGORIES, *SCHEDULE, *WEATHER, *RECENT]
"""Features in the order of the model's signature; categories are strings, all others floating point numbers."""

_Array = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float64]


def build(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """One row of `COLUMNS` per flight, in the order and with the index of `flights`.

    `flights` and `weather` have the columns of `schemas`. Missing values are NaN.
    """
    cutoff = flights["scheduled_departure"] - LEAD
    parts = [flights[CATEGORIES], _schedule(flights), _weather(flights, weather, cutoff), _recent(flights, cutoff)]
    return pd.concat(parts, axis="columns")[COLUMNS]


def late(flights: pd.DataFrame) -> pd.Series:
    """1.0 for late, 0.0 for on time, NaN where a cancelled or diverted flight never arrived as planned."""
    delay = flights["arrival_delay"]
    return (delay >= LATE_MINUTES).astype("float64").where(delay.notna())


def _schedule(flights: pd.DataFrame) -> pd.DataFrame:
    local = flights["scheduled_departure"].dt.tz_convert("America/New_York")
    arrival = flights["scheduled_arrival"].dt.tz_convert("America/New_York")
    minutes = (flights["scheduled_arrival"] - flights["scheduled_departure"]).dt.total_seconds() / 60
    hour = flights["scheduled_departure"].dt.floor("h")
    columns = {
        "departure_minute": local.dt.hour * 60 + local.dt.minute,
        "arrival_minute": arrival.dt.hour * 60 + arrival.dt.minute,
        "weekday": local.dt.weekday,
        "distance": flights["distance"],
        "scheduled_minutes": minutes,
        "departures_in_hour": flights.groupby([flights["origin"], hour])["origin"].transform("size"),
    }
    return pd.DataFrame({name: values.astype("float64") for name, values in columns.items()}, index=flights.index)


def _weather(flights: pd.DataFrame, weather: pd.DataFrame, cutoff: pd.Series) -> pd.DataFrame:
    """The newest observation at the origin that was published by the cutoff."""
    wanted = pd.DataFrame({"origin": flights["origin"], "cutoff": cutoff, "row": np.arange(len(flights))})
    known = weather.assign(known=weather["observed"] + PUBLICATION)
    joined = pd.merge_asof(
        wanted.sort_values("cutoff", kind="stable"),
        known.sort_values("known", kind="stable"),
        left_on="cutoff",
        right_on="known",
        by="origin",
        tolerance=STALE,
    )
    return joined.sort_values("row")[WEATHER].astype("float64").set_axis(flights.index, axis="index")


class _Events:
    """Events with values, by group and instant, that answer sums over a time window before each cutoff."""

    def __init__(self, groups: pd.Series, instants: pd.Series, values: list[_Values]) -> None:
        self._values = len(values)
        self._by_group: dict[object, tuple[_Array, list[_Values]]] = {}
        frame = pd.DataFrame({"group": groups.to_numpy(), "at": _nanoseconds(instants)})
        for group, rows in frame.groupby("group", sort=False):
            order = rows["at"].to_numpy().argsort(kind="stable")
            index = rows.index.to_numpy()[order]
            sums = [np.concatenate([[0.0], np.cumsum(column[index])]) for column in values]
            self._by_group[group] = (rows["at"].to_numpy()[order], sums)

    def within(self, groups: pd.Series, cutoff: pd.Series, window: pd.Timedelta | None) -> list[_Values]:
        """For each cutoff: how many events lie in (cutoff - window, cutoff], then the sum of each value over them."""
        until = _nanoseconds(cutoff)
        width = 0 if window is None else window.value
        found = [np.zeros(len(until)) for _ in range(1 + self._values)]
        for group, rows in pd.Series(np.arange(len(until))).groupby(groups.to_numpy(), sort=False):
            if group not in self._by_group:
                continue
            at, sums = self._by_group[group]
            index = rows.to_numpy()
            last = np.searchsorted(at, until[index], side="right")
            first = np.zeros_like(last) if window is None else np.searchsorted(at, until[index] - width, side="right")
            found[0][index] = last - first
            for slot, total in enumerate(sums, 1):
                found[slot][index] = total[last] - total[first]
        return found


def _recent(flights: pd.DataFrame, cutoff: pd.Series) -> pd.DataFrame:
    left = flights[flights["departure"].notna()]
    delay = ((left["departure"] - left["scheduled_departure"]).dt.total_seconds() / 60).to_numpy()
    departure_values = [np.clip(delay, -30, 180), (delay >= LATE_MINUTES).astype(float)]
    landed = flights[flights["arrival"].notna()]
    minutes = landed["arrival_delay"].to_numpy()
    arrival_values = [np.clip(minutes, -60, 240), (minutes >= LATE_MINUTES).astype(float)]

    def departures(keys: list[str], hours: int) -> list[_Values]:
        events = _Events(_key(left, keys), left["departure"], departure_values)
        return _means(events.within(_key(flights, keys), cutoff, pd.Timedelta(hours=hours)))

    def arrivals(keys: list[str], hours: int) -> list[_Values]:
        events = _Events(_key(landed, keys), landed["arrival"], arrival_values)
        return _means(events.within(_key(flights, keys), cutoff, pd.Timedelta(hours=hours)))

    columns: dict[str, _Values] = {}
    columns["departed_2h"], columns["departure_delay_2h"], columns["departed_late_2h"] = departures(["origin"], 2)
    _, columns["carrier_departure_delay_4h"], columns["carrier_departed_late_4h"] = departures(["origin", "carrier"], 4)
    columns["waiting"] = _waiting(flights, cutoff, ["origin"])
    columns["waiting_carrier"] = _waiting(flights, cutoff, ["origin", "carrier"])
    _, _, columns["arrived_late_6h"] = arrivals(["origin"], 6)
    _, columns["dest_arrival_delay_6h"], _ = arrivals(["dest"], 6)
    _, _, columns["dest_arrived_late_24h"] = arrivals(["dest"], 24)
    _, _, columns["arrived_late_24h"] = arrivals(["origin"], 24)
    return pd.DataFrame(columns, index=flights.index)


def _waiting(flights: pd.DataFrame, cutoff: pd.Series, keys: list[str]) -> _Values:
    """Flights that should have left in the last three hours and have not, at the cutoff.

    Counted as those that were due minus those that are gone, so that only departures before the cutoff matter.
    """
    given_up = flights["scheduled_departure"] + GIVEN_UP
    gone = flights["departure"].fillna(given_up).clip(upper=given_up)
    due = gone.where(gone < flights["scheduled_departure"], flights["scheduled_departure"])
    group = _key(flights, keys)
    return (
        _Events(group, due, []).within(group, cutoff, None)[0] - _Events(group, gone, []).within(group, cutoff, None)[0]
    )


def _means(found: list[_Values]) -> list[_Values]:
    count, *sums = found
    with np.errstate(invalid="ignore", divide="ignore"):
        return [count, *(np.where(count > 0, np.round(total / count, 9), np.nan) for total in sums)]


def _key(table: pd.DataFrame, columns: list[str]) -> pd.Series:
    key = table[columns[0]].astype(str)
    for column in columns[1:]:
        key = key + "/" + table[column].astype(str)
    return key


def _nanoseconds(instants: pd.Series) -> _Array:
    return cast("_Array", instants.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("datetime64[ns]").astype("int64"))
