"""What the task definition's environment says, as MLflow's settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import quote

REQUIRED = ("DATABASE_HOST", "DATABASE_NAME", "DATABASE_USER", "DATABASE_PASSWORD", "ARTIFACTS_URI")

# Requests come through a load balancer: by its own name, by an address in the network, or on the loopback interface.
LOAD_BALANCER_HOSTS = ("*.elb.amazonaws.com", "*.elb.amazonaws.com:*")
PRIVATE_HOSTS = ("localhost", "localhost:*", "127.*", "10.*", "192.168.*", *(f"172.{part}.*" for part in range(16, 32)))


class SettingsError(Exception):
    """A variable is missing or wrong; the text names it and never its value when that is secret."""


@dataclass(frozen=True)
class Settings:
    """Where the database is, where artifacts go and where to listen."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    artifacts_uri: str
    bind_address: str
    bind_port: int
    allowed_hosts: tuple[str, ...]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read DATABASE_HOST, DATABASE_PORT (5432), DATABASE_NAME, DATABASE_USER, DATABASE_PASSWORD, ARTIFACTS_URI,
        BIND_ADDRESS (every interface), PORT (5000) and ALLOWED_HOSTS (more host names, comma-separated: the name on a
        certificate).

        Raises SettingsError.
        """
        missing = [name for name in REQUIRED if not environment.get(name)]
        if missing:
            raise SettingsError(f"not set: {', '.join(missing)}; the task definition must give them")
        more = tuple(host.strip() for host in environment.get("ALLOWED_HOSTS", "").split(",") if host.strip())
        return cls(
            host=environment["DATABASE_HOST"],
            port=_port(environment, "DATABASE_PORT", "5432"),
            name=environment["DATABASE_NAME"],
            user=environment["DATABASE_USER"],
            password=environment["DATABASE_PASSWORD"],
            artifacts_uri=environment["ARTIFACTS_URI"],
            bind_address=environment.get("BIND_ADDRESS", "0.0.0.0"),  # noqa: S104 - a container's own interface
            bind_port=_port(environment, "PORT", "5000"),
            allowed_hosts=(*LOAD_BALANCER_HOSTS, *PRIVATE_HOSTS, *more, *(f"{host}:*" for host in more)),
        )

    @property
    def database_uri(self) -> str:
        """SQLAlchemy's address, without the password."""
        user, name = quote(self.user, safe=""), quote(self.name, safe="")
        return f"postgresql+psycopg2://{user}@{self.host}:{self.port}/{name}"

    @property
    def database_variables(self) -> dict[str, str]:
        """Where the database is, with defaults filled in."""
        return {
            "DATABASE_HOST": self.host,
            "DATABASE_PORT": str(self.port),
            "DATABASE_NAME": self.name,
            "DATABASE_USER": self.user,
        }

    @property
    def variables(self) -> dict[str, str]:
        """What the server process reads from its environment. `PGSSLMODE` and `PGSSLROOTCERT` pass through as given."""
        return {
            "PGPASSWORD": self.password,
            "MLFLOW_BACKEND_STORE_URI": self.database_uri,
            "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(self.allowed_hosts),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }


def server_arguments(settings: Settings) -> list[str]:
    """Arguments of `mlflow`: one worker, and artifacts through the server so that clients need no S3 permissions."""
    return [
        "server",
        f"--host={settings.bind_address}",
        f"--port={settings.bind_port}",
        "--workers=1",
        "--serve-artifacts",
        f"--artifacts-destination={settings.artifacts_uri}",
    ]


def _port(environment: Mapping[str, str], name: str, default: str) -> int:
    given = environment.get(name, default)
    if not given.isdecimal() or not 1 <= int(given) <= 65535:
        raise SettingsError(f"{name} must be a port between 1 and 65535, got {given}")
    return int(given)
