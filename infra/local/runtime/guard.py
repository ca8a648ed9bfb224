"""Waits for the embedded AWS to end and then stops whatever it left running.

Started by the server with the read end of a pipe as standard input; the kernel closes the other end when the server
ends, even by SIGKILL. Usage: `python -m infra.local.runtime.guard CLOUD_FOLDER`.
"""

import sys
from pathlib import Path


def main() -> None:
    """Block until standard input ends, then sweep."""
    sys.stdin.buffer.read()
    # psutil costs memory; it is loaded only when there is something to do.
    from infra.local.runtime import marks, scratch  # noqa: PLC0415 - see above

    cloud = Path(sys.argv[1])
    marks.sweep(cloud)
    scratch.remove(cloud)


if __name__ == "__main__":
    main()
