"""`up` and `up` again of 10, 100 and 500 resources: the embedded engine beside the Pulumi CLI, where that is on PATH.

Both run the same program as a process of their own, on the same provider (a folder, so that the cloud costs next to
nothing; served to the CLI as a plugin) and the same file backend, encrypted by a passphrase. A tenth of the resources
stand free; each of the others uses an output of the one ten before it.
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench._embedded import PASSPHRASE

ROOT = Path(__file__).parents[2]
RUNS = {10: 5, 100: 3, 500: 3}
"""Repetitions by number of resources; each makes a new stack."""
PATIENCE_SECONDS = 600
# (wall, processor) seconds of a run
Times = tuple[float, float]

PROJECT = f"""
name: scale
runtime:
  name: python
  options:
    toolchain: pip
    virtualenv: {sys.prefix}
stackConfigDir: stacks
"""
PROGRAM = """
from tests.support.directory_cloud import Item

items = []
for number in range({count}):
    links = [items[number - 10].arn] if number >= 10 else []
    items.append(Item(f"item-{{number}}", {{"size": 1, "links": links}}))
"""
PLUGIN = f"""#!{sys.executable}
import sys
from pathlib import Path
from pulumi.provider.experimental import server
from tests.support.directory_cloud import DirectoryProvider
server.main(sys.argv[1:], "1.2.3", DirectoryProvider(Path({{cloud!r}})))
"""


def main() -> dict[str, object]:
    """Medians by number of resources, engine and operation: seconds passed and seconds of processor time."""
    engines: dict[str, Callable[[Path], None]] = {"embedded": _embedded}
    if shutil.which("pulumi") is not None:
        engines["pulumi_cli"] = _pulumi_up
    figures: dict[str, object] = {"runs": {str(count): runs for count, runs in RUNS.items()}}
    for count, runs in RUNS.items():
        measured: dict[str, dict[str, list[Times]]] = {name: {"up": [], "up_again": []} for name in engines}
        for _ in range(runs):
            for name, up in engines.items():
                with tempfile.TemporaryDirectory() as folder:
                    _write(Path(folder), count)
                    if name == "pulumi_cli":
                        _pulumi(Path(folder), "stack", "init")
                    measured[name]["up"].append(_timed(up, Path(folder)))
                    measured[name]["up_again"].append(_timed(up, Path(folder)))
        figures[str(count)] = {
            name: {operation: _median(times) for operation, times in by_operation.items()}
            for name, by_operation in measured.items()
        }
    if "pulumi_cli" not in engines:
        figures["pulumi_cli"] = "not on PATH"
    return figures


def _median(times: list[Times]) -> dict[str, float]:
    wall, processor = (statistics.median(column) for column in zip(*times, strict=True))
    return {"wall_s": round(wall, 2), "processor_s": round(processor, 2)}


def _timed(up: Callable[[Path], None], folder: Path) -> Times:
    before, begun = _processor(), time.perf_counter()
    up(folder)
    return time.perf_counter() - begun, _processor() - before


def _processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _write(folder: Path, count: int) -> None:
    (folder / "state").mkdir()
    (folder / "stacks").mkdir()
    (folder / "stacks" / "Pulumi.bench.yaml").write_text("config: {}\n")
    (folder / "Pulumi.yaml").write_text(PROJECT)
    (folder / "__main__.py").write_text(PROGRAM.format(count=count))
    plugin = folder / "bin" / "pulumi-resource-dir"
    plugin.parent.mkdir()
    plugin.write_text(PLUGIN.format(cloud=str(folder / "cloud")))
    plugin.chmod(0o755)


def _embedded(folder: Path) -> None:
    _run([sys.executable, "-m", "tests.bench._embedded", str(folder)], ROOT, dict(os.environ))


def _pulumi_up(folder: Path) -> None:
    _pulumi(folder, "up", "--yes", "--skip-preview")


def _pulumi(folder: Path, *arguments: str) -> None:
    environment = os.environ | {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PULUMI_HOME": str(folder / "pulumi-home"),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
    }
    _run(["pulumi", *arguments, "--non-interactive", "--stack", "bench"], folder, environment)


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    ended = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {ended.stdout[-1000:]}{ended.stderr[-1000:]}")
