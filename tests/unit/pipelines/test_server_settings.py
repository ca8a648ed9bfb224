"""How the registry's container reads its environment."""

import fnmatch

import pytest

from pipelines.registry.server.tracking.settings import Settings, SettingsError, server_arguments

ENVIRONMENT = {
    "DATABASE_HOST": "db.internal",
    "DATABASE_NAME": "mlflow",
    "DATABASE_USER": "mlflow admin",
    "DATABASE_PASSWORD": "canary-p@ss/word",
    "ARTIFACTS_URI": "s3://mlp-test-artifacts/registry",
}


def test_the_password_is_in_one_variable_and_nowhere_else() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    told = [repr(settings), settings.database_uri, *server_arguments(settings), *settings.database_variables.values()]
    told += [value for name, value in settings.variables.items() if name != "PGPASSWORD"]
    assert [text for text in told if "canary" in text] == []
    assert settings.variables["PGPASSWORD"] == "canary-p@ss/word"


def test_defaults_are_those_of_postgresql_and_mlflow() -> None:
    settings = Settings.from_environment(ENVIRONMENT)
    assert settings.database_uri == "postgresql+psycopg2://mlflow%20admin@db.internal:5432/mlflow"
    assert (settings.bind_address, settings.bind_port) == ("0.0.0.0", 5000)  # noqa: S104 - what a container binds


def test_everything_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsError, match="not set: DATABASE_HOST, DATABASE_PASSWORD;"):
        Settings.from_environment(ENVIRONMENT | {"DATABASE_HOST": "", "DATABASE_PASSWORD": ""})


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(SettingsError, match=f"PORT must be a port between 1 and 65535, got {port}"):
        Settings.from_environment(ENVIRONMENT | {"PORT": port})


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("internal-mlp-1.eu-west-1.elb.amazonaws.com", True),
        ("internal-mlp-1.eu-west-1.elb.amazonaws.com:443", True),
        ("10.0.1.7:5000", True),
        ("127.0.5.1", True),
        ("registry.example.org", True),
        ("registry.example.org:443", True),
        ("evil.example.org", False),
        ("elb.amazonaws.com.evil.example.org", False),
        ("172.15.0.1", False),
    ],
)
def test_requests_come_by_the_balancers_name_a_private_address_or_the_certificates_name(
    host: str, allowed: bool
) -> None:
    settings = Settings.from_environment(ENVIRONMENT | {"ALLOWED_HOSTS": "registry.example.org"})
    patterns = settings.variables["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    assert any(fnmatch.fnmatch(host, pattern) for pattern in patterns) == allowed
