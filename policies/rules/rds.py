"""RDS instances: private, encrypted, backed up, watched and protected."""

from collections.abc import Iterator

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule, stack_rule
from policies.resources import Resource, Stack
from policies.rules.ec2 import SUBNET, leads_to_internet
from policies.unknown import Undecidable

INSTANCE = "aws:rds/instance:Instance"
SUBNET_GROUP = "aws:rds/subnetGroup:SubnetGroup"
PARAMETER_GROUP = "aws:rds/parameterGroup:ParameterGroup"

DEFAULT_PORTS = {"postgres": 5432, "mysql": 3306, "mariadb": 3306, "oracle": 1521, "sqlserver": 1433, "db2": 50000}
DEFAULT_ADMINISTRATORS = frozenset({"admin", "postgres", "administrator", "root", "sa"})
BACKUP_DAYS = 7
"""Least retention that RDS.11 asks for by default."""

LOGS = {
    "postgres": {"postgresql"},
    "mysql": {"audit", "error", "general", "slowquery"},
    "mariadb": {"audit", "error", "general", "slowquery"},
    "oracle": {"alert", "audit", "trace", "listener"},
    "sqlserver": {"error", "agent"},
}
"""Logs that RDS.9 wants published, by engine family."""


def _control(
    number: int,
    title: str,
    severity: Severity,
    looks_at: str,
    nist: Nist,
    *,
    level: Level = Level.MANDATORY,
) -> Control:
    return Control(f"RDS.{number}", title, severity, (INSTANCE,), looks_at, level=level, nist=nist)


def _family(instance: Resource) -> str:
    engine = instance.get("engine", "")
    return next((family for family in LOGS if engine.startswith(family)), engine)


@resource_rule(
    _control(
        2,
        "RDS DB instances should prohibit public access, determined by the PubliclyAccessible configuration",
        Severity.CRITICAL,
        "publiclyAccessible",
        Nist.NETWORK,
    )
)
def is_not_public(instance: Resource) -> Iterator[str]:
    """No public address."""
    if instance.get("publiclyAccessible"):
        yield "publiclyAccessible is true"


@resource_rule(
    _control(
        3, "RDS DB instances should have encryption at rest enabled", Severity.MEDIUM, "storageEncrypted", Nist.AT_REST
    )
)
def is_encrypted(instance: Resource) -> Iterator[str]:
    """Storage, and with it snapshots and logs, is encrypted."""
    if not instance.get("storageEncrypted"):
        yield "storageEncrypted is not true"


@resource_rule(
    _control(
        5,
        "RDS DB instances should be configured with multiple Availability Zones",
        Severity.MEDIUM,
        "multiAz",
        Nist.BACKUP,
    )
)
def spans_zones(instance: Resource) -> Iterator[str]:
    """A standby in another zone."""
    if not instance.get("multiAz"):
        yield "multiAz is not true"


@resource_rule(
    _control(
        6,
        "Enhanced monitoring should be configured for RDS DB instances and clusters",
        Severity.LOW,
        "monitoringInterval",
        Nist.MONITORING,
    )
)
def has_enhanced_monitoring(instance: Resource) -> Iterator[str]:
    """The operating system's metrics are collected, at any of AWS's intervals."""
    if not instance.get("monitoringInterval"):
        yield "monitoringInterval is 0 or not set"


@resource_rule(
    _control(
        8, "RDS DB instances should have deletion protection enabled", Severity.LOW, "deletionProtection", Nist.DELETION
    )
)
def is_protected(instance: Resource) -> Iterator[str]:
    """AWS refuses to delete it until protection is switched off."""
    if not instance.get("deletionProtection"):
        yield "deletionProtection is not true"


