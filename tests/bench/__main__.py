"""`make bench [ONLY=name…]`: run every benchmark and keep its figures with the facts of the machine.

Results go to `tests/bench/results/<name>.json`. A benchmark is a module here with `main() -> dict`; what it prints goes
to stderr as it comes.
"""

import importlib
import json
import os
import pkgutil
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, object]:
    """Facts that figures depend on."""
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("pulumi", "pulumi-aws", "moto", "boto3")},
    }


def main(only: list[str]) -> None:
    """Run the named benchmarks, or all of them."""
    found = sorted(
        module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]) if not module.name.startswith("_")
    )
    if unknown := set(only) - set(found):
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(found)}")
    RESULTS.mkdir(exist_ok=True)
    for name in only or found:
        module = importlib.import_module(f"tests.bench.{name}")
        if not hasattr(module, "main"):
            continue
        print(f"bench {name}", file=sys.stderr)
        document = {"when": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": machine(), "figures": module.main()}
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
        print(json.dumps(document["figures"], indent=2))


if __name__ == "__main__":
    main(sys.argv[1:])
