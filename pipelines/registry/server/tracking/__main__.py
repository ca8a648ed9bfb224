"""Migrate the database, then become `mlflow server`.

The password never enters an address, an argument or a log: PostgreSQL's client library reads it from `PGPASSWORD`,
which only this process and the server it becomes can see.
"""

import os
import sys
from collections.abc import Callable
from typing import cast

from .settings import Settings, SettingsError, server_arguments

# Two tasks may start at once; PostgreSQL lets one of them migrate while the other waits. Any constant will do.
MIGRATION_LOCK = 7263001


def migrate(settings: Settings) -> None:
    """Bring the schema to this MLflow's version, one process at a time."""
    import psycopg2  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource] - in the image's environment only
    from mlflow.db import upgrade  # noqa: PLC0415 - as above

    # The address without a user's password; psycopg2 takes that from PGPASSWORD.
    connection = psycopg2.connect(
        host=settings.host, port=settings.port, dbname=settings.name, user=settings.user, connect_timeout=10
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        cast("Callable[[str], None]", upgrade.callback)(settings.database_uri)
    finally:
        connection.close()


def main() -> None:
    """Exit with status 1 and the reason on standard error when environment or database do not allow a start."""
    try:
        settings = Settings.from_environment(os.environ)
    except SettingsError as error:
        sys.exit(str(error))
    os.environ.update(settings.variables)
    del os.environ["DATABASE_PASSWORD"]
    try:
        migrate(settings)
    except Exception as error:  # noqa: BLE001 - ECS shows the log's last line; a traceback could show values
        sys.exit(f"cannot prepare the database {settings.database_uri}: {type(error).__name__}: {error}")
    arguments = [sys.executable, "-m", "mlflow", *server_arguments(settings)]
    os.execv(sys.executable, arguments)  # noqa: S606 - becomes the server, no shell


if __name__ == "__main__":
    main()
