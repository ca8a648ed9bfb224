"""Serve on BIND_ADDRESS:PORT until told to stop."""

import os
import sys

import uvicorn

from pipelines.experimentation.errors import ExperimentError
from pipelines.experimentation.service.app import application
from pipelines.experimentation.service.services import assemble
from pipelines.experimentation.service.settings import Settings

STOP_SECONDS = 20
"""ECS kills a task 30 seconds after it asked it to stop."""


def main() -> int:
    """Exit status; 1 with the reason on standard error for a wrong environment."""
    try:
        app = application(assemble(Settings.from_environment(os.environ)))
    except ExperimentError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    uvicorn.run(
        app,
        host=os.environ.get("BIND_ADDRESS", "127.0.0.1"),
        port=int(os.environ.get("PORT", "8080")),
        timeout_graceful_shutdown=STOP_SECONDS,
        access_log=False,
        server_header=False,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