@resource_rule(
    _control(
        9,
        "RDS DB instances should publish logs to CloudWatch Logs",
        Severity.MEDIUM,
        "enabledCloudwatchLogsExports, by engine",
        Nist.LOGGING,
    )
)
def publishes_logs(instance: Resource) -> Iterator[str]:
    """Every log that the control names for the engine."""
    missing = LOGS.get(_family(instance), set[str]()) - set(instance.get("enabledCloudwatchLogsExports", []))
    if missing:
        yield f"enabledCloudwatchLogsExports lacks {', '.join(sorted(missing))}"


@resource_rule(
    _control(
        36,
        "RDS for PostgreSQL DB instances should publish logs to CloudWatch Logs",
        Severity.MEDIUM,
        "enabledCloudwatchLogsExports",
        Nist.LOGGING,
    )
)
def publishes_postgresql_logs(instance: Resource) -> Iterator[str]:
    """PostgreSQL's own log reaches CloudWatch."""
    if _family(instance) == "postgres" and "postgresql" not in instance.get("enabledCloudwatchLogsExports", []):
        yield "enabledCloudwatchLogsExports lacks postgresql"


@resource_rule(
    _control(
        10,
        "IAM authentication should be configured for RDS instances",
        Severity.MEDIUM,
        "iamDatabaseAuthenticationEnabled of engines that have it",
        Nist.PRIVILEGE,
    )
)
def authenticates_with_iam(instance: Resource) -> Iterator[str]:
    """People and jobs can log in with a role instead of a password (PostgreSQL, MySQL and MariaDB have it)."""
    if _family(instance) in {"postgres", "mysql", "mariadb"} and not instance.get("iamDatabaseAuthenticationEnabled"):
        yield "iamDatabaseAuthenticationEnabled is not true"


@resource_rule(
    _control(
        11,
        "RDS instances should have automatic backups enabled",
        Severity.MEDIUM,
        f"backupRetentionPeriod: at least {BACKUP_DAYS} days",
        Nist.BACKUP,
    )
)
def is_backed_up(instance: Resource) -> Iterator[str]:
    """A week of backups. A read replica is backed up at its source."""
    if instance.get("replicateSourceDb"):
        return
    days = instance.get("backupRetentionPeriod", 0)
    if days < BACKUP_DAYS:
        yield f"backupRetentionPeriod is {days:g}, less than {BACKUP_DAYS}"


@resource_rule(
    _control(
        13,
        "RDS automatic minor version upgrades should be enabled",
        Severity.HIGH,
        "autoMinorVersionUpgrade",
        Nist.MONITORING,
    )
)
def upgrades_minor_versions(instance: Resource) -> Iterator[str]:
    """On, as it is when left out."""
    if not instance.get("autoMinorVersionUpgrade", default=True):
        yield "autoMinorVersionUpgrade is false"


@resource_rule(
    _control(
        17,
        "RDS DB instances should be configured to copy tags to snapshots",
        Severity.LOW,
        "copyTagsToSnapshot",
        Nist.NONE,
    )
)
def copies_tags(instance: Resource) -> Iterator[str]:
    """A snapshot has an owner too."""
    if not instance.get("copyTagsToSnapshot"):
        yield "copyTagsToSnapshot is not true"


@resource_rule(
    _control(18, "RDS instances should be deployed in a VPC", Severity.HIGH, "dbSubnetGroupName", Nist.NETWORK)
)
def is_in_a_vpc(instance: Resource) -> Iterator[str]:
    """A subnet group places it; without one it lands in the account's default VPC."""
    if not instance.get("dbSubnetGroupName") and not instance.get("replicateSourceDb"):
        yield "dbSubnetGroupName is not set"


@resource_rule(
    _control(
        23,
        "RDS databases and clusters should not use a database engine default port",
        Severity.LOW,
        "port",
        Nist.NETWORK,
    )
)
def has_its_own_port(instance: Resource) -> Iterator[str]:
    """Not the engine's default port, which is also what no value means."""
    default = DEFAULT_PORTS.get(_family(instance))
    if default is not None and instance.get("port", default) == default:
        yield f"port is {default}, {_family(instance)}'s default"


