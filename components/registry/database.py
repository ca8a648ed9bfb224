"""The registry's PostgreSQL database: private, encrypted, backed up, its password known to nobody."""

from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components._base import Stage
from components.errors import Problems
from components.refs import NetworkRef
from components.registry.permissions import monitoring_statements
from infra.environment import Environment
from infra.naming import fixed_name
from infra.tags import DataClass

_MAJOR_VERSION = "18"
_LOGS = ("postgresql", "upgrade")


class DatabaseArgs(TypedDict):
    """Size and safety of the database."""

    instance_class: NotRequired[str]
    """RDS instance class; `db.t4g.medium` when left out."""
    storage_gib: NotRequired[int]
    """Storage in GiB; 20 when left out. It grows by itself to five times that."""
    multi_az: NotRequired[bool]
    """Whether a standby waits in a second zone; it does when left out."""
    port: NotRequired[int]
    """Port, 1150 to 65535; 5433 when left out."""
    backup_days: NotRequired[int]
    """Days that backups are kept, 1 to 35; 14 when left out."""
    require_tls: NotRequired[bool]
    """Whether connections without TLS are refused; they are when left out."""


class PlacedDatabaseArgs(TypedDict):
    """What the database is made of."""

    environment: Environment
    """Where it stands."""
    network: NetworkRef
    """The network it stands in."""
    key_arn: pulumi.Input[str]
    """Key of its storage, snapshots, insights and password."""
    logs_key_arn: pulumi.Input[str]
    """Key of its logs."""
    retention_days: int
    """Days that its logs are kept."""
    disposable: bool
    """True lets it go with the stack, unsaved; False protects it."""
    size: DatabaseArgs
    """Size and safety."""


class Database(Stage):
    """An RDS for PostgreSQL instance whose master password RDS makes, keeps and rotates in Secrets Manager."""

    address: pulumi.Output[str]
    """Host name."""
    port: pulumi.Output[int]
    """Port."""
    secret_arn: pulumi.Output[str]
    """Secret with `username` and `password`."""
    security_group_id: pulumi.Output[str]
    """Security group of the database; nobody is let in yet."""

    NAME = "mlflow"
    """Database in the instance."""
    USER = "registry"
    """Master user."""

    def __init__(self, name: str, args: PlacedDatabaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Database", "registry", name, args["environment"], opts)
        size = args["size"]
        problems = Problems(f"Database {name}")
        problems.within(size.get("port", 5433), 1150, 65535, "database.port")
        problems.within(size.get("backup_days", 14), 1, 35, "database.backup_days")
        problems.within(size.get("storage_gib", 20), 20, 65536, "database.storage_gib")
        problems.raise_any()
        self._args = args
        self._group = self._security_group("access", "The registry's database", args["network"]["vpc_id"])
        instance = self._instance()
        self.address = instance.address
        self.port = instance.port
        self.secret_arn = instance.master_user_secrets.apply(lambda secrets: secrets[0].secret_arn or "")
        self.security_group_id = self._group.id
        self.register_outputs(
            {
                "address": self.address,
                "port": self.port,
                "secret_arn": self.secret_arn,
                "security_group_id": self.security_group_id,
            }
        )

    @property
    def group(self) -> aws.ec2.SecurityGroup:
        """Security group, to let somebody in."""
        return self._group

    def _instance(self) -> aws.rds.Instance:
        args, size = self._args, self._args["size"]
        disposable, storage = args["disposable"], size.get("storage_gib", 20)
        identifier = fixed_name("database", args["environment"]["environment"], "registry")
        subnets = aws.rds.SubnetGroup(
            f"{self._prefix}-subnets",
            description="Private subnets of the registry's database",
            subnet_ids=args["network"]["subnet_ids"],
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )
        parameters = self._parameters()
        monitoring = self._monitoring_role()
        # RDS makes these groups itself, unencrypted and kept for ever, unless they are there before it.
        logs = [
            self._log_group(log, f"/aws/rds/instance/{identifier}/{log}", args["logs_key_arn"], args["retention_days"])
            for log in _LOGS
        ]
        return aws.rds.Instance(
            f"{self._prefix}-instance",
            identifier=identifier,
            engine="postgres",
            engine_version=_MAJOR_VERSION,
            instance_class=size.get("instance_class", "db.t4g.medium"),
            allocated_storage=storage,
            max_allocated_storage=5 * storage,
            storage_type="gp3",
            storage_encrypted=True,
            kms_key_id=args["key_arn"],
            db_name=self.NAME,
            username=self.USER,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=args["key_arn"],
            iam_database_authentication_enabled=True,
            port=size.get("port", 5433),
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[self._group.id],
            publicly_accessible=False,
            parameter_group_name=parameters.name,
            multi_az=size.get("multi_az", True),
            ca_cert_identifier="rds-ca-rsa2048-g1",
            auto_minor_version_upgrade=True,
            backup_retention_period=size.get("backup_days", 14),
            copy_tags_to_snapshot=True,
            delete_automated_backups=disposable,
            deletion_protection=not disposable,
            skip_final_snapshot=disposable,
            final_snapshot_identifier=None if disposable else f"{identifier}-final",
            enabled_cloudwatch_logs_exports=list(_LOGS),
            monitoring_interval=60,
            monitoring_role_arn=monitoring,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=args["key_arn"],
            performance_insights_retention_period=7,
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(protect=not disposable, depends_on=logs),
        )

    def _parameters(self) -> aws.rds.ParameterGroup:
        settings = {
            "rds.force_ssl": "1" if self._args["size"].get("require_tls", True) else "0",
            "log_connections": "1",
            "log_disconnections": "1",
            "log_statement": "ddl",
        }
        return aws.rds.ParameterGroup(
            f"{self._prefix}-parameters",
            family=f"postgres{_MAJOR_VERSION}",
            description="TLS only; connections and changes of schema are logged",
            parameters=[{"name": key, "value": value} for key, value in settings.items()],
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(),
        )

    def _monitoring_role(self) -> pulumi.Output[str]:
        role, attached = self._role(
            "monitoring",
            "Writes the database's operating system metrics",
            "monitoring.rds.amazonaws.com",
            pulumi.Output.from_input(monitoring_statements(self._environment)),
        )
        return pulumi.Output.all(role.arn, attached.id).apply(lambda known: known[0])
