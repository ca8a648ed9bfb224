"""Migrate the database, then run `mlflow server` for as long as the database knows the password.

The password never enters an address, an argument or a log: PostgreSQL's client library reads it from `PGPASSWORD`,
which only this process and its children can see. RDS rotates a managed password, and ECS injects secrets only when a
task starts: once PostgreSQL refuses the one we have, the container ends and ECS starts another with the new one.
"""

import os
import signal
import subprocess
import sys
from types import FrameType

from .migrate import connect
from .settings import Settings, SettingsError, server_arguments

CHECK_SECONDS = 30
"""How often the password is tried. Connections that are open outlive a rotation, so this is no hurry."""

STOP_SECONDS = 20
"""ECS kills a task 30 seconds after it asked it to stop."""


def main() -> int:
    """The server's exit status, or 1 and the reason on standard error."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_PASSWORD"}
    environment |= settings.variables
    # A process of its own: what MLflow loads to migrate need not stay in memory.
    migration = subprocess.run(
        [sys.executable, "-m", "tracking.migrate"], env={**environment, **settings.database_variables}, check=False
    )
    if migration.returncode != 0:
        return 1
    command = [sys.executable, "-m", "mlflow", *server_arguments(settings)]
    with subprocess.Popen(command, env=environment, start_new_session=True) as server:  # noqa: S603 - no shell
        _stop_on_signal(server)
        return _watch(server, settings)


def _watch(server: "subprocess.Popen[bytes]", settings: Settings) -> int:
    while True:
        try:
            return abs(server.wait(timeout=CHECK_SECONDS))
        except subprocess.TimeoutExpired:
            if reason := _refused(settings):
                sys.stderr.write(f"PostgreSQL refuses the password that this task was started with: {reason}\n")
                _stop(server)
                return 1


def _refused(settings: Settings) -> str:
    """PostgreSQL's words when it refuses the password; empty when it accepts it or cannot be reached at all."""
    import psycopg2  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource] - in the image's environment only

    try:
        connect(settings.database_variables, settings.password).close()
    except psycopg2.OperationalError as error:
        return str(error).strip() if "authentication failed" in str(error) else ""
    return ""


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End MLflow and the workers it started, which share a process group."""
    os.killpg(server.pid, signal.SIGTERM)
    try:
        server.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)


def _stop_on_signal(server: "subprocess.Popen[bytes]") -> None:
    def forward(_signum: int, _frame: FrameType | None) -> None:
        _stop(server)
        sys.exit(0)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)


if __name__ == "__main__":
    sys.exit(main())
