"""RDS whose PostgreSQL instances are servers of this machine."""

import json
import secrets
import threading
from typing import Any

from moto.rds.exceptions import DBInstanceAlreadyExists, InvalidDBInstanceStateError, InvalidParameterValue
from moto.rds.models import DBInstance, MasterUserSecret, RDSBackend, rds_backends

from infra.local.backends.machine import machine
from infra.local.backends.postgres import Postgres, PostgresError

_DEFAULT_PORT = 5432
_KEPT = {
    "enable_performance_insights": "performance_insights_enabled",
    "performance_insights_kms_key_id": "performance_insights_kms_key_id",
    "performance_insights_retention_period": "performance_insights_retention_period",
    "database_insights_mode": "database_insights_mode",
    "network_type": "network_type",
    "dedicated_log_volume": "dedicated_log_volume",
}


class ManagedSecret(MasterUserSecret):
    """The master user's secret, with the password that the server really has."""

    def __init__(self, resource: "LiveInstance", password: str, kms_key_id: str | None) -> None:
        self._document = {"username": resource.master_username, "password": password}
        super().__init__(resource, kms_key_id)

    def _generate_secret_string(self) -> str:
        return json.dumps(self._document)

    def replace(self, password: str) -> None:
        """Store a new password."""
        self._document["password"] = password
        store: Any = self.secretsmanager
        store.put_secret_value(self.secret.arn, self._generate_secret_string(), None, None, ["AWSCURRENT"])


class LiveInstance(DBInstance):
    """An instance with a server behind its endpoint."""

    def __init__(self, backend: "LiveRds", **settings: Any) -> None:
        managed = bool(settings.pop("manage_master_user_password", False))
        key = settings.pop("master_user_secret_kms_key_id", None)
        password: str = settings.get("master_user_password") or secrets.token_urlsafe(24)
        super().__init__(backend, **settings)
        self.manage_master_user_password = managed
        self.keep(settings)
        self.status = "creating"
        self.server = Postgres(self.db_instance_identifier, int(self.port or _DEFAULT_PORT))
        self.dbi_resource_id = "db-" + secrets.token_hex(13).upper()
        if managed:
            self.master_user_secret = ManagedSecret(self, password, key)
        threading.Thread(
            target=self._create, args=(password,), name=f"create rds-{self.db_instance_identifier}", daemon=True
        ).start()

    @property
    def address(self) -> str:
        """The server's loopback address."""
        return self.server.address

    def keep(self, settings: dict[str, Any]) -> None:
        """Keep settings that moto drops, under the names that DescribeDBInstances gives them."""
        for given, described in _KEPT.items():
            if settings.get(given) is not None:
                setattr(self, described, settings[given])

    def _create(self, password: str) -> None:
        try:
            self.server.create(self.master_username or "postgres", password, self.db_name)
        except (PostgresError, OSError, RuntimeError) as error:
            self.status = "failed"
            log = machine().supervisor.logs / f"rds-{self.db_instance_identifier}.log"
            with log.open("a") as output:
                output.write(f"{error}\n")
            return
        if self.status == "creating":
            self.status = "available"

    def change_password(self, password: str) -> None:
        """Give the master user another password, in the server first and then in its secret."""
        self.server.set_master(self.master_username or "postgres", password)
        if self.manage_master_user_password:
            self.master_user_secret.replace(password)  # pyright: ignore[reportAttributeAccessIssue] - ours, made above


class LiveRds(RDSBackend):
    """moto's RDS; instances of PostgreSQL are real, other engines are refused."""

    def create_db_instance(self, db_kwargs: dict[str, Any]) -> DBInstance:
        """Start creating an instance."""
        identifier = db_kwargs["db_instance_identifier"]
        if identifier in self.databases:
            raise DBInstanceAlreadyExists
        if db_kwargs.get("engine") != "postgres" or db_kwargs.get("db_cluster_identifier"):
            raise InvalidParameterValue(
                f"Engine {db_kwargs.get('engine')!r} is not written for the embedded AWS: "
                "instances of engine 'postgres' outside clusters are."
            )
        self._validate_db_identifier(identifier)
        instance: Any = LiveInstance(self, **db_kwargs)
        self.databases[identifier] = instance
        instance.add_event("DB_INSTANCE_CREATE")
        return instance

    def modify_db_instance(self, db_instance_identifier: str, db_kwargs: dict[str, Any]) -> DBInstance:
        """Change settings; a new master password reaches the server before the answer."""
        instance = self._available(db_instance_identifier)
        password = db_kwargs.get("master_user_password")
        if db_kwargs.pop("rotate_master_user_password", False):
            password = secrets.token_urlsafe(24)
        if db_kwargs.get("manage_master_user_password") and not instance.manage_master_user_password:
            password = secrets.token_urlsafe(24)
            instance.manage_master_user_password = True
            instance.master_user_secret = ManagedSecret(
                instance, password, db_kwargs.get("master_user_secret_kms_key_id")
            )
        db_kwargs.pop("manage_master_user_password", None)
        if password:
            instance.change_password(password)
        instance.keep(db_kwargs)
        return super().modify_db_instance(db_instance_identifier, db_kwargs)

    def modify_db_subnet_group(self, subnet_name: str, *more: Any, **named: Any) -> Any:
        """Change a subnet group, which moto forgets afterwards."""
        group = super().modify_db_subnet_group(subnet_name, *more, **named)
        self.subnet_groups[subnet_name] = group
        return group

    def reboot_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Restart the server."""
        instance = self._available(db_instance_identifier)
        instance.server.stop()
        instance.server.start()
        return super().reboot_db_instance(db_instance_identifier)

    def stop_db_instance(self, db_instance_identifier: str, db_snapshot_identifier: str | None = None) -> DBInstance:
        """Stop the server, data kept."""
        instance = self._available(db_instance_identifier)
        stopped = super().stop_db_instance(db_instance_identifier, db_snapshot_identifier)
        instance.server.stop()
        return stopped

    def start_db_instance(self, db_instance_identifier: str) -> DBInstance:
        """Start a stopped server."""
        started: Any = super().start_db_instance(db_instance_identifier)
        started.server.start()
        return started

    def delete_db_instance(self, db_instance_identifier: str, *more: Any, **named: Any) -> DBInstance:
        """End the server and remove its data."""
        deleted = super().delete_db_instance(db_instance_identifier, *more, **named)
        if isinstance(deleted, LiveInstance):
            deleted.server.delete()
        return deleted

    def _available(self, identifier: str) -> Any:
        instance = self.describe_db_instances(identifier)[0]
        if instance.status != "available":
            raise InvalidDBInstanceStateError(identifier, instance.status)
        return instance


LiveRds.__module__ = RDSBackend.__module__


def install() -> None:
    """Put the backend in place."""
    rds_backends.backend = LiveRds
