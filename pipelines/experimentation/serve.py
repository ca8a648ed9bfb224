"""The image's entry point: makes `pipelines.experimentation` importable from this folder alone, and serves.

In the image the folder lies under `pipelines/experimentation` of an otherwise empty root; in a checkout it lies there
anyway. Either way the package's root is two folders up. Start it with `python -P`: this folder's own modules must not
be importable by their short names.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipelines.experimentation.service.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
