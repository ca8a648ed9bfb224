"""Tables of the flights workload: columns, their pandas types, their units and when they become known."""

INSTANT = "datetime64[us, UTC]"

FLIGHTS = {
    "flight_id": "object",  # carrier, number, origin and scheduled departure
    "carrier": "object",
    "flight": "int32",
    "tailnum": "object",  # may be missing
    "origin": "object",
    "dest": "object",
    "distance": "int32",  # miles
    "scheduled_departure": INSTANT,
    "scheduled_arrival": INSTANT,
    "departure": INSTANT,  # missing: cancelled
    "arrival": INSTANT,  # missing: cancelled or diverted
    "arrival_delay": "float64",  # minutes, negative when early
    "outcome": "object",  # arrived, diverted or cancelled
}
"""One row per scheduled flight. Known two hours ahead: everything before `departure`, except `tailnum`."""

WEATHER = {
    "origin": "object",
    "observed": INSTANT,  # start of the hour that the observation belongs to
    "temp": "float64",  # °F
    "dewp": "float64",  # °F
    "humid": "float64",  # percent
    "wind_dir": "float64",  # degrees
    "wind_speed": "float64",  # miles per hour
    "wind_gust": "float64",  # miles per hour
    "precip": "float64",  # inches in the hour
    "pressure": "float64",  # millibar
    "visib": "float64",  # miles
}
"""One row per airport and hour."""
