"""The ledger: what of each service really runs here, what is only kept, what is refused, and what differs from AWS.

`refusal` acts on it for every request, so that nothing written off here can answer with a canned success.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """How far a feature goes."""

    LIVE = "live"
    """Processes, bytes and clocks behind it are real."""
    KEPT = "kept"
    """Validated, stored, described and deleted as on AWS, with nothing behind it."""


@dataclass(frozen=True)
class Entry:
    """A feature of a service and how it differs from AWS."""

    feature: str
    kind: Kind
    differs: str = ""


@dataclass(frozen=True)
class Service:
    """A service. `refused` maps an operation (`X*`: those that begin with X) to what to do instead."""

    name: str
    entries: tuple[Entry, ...]
    refused: Mapping[str, str] = field(default_factory=dict[str, str])


SERVICES: Mapping[str, Service] = {
    "sagemaker": Service(
        "SageMaker",
        (
            Entry(
                "training jobs",
                Kind.LIVE,
                "One host (InstanceCount 1) on this machine whatever the instance type. S3Prefix inputs in File and "
                "FastFile mode; FastFile is downloaded first. Spot capacity never runs out, so BillableTimeInSeconds "
                "equals TrainingTimeInSeconds. Network isolation is told to the container and not enforced by the "
                "kernel.",
            ),
            Entry(
                "models",
                Kind.LIVE,
                "One container, named by its image in the embedded ECR; model packages are not started by name.",
            ),
            Entry(
                "endpoints",
                Kind.LIVE,
                "One process serves all instances of a variant; counts are kept and shown. A container that ends "
                "twice before its first healthy ping is given up at once. An endpoint can be deleted while it is "
                "created or updated.",
            ),
            Entry(
                "UpdateEndpoint",
                Kind.LIVE,
                "Blue-green all at once, canary and linear, with alarms and rollback; no rolling updates.",
            ),
            Entry("InvokeEndpoint", Kind.LIVE, "One account. No streaming, asynchronous or multi-model invocation."),
            Entry("data capture", Kind.LIVE, "Flushed every 5 seconds or 1 MiB."),
            Entry(
                "invocation metrics",
                Kind.LIVE,
                "Put every second. Invocations counts answered and failed requests alike.",
            ),
            Entry("model package groups, model packages, model cards, experiments", Kind.KEPT),
        ),
        {
            "CreateAutoMLJob*": "run a training job",
            "CreateCluster": "",
            "CreateCompilationJob": "",
            "CreateDomain": "",
            "CreateFeatureGroup": "",
            "CreateHyperParameterTuningJob": "run training jobs",
            "CreateNotebookInstance": "",
            "CreatePipeline": "",
            "CreateProcessingJob": "run a training job",
            "CreateTransformJob": "invoke an endpoint",
            "Search": "list and describe",
            "StartPipelineExecution": "",
        },
    ),
    "ecs": Service(
        "ECS",
        (
            Entry("clusters, task definitions", Kind.KEPT),
            Entry(
                "services, tasks",
                Kind.LIVE,
                "Containers are processes of this machine with an address of their own; cpu and memory are kept and "
                "not enforced, the root file system is this machine's. The deployment circuit breaker is kept and "
                "never trips. Container health checks are not run (healthStatus UNKNOWN); those of the target group "
                "are. awsvpc networks and REPLICA services only.",
            ),
            Entry("secrets, awslogs", Kind.LIVE),
        ),
        {
            "CreateCapacityProvider": "use FARGATE",
            "CreateTaskSet": "use the ECS deployment controller",
            "ExecuteCommand": "",
            "RegisterContainerInstance": "use FARGATE",
        },
    ),
    "elasticloadbalancing": Service(
        "Elastic Load Balancing v2",
        (
            Entry(
                "load balancers, listeners",
                Kind.LIVE,
                "The DNS name is a loopback address. Connections are relayed whole, so no headers are added and one "
                "connection stays with one target. HTTPS listeners use the certificate's key as the embedded ACM "
                "holds it. A port below 1024 needs the right to bind it.",
            ),
            Entry(
                "target groups, target health",
                Kind.LIVE,
                "ip targets. New targets are asked twice a second until their first answer; no draining.",
            ),
        ),
        {
            "CreateRule": "use the listener's default action",
            "ModifyRule": "use the listener's default action",
            "SetRulePriorities": "",
        },
    ),
    "rds": Service(
        "RDS",
        (
            Entry(
                "PostgreSQL instances",
                Kind.LIVE,
                "PostgreSQL 18 whatever version is asked for, without TLS, on a loopback address. Storage, class and "
                "Multi-AZ are kept. A final snapshot is a record without data.",
            ),
            Entry("managed master password", Kind.LIVE),
            Entry("subnet groups, parameter groups", Kind.KEPT, "Parameters are not applied to the server."),
        ),
        {
            "CreateBlueGreenDeployment": "",
            "CreateDBCluster": "create an instance",
            "CreateDBInstanceReadReplica": "",
            "CreateDBProxy": "",
            "CreateDBShardGroup": "",
            "CreateDBSnapshot": "",
            "CreateGlobalCluster": "",
            "RestoreDB*": "",
            "StartExportTask": "",
        },
    ),
    "ecr": Service(
        "ECR",
        (
            Entry("repositories, lifecycle policies", Kind.KEPT, "Lifecycle policies delete nothing."),
            Entry(
                "images",
                Kind.LIVE,
                "A manifest's annotation names an image folder; there are no layers. Tag immutability holds. Nothing "
                "is scanned.",
            ),
        ),
        {
            "CompleteLayerUpload": "put a manifest that names a folder",
            "DescribeImageScanFindings": "",
            "GetDownloadUrlForLayer": "",
            "InitiateLayerUpload": "put a manifest that names a folder",
            "StartImageScan": "",
            "UploadLayerPart": "put a manifest that names a folder",
        },
    ),
    "monitoring": Service(
        "CloudWatch",
        (
            Entry(
                "metrics, statistics, percentiles, metric math",
                Kind.LIVE,
                "Kept in memory for as long as the server runs.",
            ),
            Entry(
                "metric alarms",
                Kind.LIVE,
                "Evaluated every second over periods that end now. SetAlarmState holds for one period. Actions reach "
                "SNS topics; others are kept.",
            ),
        ),
        {"PutAnomalyDetector": "", "PutCompositeAlarm": "", "PutMetricStream": ""},
    ),
    "logs": Service("CloudWatch Logs", (Entry("groups, streams, events", Kind.LIVE, "Retention deletes nothing."),)),
    "application-autoscaling": Service(
        "Application Auto Scaling", (Entry("targets, policies", Kind.KEPT, "Nothing is scaled."),)
    ),
    "s3": Service(
        "S3",
        (
            Entry(
                "buckets, objects",
                Kind.LIVE,
                "In memory. Bucket policies are enforced except statements with conditions; encryption, lifecycle and"
                " access logs are kept and not acted on.",
            ),
        ),
    ),
    "kms": Service(
        "KMS", (Entry("keys, aliases", Kind.KEPT, "Encrypt and decrypt work; services do not use the keys."),)
    ),
    "iam": Service("IAM", (Entry("roles, policies", Kind.KEPT, "Requests are not authorized."),)),
    "ec2": Service(
        "VPC",
        (Entry("networks, security groups, endpoints, flow logs", Kind.KEPT, "No packet is routed or filtered."),),
    ),
    "ssm": Service("Systems Manager", (Entry("parameters", Kind.LIVE),)),
    "secretsmanager": Service("Secrets Manager", (Entry("secrets", Kind.LIVE),)),
}


def refusal(service: str, operation: str) -> str | None:
    """Why an operation is not answered; None when it is."""
    known = SERVICES.get(service)
    if known is None:
        return None
    for beginning, instead in known.refused.items():
        if operation == beginning.rstrip("*") or (beginning.endswith("*") and operation.startswith(beginning[:-1])):
            return f"{operation} is not written for the embedded AWS{f': {instead}' if instead else ''}."
    return None


def markdown() -> str:
    """The ledger as a page."""
    lines = ["| service | what | how | differs from AWS |", "|---|---|---|---|"]
    for service in SERVICES.values():
        lines += [
            f"| {service.name} | {entry.feature} | {entry.kind} | {entry.differs or '-'} |" for entry in service.entries
        ]
        if service.refused:
            lines.append(
                f"| {service.name} | {', '.join(service.refused)} | refused | answered with an error that says so |"
            )
    return "\n".join(lines) + "\n"