@resource_rule(
    _control(
        25,
        "RDS database instances should use a custom administrator username",
        Severity.MEDIUM,
        "username",
        Nist.PRIVILEGE,
    )
)
def has_its_own_administrator(instance: Resource) -> Iterator[str]:
    """Not one of the names everybody tries first."""
    if instance.get("username", "").lower() in DEFAULT_ADMINISTRATORS:
        yield f"username is {instance.get('username')!r}"


@stack_rule(
    _control(
        46,
        "RDS DB instances should not be deployed in public subnets with routes to internet gateways",
        Severity.HIGH,
        "SubnetGroup → Subnet → RouteTable without an internet gateway",
        Nist.NETWORK,
    )
)
def is_in_private_subnets(instance: Resource, stack: Stack) -> Iterator[str]:
    """None of its subnets has a route to an internet gateway."""
    groups = _resolved(instance, "dbSubnetGroupName", SUBNET_GROUP, stack)
    for subnet in (subnet for group in groups for subnet in _resolved(group, "subnetIds", SUBNET, stack)):
        if leads_to_internet(subnet, stack):
            yield f"its subnet {subnet.name} has a route to an internet gateway"


def _resolved(source: Resource, key: str, token: str, stack: Stack) -> list[Resource]:
    answers = [(target, stack.refers(source, key, target)) for target in stack.of_type(token)]
    found = [target for target, answer in answers if answer]
    if not found and any(answer is None for _, answer in answers):
        raise Undecidable(f"{key} of {source.name}")
    return found


@resource_rule(
    Control(
        "MLP.RDS.1",
        "No database password passes through the program",
        Severity.HIGH,
        (INSTANCE,),
        "manageMasterUserPassword, password",
        source=Source.MLP,
    )
)
def password_is_managed(instance: Resource) -> Iterator[str]:
    """RDS makes, keeps and rotates the master password in Secrets Manager."""
    if instance.get("password") or instance.get("passwordWo"):
        yield "password is set: use manageMasterUserPassword"
    if not instance.get("manageMasterUserPassword") and not instance.get("replicateSourceDb"):
        yield "manageMasterUserPassword is not true"


@resource_rule(
    Control(
        "MLP.RDS.2",
        "Databases, their secrets and their insights are encrypted with a customer managed key",
        Severity.MEDIUM,
        (INSTANCE,),
        "kmsKeyId, masterUserSecretKmsKeyId",
        source=Source.MLP,
        nist=Nist.AT_REST,
    )
)
def has_its_own_keys(instance: Resource) -> Iterator[str]:
    """Storage and managed secret both name a key."""
    if not instance.get("kmsKeyId"):
        yield "kmsKeyId is not set"
    if instance.get("manageMasterUserPassword") and not instance.get("masterUserSecretKmsKeyId"):
        yield "masterUserSecretKmsKeyId is not set"


@resource_rule(
    Control(
        "MLP.RDS.3",
        "PostgreSQL takes encrypted connections only",
        Severity.MEDIUM,
        (PARAMETER_GROUP,),
        "parameters: rds.force_ssl",
        source=Source.MLP,
        nist=Nist.IN_TRANSIT,
    )
)
def forces_tls(group: Resource) -> Iterator[str]:
    """`rds.force_ssl` is 1: explicitly, since only families from 15 on default to it."""
    if not group.get("family", "").startswith("postgres"):
        return
    values = [f"{each.get('value')}" for each in group.get("parameters", []) if each.get("name") == "rds.force_ssl"]
    if values != ["1"]:
        yield "parameters has no rds.force_ssl = 1"


@resource_rule(
    Control(
        "MLP.RDS.4",
        "A database leaves a snapshot behind",
        Severity.MEDIUM,
        (INSTANCE,),
        "skipFinalSnapshot, deleteAutomatedBackups",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.BACKUP,
    )
)
def leaves_a_snapshot(instance: Resource) -> Iterator[str]:
    """Destroying it takes a final snapshot first."""
    if instance.get("skipFinalSnapshot"):
        yield "skipFinalSnapshot is true"
