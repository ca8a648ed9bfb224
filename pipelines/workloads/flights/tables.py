"""The workload's tables: raw ones as they came, and features with their label by month."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pandas is typed in part.

import pandas as pd

from pipelines.lake import Tables, by_month
from pipelines.progress import Progress
from pipelines.workloads.flights import features, source

TRAIN_MONTHS = range(1, 9)
TEST_MONTH = 9


def compute(progress: Progress) -> Tables:
    """Read the sources and compute every flight's features."""
    progress("data", "read flights and weather of 2013")
    flights, weather = source.flights(), source.weather()
    progress("data", f"features of {len(flights)} flights as known two hours before departure")
    table = labelled(flights, weather)
    month = table["scheduled_departure"].dt.tz_convert(source.NEW_YORK).dt.month
    counts = flights["outcome"].value_counts()
    progress("data", f"{len(table)} arrived; left out: {counts['cancelled']} cancelled, {counts['diverted']} diverted")
    return Tables(
        raw={
            **_monthly("flights", flights, "scheduled_departure"),
            **_monthly("weather", weather, "observed"),
        },
        channels={
            "train": _local_months(table[month.isin(TRAIN_MONTHS)]),
            "test": _local_months(table[month == TEST_MONTH]),
        },
    )


def labelled(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Features, label `late`, `flight_id` and `scheduled_departure` of the flights that arrived as planned.

    Cancelled and diverted flights count in the features of others, as far as known, and get no row of their own: the
    label is undefined for them.
    """
    table = features.build(flights, weather)
    table.insert(0, "flight_id", flights["flight_id"])
    table.insert(1, "scheduled_departure", flights["scheduled_departure"])
    table["late"] = features.late(flights)
    return table[table["late"].notna()].reset_index(drop=True)


def _monthly(name: str, table: pd.DataFrame, column: str) -> dict[str, pd.DataFrame]:
    local = table[column].dt.tz_convert(source.NEW_YORK)
    return {f"{name}/{part}": rows for part, rows in by_month(table, local).items()}


def _local_months(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return by_month(table, table["scheduled_departure"].dt.tz_convert(source.NEW_YORK))
