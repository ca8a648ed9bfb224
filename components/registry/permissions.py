"""What the tracking server may do, and what ECS may do to start it."""

from infra.documents import Statement, allow, pull_image, write_logs, write_objects
from infra.environment import Environment, arn

ARTIFACTS_PREFIX = "registry/"
"""Runs' artifacts and models, in the artifacts bucket."""


def task_statements(artifacts_arn: str, artifacts_key_arn: str) -> list[Statement]:
    """Read and write the artifacts of runs; nothing else."""
    return write_objects("Artifacts", artifacts_arn, [ARTIFACTS_PREFIX], artifacts_key_arn)


def start_statements(repository_arn: str, log_group_arn: str, secret_arn: str, secret_key_arn: str) -> list[Statement]:
    """Pull the image, open the log and read the database's password."""
    return [
        *pull_image(repository_arn),
        *write_logs(log_group_arn),
        allow("ReadPassword", ["secretsmanager:GetSecretValue"], [secret_arn]),
        allow("DecryptPassword", ["kms:Decrypt"], [secret_key_arn]),
    ]


def monitoring_statements(environment: Environment) -> list[Statement]:
    """Write the metrics of the database's operating system into the log group that RDS has for them.

    Source: RDS user guide, enhanced monitoring, narrowed from every group that begins with RDS to the one it uses.
    """
    group = arn(environment, "logs", "log-group:RDSOSMetrics")
    return [
        allow("MakeMetricsLog", ["logs:CreateLogGroup", "logs:PutRetentionPolicy"], [group, f"{group}:*"]),
        *write_logs(group),
    ]
