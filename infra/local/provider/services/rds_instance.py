"""RDS: database instances."""

import time
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.convert import Conversion
from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.services.rds import MISSING, arn, tagging
from infra.local.provider.spec import Call, Read, Spec
from infra.local.provider.values import mapping, sequence

_MODIFIED = (
    "allocatedStorage",
    "allowMajorVersionUpgrade",
    "autoMinorVersionUpgrade",
    "backupRetentionPeriod",
    "backupWindow",
    "caCertIdentifier",
    "copyTagsToSnapshot",
    "dbSubnetGroupName",
    "deletionProtection",
    "engineVersion",
    "iamDatabaseAuthenticationEnabled",
    "instanceClass",
    "iops",
    "maintenanceWindow",
    "manageMasterUserPassword",
    "masterUserSecretKmsKeyId",
    "maxAllocatedStorage",
    "monitoringInterval",
    "monitoringRoleArn",
    "multiAz",
    "networkType",
    "parameterGroupName",
    "password",
    "performanceInsightsEnabled",
    "performanceInsightsKmsKeyId",
    "performanceInsightsRetentionPeriod",
    "port",
    "publiclyAccessible",
    "storageThroughput",
    "storageType",
    "vpcSecurityGroupIds",
)

INSTANCE = Spec(
    type="aws:rds/instance:Instance",
    service="rds",
    id="{identifier}",
    create=Call(operation="CreateDBInstance"),
    read=Read(operation="DescribeDBInstances", params={"DBInstanceIdentifier": "{id}"}, select="DBInstances[0]"),
    updates=(
        Call(
            operation="ModifyDBInstance",
            params={"DBInstanceIdentifier": "{id}", "ApplyImmediately": True},
            send=_MODIFIED,
        ),
    ),
    delete=Call(operation="DeleteDBInstance", params={"DBInstanceIdentifier": "{id}"}),
    tags=tagging(arn("db")),
    name=Name("identifier", max=63, prefix_property="identifierPrefix", lower=True),
    replace=frozenset(
        (
            "availabilityZone",
            "characterSetName",
            "dbName",
            "engine",
            "identifier",
            "kmsKeyId",
            "storageEncrypted",
            "timezone",
            "username",
        )
    ),
    rename={
        "arn": "DBInstanceArn",
        "identifier": "DBInstanceIdentifier",
        "instanceClass": "DBInstanceClass",
        "username": "MasterUsername",
        "password": "MasterUserPassword",
        "dbName": "DBName",
        "dbSubnetGroupName": "DBSubnetGroupName",
        "parameterGroupName": "DBParameterGroupName",
        "iamDatabaseAuthenticationEnabled": "EnableIAMDatabaseAuthentication|IAMDatabaseAuthenticationEnabled",
        "performanceInsightsEnabled": "EnablePerformanceInsights|PerformanceInsightsEnabled",
        "performanceInsightsKmsKeyId": "PerformanceInsightsKMSKeyId",
        "enabledCloudwatchLogsExports": "EnableCloudwatchLogsExports|EnabledCloudwatchLogsExports",
        "backupWindow": "PreferredBackupWindow",
        "maintenanceWindow": "PreferredMaintenanceWindow",
        "caCertIdentifier": "CACertificateIdentifier",
        "engineVersionActual": "EngineVersion",
        "resourceId": "DbiResourceId",
        "status": "DBInstanceStatus",
        "masterUserSecrets": "MasterUserSecret",
        "port": "DBPortNumber|Port",
        "vpcSecurityGroupIds": "VpcSecurityGroupIds",
        "manageMasterUserPassword": "ManageMasterUserPassword",
        "endpoint": "",
        "latestRestorableTime": "",
        "listenerEndpoints": "",
        "replicas": "",
    },
    defaults={
        "autoMinorVersionUpgrade": True,
        "copyTagsToSnapshot": False,
        "deleteAutomatedBackups": True,
        "publiclyAccessible": False,
        "skipFinalSnapshot": False,
    },
    computed=frozenset(
        (
            "allocatedStorage",
            "availabilityZone",
            "backupRetentionPeriod",
            "backupTarget",
            "backupWindow",
            "caCertIdentifier",
            "characterSetName",
            "databaseInsightsMode",
            "dbName",
            "dbSubnetGroupName",
            "engine",
            "engineLifecycleSupport",
            "engineVersion",
            "iops",
            "kmsKeyId",
            "licenseModel",
            "maintenanceWindow",
            "masterUserSecretKmsKeyId",
            "maxAllocatedStorage",
            "monitoringInterval",
            "monitoringRoleArn",
            "multiAz",
            "ncharCharacterSetName",
            "networkType",
            "optionGroupName",
            "parameterGroupName",
            "performanceInsightsKmsKeyId",
            "performanceInsightsRetentionPeriod",
            "port",
            "storageThroughput",
            "storageType",
            "timezone",
            "username",
            "vpcSecurityGroupIds",
        )
    ),
    local=frozenset(
        (
            "allowMajorVersionUpgrade",
            "applyImmediately",
            "deleteAutomatedBackups",
            "finalSnapshotIdentifier",
            "identifierPrefix",
            "password",
            "skipFinalSnapshot",
        )
    ),
    unsupported=frozenset(
        (
            "blueGreenUpdate",
            "customIamInstanceProfile",
            "customerOwnedIpEnabled",
            "dedicatedLogVolume",
            "domain",
            "domainAuthSecretArn",
            "domainDnsIps",
            "domainFqdn",
            "domainIamRoleName",
            "domainOu",
            "passwordWo",
            "passwordWoVersion",
            "replicaMode",
            "replicateSourceDb",
            "restoreToPointInTime",
            "s3Import",
            "snapshotIdentifier",
            "upgradeStorageConfig",
            "warningEventCategories",
        )
    ),
    handled=frozenset(("enabledCloudwatchLogsExports",)),
    secrets=frozenset(("password",)),
    missing=MISSING,
)


