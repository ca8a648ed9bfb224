import json
from typing import Any

import psycopg
import pytest

from infra.local import server
from tests.local.cloud.conftest import Cloud, until

pytestmark = pytest.mark.local


def instance(cloud: Cloud, name: str, **more: Any) -> dict[str, Any]:
    rds = cloud.client("rds")
    request: dict[str, Any] = {
        "DBInstanceIdentifier": name,
        "Engine": "postgres",
        "EngineVersion": "17.4",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "MasterUsername": "mlflow",
        "DBName": "mlflow",
    }
    made = rds.create_db_instance(**{**request, **more})["DBInstance"]
    assert made["DBInstanceStatus"] == "creating"

    def look() -> dict[str, Any] | None:
        described = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        assert described["DBInstanceStatus"] != "failed"
        return described if described["DBInstanceStatus"] == "available" else None

    return until(look, 60.0, f"{name} to be available")


def ask(described: dict[str, Any], password: str, statement: str, **more: Any) -> Any:
    at = described["Endpoint"]
    with psycopg.connect(
        host=at["Address"], port=at["Port"], user="mlflow", password=password, dbname="mlflow", **more
    ) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_a_managed_instance_is_a_real_postgres_that_its_secret_opens(cloud: Cloud) -> None:
    described = instance(cloud, "registry", ManageMasterUserPassword=True)
    secret = json.loads(
        cloud.client("secretsmanager").get_secret_value(SecretId=described["MasterUserSecret"]["SecretArn"])[
            "SecretString"
        ]
    )

    assert described["Endpoint"]["Port"] == 5432
    assert described["Endpoint"]["Address"].startswith("127.")
    assert secret["username"] == "mlflow"
    assert ask(described, secret["password"], "select current_user, current_database()") == [("mlflow", "mlflow")]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        ask(described, "guess", "select 1")

    cloud.client("rds").modify_db_instance(
        DBInstanceIdentifier="registry", RotateMasterUserPassword=True, ApplyImmediately=True
    )
    rotated = json.loads(
        cloud.client("secretsmanager").get_secret_value(SecretId=described["MasterUserSecret"]["SecretArn"])[
            "SecretString"
        ]
    )
    assert rotated["password"] != secret["password"]
    assert ask(described, rotated["password"], "select 1") == [(1,)]

    cloud.client("rds").delete_db_instance(DBInstanceIdentifier="registry", SkipFinalSnapshot=True)
    assert not [row for row in server.services(cloud.home) if row.name.startswith("rds-registry")]
    with pytest.raises(psycopg.OperationalError):
        ask(described, rotated["password"], "select 1")
