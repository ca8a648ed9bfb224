"""Nanoseconds per assignment beside the SDKs of GrowthBook, Unleash and Flagsmith, and agreement with the first."""

import json
import sys
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipelines.experimentation.assignment import Assigner
from pipelines.experimentation.assignment.growthbook import growthbook_experiment
from tests.bench._peers import run_peer
from tests.unit.experimentation.placements import CONFIGURATION, units

COUNT, REPEATS = 4_000, 5


def best(call: Callable[[str], object], names: list[str]) -> float:
    """Least mean nanoseconds of processor time of a pass over the units."""
    passes = list[float]()
    for _ in range(REPEATS):
        started = time.thread_time_ns()
        for name in names:
            call(name)
        passes.append((time.thread_time_ns() - started) / len(names))
    return min(passes)


def main() -> dict[str, object]:
    """Figures by shape of identifier, every unit a new one."""
    assigner = Assigner(CONFIGURATION, clock=lambda: CONFIGURATION.issued_at.timestamp() + 1)
    live = Assigner(CONFIGURATION.model_copy(update={"expires_at": datetime.now(UTC) + timedelta(days=1)}))
    shapes = {
        "user-12345": [f"user-{i:05d}" for i in range(COUNT)],
        "uuid": [str(uuid.UUID(int=i * 2**70)) for i in range(COUNT)],
    }
    figures = dict[str, object]()
    for shape, names in shapes.items():
        peers: dict[str, float] = run_peer("assignment", "calls.py", {"units": names, "repeats": REPEATS})
        ours = best(lambda unit: live.variant("plain", unit), names)
        layered = best(lambda unit: live.variant("first", unit), names)
        figures[shape] = {
            "nanoseconds": {"mlp": round(ours), **{name: round(value) for name, value in peers.items()}},
            "mlp in a layer": round(layered),
            "times faster than growthbook": round(peers["growthbook"] / ours, 1),
        }
        print(shape, figures[shape], file=sys.stderr)
    task = {
        "experiments": [growthbook_experiment(CONFIGURATION, e) for e in CONFIGURATION.experiments],
        "units": units(),
    }
    placed = run_peer("assignment", "growthbook_placements.py", task)
    ours_placed = {e.key: [assigner.variant(e.key, *unit) for unit in units()] for e in CONFIGURATION.experiments}
    figures["placements equal to GrowthBook's"] = sum(
        a == b for key, row in placed.items() for a, b in zip(row, ours_placed[key], strict=True)
    )
    figures["placements compared"] = sum(len(row) for row in placed.values())
    return figures


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