class Instance(Handler):
    """An instance takes its time, and its answer names things one level deeper than Pulumi does."""

    poll_seconds = 0.5
    timeout_seconds = 3600.0

    def check(self, inputs: dict[str, Any], conversion: Conversion) -> None:
        """RDS manages the password, or the program gives one."""
        if inputs.get("manageMasterUserPassword") and inputs.get("password") is not None:
            conversion.fail("password", "stands beside manageMasterUserPassword; give one of the two")

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Name the logs to export, and where the port belongs in a create call."""
        port = params.pop("DBPortNumber", None)
        exports = scope.inputs.get("enabledCloudwatchLogsExports")
        return {
            **params,
            **({"Port": port} if port else {}),
            **({"EnableCloudwatchLogsExports": exports} if exports else {}),
        }

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The instance in the shape of Pulumi's properties."""
        item = super().fetch(scope)
        if item is None:
            return None
        endpoint = mapping(item.pop("Endpoint", None))
        secret = mapping(item.get("MasterUserSecret"))
        item |= {
            "Address": endpoint.get("Address"),
            "Port": endpoint.get("Port"),
            "HostedZoneId": endpoint.get("HostedZoneId"),
            "VpcSecurityGroupIds": [group["VpcSecurityGroupId"] for group in item.get("VpcSecurityGroups", ())],
            "DBSubnetGroupName": mapping(item.get("DBSubnetGroup")).get("DBSubnetGroupName"),
            "MasterUserSecret": [secret] if secret else None,
            "ManageMasterUserPassword": bool(secret) or None,
            "MasterUserSecretKmsKeyId": secret.get("KmsKeyId"),
        }
        groups = sequence(item.get("DBParameterGroups"))
        item["DBParameterGroupName"] = groups[0].get("DBParameterGroupName") if groups else None
        return item

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The properties; a version given in part stays in part."""
        result = super().outputs(scope, item)
        if result.get("address"):
            result["endpoint"] = f"{result['address']}:{result.get('port')}"
        asked = scope.lookup_before("engineVersion")
        if asked and str(result.get("engineVersion", "")).startswith(f"{asked}."):
            result["engineVersion"] = asked
        return result

    def created(self, scope: Scope) -> None:
        """Wait until the instance takes connections."""
        self._wait(scope, frozenset(("available", "stopped", "storage-optimization")))

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed at once, and wait until it is done."""
        super().update(scope, changed)
        if "enabledCloudwatchLogsExports" in changed:
            wanted = set(sequence(scope.inputs.get("enabledCloudwatchLogsExports")))
            actual = set(sequence(mapping(self.fetch(scope)).get("EnabledCloudwatchLogsExports")))
            exports = {"EnableLogTypes": sorted(wanted - actual), "DisableLogTypes": sorted(actual - wanted)}
            scope.call("ModifyDBInstance", DBInstanceIdentifier=scope.id, CloudwatchLogsExportConfiguration=exports)
        self._wait(scope, frozenset(("available", "stopped", "storage-optimization")))

    def delete(self, scope: Scope) -> None:
        """Delete the instance, with a final snapshot unless that was waived, and wait until it is gone."""
        final = scope.lookup("finalSnapshotIdentifier")
        snapshot = {"FinalDBSnapshotIdentifier": final} if final else {}
        if not scope.lookup("skipFinalSnapshot") and not final:
            raise LocalError(
                f"database {scope.id} has skipFinalSnapshot off and no finalSnapshotIdentifier, so it is kept. "
                "Give it a snapshot's name, or set skipFinalSnapshot, deploy, and destroy again."
            )
        scope.call(
            "DeleteDBInstance",
            DBInstanceIdentifier=scope.id,
            SkipFinalSnapshot=not final,
            DeleteAutomatedBackups=scope.lookup("deleteAutomatedBackups") is not False,
            **snapshot,
        )
        self._wait(scope, frozenset())

    def _wait(self, scope: Scope, settled: frozenset[str]) -> None:
        deadline = time.monotonic() + self.timeout_seconds
        while (item := scope.read(self.spec.read)) is not None and item.get("DBInstanceStatus") not in settled:
            status = item.get("DBInstanceStatus")
            if status in {"failed", "incompatible-parameters", "incompatible-network", "storage-full"}:
                raise LocalError(
                    f"database {scope.id} is {status}; see its log and events, mend the cause, deploy again"
                )
            if time.monotonic() > deadline:
                raise LocalError(f"database {scope.id} is still {status} after {self.timeout_seconds:.0f} s")
            time.sleep(self.poll_seconds)

    def failed(self, item: dict[str, Any]) -> bool:
        """A failed instance can only be deleted."""
        return item.get("DBInstanceStatus") == "failed"


HANDLERS = (Instance(INSTANCE),)
