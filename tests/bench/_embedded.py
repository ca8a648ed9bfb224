"""`python -m tests.bench._embedded <folder>`: one `up` of the stack in a folder by the embedded engine."""

import sys
from pathlib import Path

from infra.local.engine import Engine
from tests.support.directory_cloud import PACKAGE, DirectoryProvider

PASSPHRASE = "a passphrase"


def main(folder: Path) -> None:
    """Deploy `<folder>/__main__.py` onto the directory cloud beside it."""
    Engine(
        project="scale",
        stack="bench",
        root=folder,
        backend=folder / "state",
        passphrase=PASSPHRASE,
        providers={PACKAGE: DirectoryProvider(folder / "cloud")},
    ).up()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
