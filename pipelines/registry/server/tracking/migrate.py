"""`python -m tracking.migrate`: bring the database's schema to this MLflow's version, one task at a time."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

# Two tasks may start at once; PostgreSQL lets one of them migrate while the other waits. Any constant will do.
MIGRATION_LOCK = 7263001


def connect(environment: Mapping[str, str], password: str) -> Any:
    """A connection to the database that DATABASE_HOST, _PORT, _NAME and _USER name. Raises psycopg2's errors."""
    import psycopg2  # noqa: PLC0415 # pyright: ignore[reportMissingModuleSource] - in the image's environment only

    return psycopg2.connect(
        host=environment["DATABASE_HOST"],
        port=environment["DATABASE_PORT"],
        dbname=environment["DATABASE_NAME"],
        user=environment["DATABASE_USER"],
        password=password,
        connect_timeout=10,
    )


def main() -> None:
    """Exit with status 1 and one line on standard error when the database does not allow it."""
    where = f"{os.environ['DATABASE_HOST']}:{os.environ['DATABASE_PORT']}/{os.environ['DATABASE_NAME']}"
    try:
        from mlflow.db import upgrade  # noqa: PLC0415 - inside the try: its import may fail as well

        connection = connect(os.environ, os.environ["PGPASSWORD"])
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
            cast("Callable[[str], None]", upgrade.callback)(os.environ["MLFLOW_BACKEND_STORE_URI"])
        finally:
            connection.close()
    except Exception as error:  # noqa: BLE001 - ECS shows the log's last line; a traceback could show values
        sys.exit(f"cannot prepare the database {where}: {type(error).__name__}: {str(error).strip()}")


if __name__ == "__main__":
    main()
