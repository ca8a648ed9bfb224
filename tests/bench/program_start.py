"""How long the real program takes to its first registration, with service packages imported lazily and whole.

`bare` is the same process without a program: Python, the SDK and the engine.
"""

import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNS = 7
CASES = {
    "lazy": ["-m", "tests.bench._first_registration", "lazy"],
    "eager": ["-m", "tests.bench._first_registration", "eager"],
    "bare": ["-c", "import pulumi, infra.local.engine"],
}


def main() -> dict[str, object]:
    """Medians over alternating runs after one that warms the file cache: seconds passed and of processor time."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in CASES}
    for run in range(RUNS + 1):
        for name, arguments in CASES.items():
            measured = _timed(arguments)
            if run:
                times[name].append(measured)
    figures: dict[str, object] = {"runs": RUNS}
    for name, measured in times.items():
        wall, processor = (statistics.median(column) for column in zip(*measured, strict=True))
        figures[name] = {"wall_s": round(wall, 2), "processor_s": round(processor, 2)}
    return figures


def _timed(arguments: list[str]) -> tuple[float, float]:
    before, begun = _processor(), time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - begun, _processor() - before


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
