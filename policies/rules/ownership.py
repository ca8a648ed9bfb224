"""Rules over every service: who owns a resource, and what keeps its data."""

from collections.abc import Iterator

from infra.tags import REQUIRED_TAGS
from policies.controls import Control, Level, Nist, Severity, Source, resource_rule
from policies.resources import Block, Resource
from policies.rules import cloudwatch, ec2, ecr, ecs, elb, iam, kms, rds, s3, sagemaker, secrets, security_groups

TAGGABLE = (
    cloudwatch.LOG_GROUP,
    cloudwatch.METRIC_ALARM,
    ec2.DEFAULT_SECURITY_GROUP,
    ec2.FLOW_LOG,
    ec2.INTERNET_GATEWAY,
    ec2.ROUTE_TABLE,
    ec2.SUBNET,
    ec2.VPC,
    ec2.VPC_ENDPOINT,
    ecr.REPOSITORY,
    ecs.CLUSTER,
    ecs.SERVICE,
    ecs.TASK_DEFINITION,
    elb.LISTENER,
    elb.LOAD_BALANCER,
    "aws:lb/targetGroup:TargetGroup",
    iam.MANAGED_POLICY,
    iam.ROLE,
    kms.KEY,
    rds.INSTANCE,
    rds.PARAMETER_GROUP,
    rds.SUBNET_GROUP,
    s3.BUCKET,
    "aws:s3/bucketObjectv2:BucketObjectv2",
    sagemaker.DATA_QUALITY_JOB,
    sagemaker.ENDPOINT,
    sagemaker.ENDPOINT_CONFIGURATION,
    sagemaker.MODEL,
    sagemaker.MODEL_PACKAGE_GROUP,
    sagemaker.MONITORING_SCHEDULE,
    secrets.PARAMETER,
    secrets.SECRET,
    security_groups.EGRESS_RULE,
    security_groups.INGRESS_RULE,
    security_groups.SECURITY_GROUP,
    "aws:appautoscaling/target:Target",
)
"""Types of the platform that take tags."""

STATEFUL = (s3.BUCKET, rds.INSTANCE, kms.KEY)
"""Types that hold what cannot be made again and that AWS would delete with it (ECR keeps a repository with images)."""


@resource_rule(
    Control(
        "MLP.Tags.1",
        "Every taggable resource carries the required tags",
        Severity.MEDIUM,
        TAGGABLE,
        f"tags: {', '.join(REQUIRED_TAGS)}",
        source=Source.MLP,
    )
)
def has_required_tags(target: Resource) -> Iterator[str]:
    """Every key of `infra.tags.REQUIRED_TAGS` has a value on the resource itself or by the provider's default tags."""
    defaults: Block = target.get("tagsAll") or {}
    own: Block = target.get("tags") or {}
    tags = {**defaults, **own}
    missing = [key for key in REQUIRED_TAGS if not tags.get(key)]
    if missing:
        yield f"without the tags {', '.join(missing)}"


@resource_rule(
    Control(
        "MLP.Protect.1",
        "Stateful resources are protected",
        Severity.MEDIUM,
        STATEFUL,
        "the resource option protect",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.DELETION,
    )
)
def is_protected(target: Resource) -> Iterator[str]:
    """Pulumi refuses to delete or replace it."""
    if not target.protect:
        yield "protect is off: it can be destroyed or replaced with its data"
