"""Databases."""

from typing import Any

from policies.rules import ec2, rds
from tests.policies.cases._case import Case, Entry, Verdict, entry

INSTANCE = entry(
    rds.INSTANCE,
    "database",
    engine="postgres",
    publiclyAccessible=False,
    storageEncrypted=True,
    kmsKeyId="arn:aws:kms:x:1:key/k",
    multiAz=True,
    monitoringInterval=60,
    deletionProtection=True,
    enabledCloudwatchLogsExports=["postgresql", "upgrade"],
    iamDatabaseAuthenticationEnabled=True,
    backupRetentionPeriod=7,
    autoMinorVersionUpgrade=True,
    copyTagsToSnapshot=True,
    dbSubnetGroupName="private",
    port=6432,
    username="mlflow",
    manageMasterUserPassword=True,
    masterUserSecretKmsKeyId="arn:aws:kms:x:1:key/k",
    skipFinalSnapshot=False,
)


def _instance(control: str, attribute: str, bad: Any, missing: Verdict = "fails") -> Case:
    return Case(control, (INSTANCE,), "database", attribute, bad, missing=missing)


_NETWORK: tuple[Entry, ...] = (
    INSTANCE,
    entry(rds.SUBNET_GROUP, "group", name="private", subnetIds=["subnet-1"]),
    entry(ec2.SUBNET, "subnet", id="subnet-1"),
    entry(ec2.ROUTE_TABLE_ASSOCIATION, "association", subnetId="subnet-1", routeTableId="rtb-1"),
    entry(ec2.ROUTE_TABLE, "table", id="rtb-1", routes=[{"cidrBlock": "0.0.0.0/0", "gatewayId": "vgw-1"}]),
)

CASES = (
    _instance("RDS.2", "publiclyAccessible", bad=True, missing="passes"),
    _instance("RDS.3", "storageEncrypted", bad=False),
    _instance("RDS.5", "multiAz", bad=False),
    _instance("RDS.6", "monitoringInterval", 0),
    _instance("RDS.8", "deletionProtection", bad=False),
    _instance("RDS.9", "enabledCloudwatchLogsExports", ["upgrade"]),
    _instance("RDS.36", "enabledCloudwatchLogsExports", ["upgrade"]),
    _instance("RDS.10", "iamDatabaseAuthenticationEnabled", bad=False),
    _instance("RDS.11", "backupRetentionPeriod", 6),
    _instance("RDS.13", "autoMinorVersionUpgrade", bad=False, missing="passes"),
    _instance("RDS.17", "copyTagsToSnapshot", bad=False),
    _instance("RDS.18", "dbSubnetGroupName", ""),
    _instance("RDS.23", "port", 5432),
    _instance("RDS.25", "username", "Postgres", missing="passes"),
    Case("RDS.46", _NETWORK, "table", "routes[0].gatewayId", "igw-1", missing="passes"),
    _instance("MLP.RDS.1", "manageMasterUserPassword", bad=False),
    _instance("MLP.RDS.2", "kmsKeyId", ""),
    _instance("MLP.RDS.2", "masterUserSecretKmsKeyId", ""),
    Case(
        "MLP.RDS.3",
        (
            entry(
                rds.PARAMETER_GROUP,
                "parameters",
                family="postgres17",
                parameters=[{"name": "rds.force_ssl", "value": "1"}],
            ),
        ),
        "parameters",
        "parameters[0].value",
        "0",
    ),
    _instance("MLP.RDS.4", "skipFinalSnapshot", bad=True, missing="passes"),
)
