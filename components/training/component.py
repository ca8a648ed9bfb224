"""What training stands on: an identity for jobs, one for those who start them, a network place and a log."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components._base import Stage
from components.errors import Problems
from components.refs import BucketRef, ImageRef, NetworkRef
from components.training import profiles
from components.training.permissions import (
    CHECKPOINT_PREFIX,
    LOG_GROUP,
    OUTPUT_PREFIX,
    Access,
    Limits,
    execution_statements,
    submitter_statements,
)
from components.training.profiles import ProfileArgs
from infra.documents import document
from infra.environment import Environment
from infra.naming import fixed_name
from infra.tags import DataClass


class TrainingArgs(TypedDict):
    """What training is made of."""

    environment: Environment
    """Where it stands."""
    network: NetworkRef
    """The network jobs run in."""
    lake: BucketRef
    """The data jobs read."""
    artifacts: BucketRef
    """Where jobs read their code and write models and checkpoints."""
    image: ImageRef
    """The image jobs run in."""
    logs_key_arn: pulumi.Input[str]
    """Key of the jobs' log."""
    profiles: Mapping[str, ProfileArgs]
    """Hardware choices by name; one is named `default`."""
    network_isolation: NotRequired[bool]
    """Whether a job's container is cut off from every network; it is when left out."""
    retention_days: NotRequired[int]
    """Days that job logs are kept; 365 when left out."""


class Training(Stage):
    """The place where SageMaker training jobs run, and the only way to start one."""

    role_arn: pulumi.Output[str]
    """Execution role of jobs, usable once its policy is attached."""
    security_group_id: pulumi.Output[str]
    """Security group of jobs."""
    submitter_policy_arn: pulumi.Output[str]
    """Policy for those who start jobs: it fixes hardware, network, keys and limits."""
    job_prefix: pulumi.Output[str]
    """What the name of a job must begin with."""
    output_uri: pulumi.Output[str]
    """`s3://` prefix for model artifacts."""
    checkpoint_uri: pulumi.Output[str]
    """`s3://` prefix for checkpoints."""

    def __init__(self, name: str, args: TrainingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Training", "training", name, args["environment"], opts)
        problems = Problems(f"Training {name}")
        problems.extend(profiles.problems(args["profiles"]))
        problems.raise_any()
        self._args = args
        self._profiles = {each: profiles.complete(profile) for each, profile in args["profiles"].items()}
        prefix = fixed_name("training-job", args["environment"]["environment"])

        group = self._network_place()
        self._log_group("job", LOG_GROUP, args["logs_key_arn"], args.get("retention_days", 365))
        role, attached = self._execution_role(group)
        submitter = self._submitter(prefix, role, group)

        self.role_arn = pulumi.Output.all(role.arn, attached.id).apply(lambda known: known[0])
        self.security_group_id = group.id
        self.submitter_policy_arn = submitter.arn
        self.job_prefix = pulumi.Output.from_input(prefix)
        artifacts = args["artifacts"]["name"]
        self.output_uri = pulumi.Output.concat("s3://", artifacts, "/", OUTPUT_PREFIX.rstrip("/"))
        self.checkpoint_uri = pulumi.Output.concat("s3://", artifacts, "/", CHECKPOINT_PREFIX.rstrip("/"))
        self.register_outputs(
            {
                "role_arn": self.role_arn,
                "security_group_id": self.security_group_id,
                "submitter_policy_arn": self.submitter_policy_arn,
                "job_prefix": self.job_prefix,
                "output_uri": self.output_uri,
                "checkpoint_uri": self.checkpoint_uri,
            }
        )

    def _network_place(self) -> aws.ec2.SecurityGroup:
        network = self._args["network"]
        group = self._security_group("job", "Training jobs", network["vpc_id"])
        endpoints = network["endpoints_security_group_id"]
        self._egress("job-to-endpoints", group, 443, "AWS services", group_id=endpoints)
        self._egress("job-to-s3", group, 443, "Data and artifacts", prefix_list_id=network["s3_prefix_list_id"])
        if any(profile["instance_count"] > 1 for profile in self._profiles.values()):
            self._between_instances(group)
        return group

    def _between_instances(self, group: aws.ec2.SecurityGroup) -> None:
        """Instances of one job talk to each other on ports of their framework's choice."""
        aws.vpc.SecurityGroupIngressRule(
            f"{self._prefix}-job-from-job",
            security_group_id=group.id,
            description="Instances of a distributed job",
            ip_protocol="-1",
            referenced_security_group_id=group.id,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{self._prefix}-job-to-job",
            security_group_id=group.id,
            description="Instances of a distributed job",
            ip_protocol="-1",
            referenced_security_group_id=group.id,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )

    def _execution_role(self, group: aws.ec2.SecurityGroup) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        args = self._args
        known = pulumi.Output.all(
            lake_arn=args["lake"]["arn"],
            lake_key_arn=args["lake"]["key_arn"],
            artifacts_arn=args["artifacts"]["arn"],
            artifacts_key_arn=args["artifacts"]["key_arn"],
            repository_arn=args["image"]["repository_arn"],
            vpc_id=args["network"]["vpc_id"],
            subnet_ids=args["network"]["subnet_ids"],
            security_group_id=group.id,
        )
        statements = known.apply(lambda values: execution_statements(args["environment"], Access(**values)))
        return self._role("execution", "What a training job may do", "sagemaker.amazonaws.com", statements)

    def _submitter(self, prefix: str, role: aws.iam.Role, group: aws.ec2.SecurityGroup) -> aws.iam.Policy:
        args, chosen = self._args, self._profiles.values()
        known = pulumi.Output.all(
            job_prefix=prefix,
            artifacts_arn=args["artifacts"]["arn"],
            role_arn=role.arn,
            key_arn=args["artifacts"]["key_arn"],
            subnet_ids=args["network"]["subnet_ids"],
            security_group_id=group.id,
            instance_types=[profile["instance_type"] for profile in chosen],
            max_runtime_seconds=max(profile["max_runtime_seconds"] for profile in chosen),
            network_isolation=args.get("network_isolation", True),
        )
        return aws.iam.Policy(
            f"{self._prefix}-submitter",
            description="Start, watch and stop training jobs within the profiles' limits",
            policy=known.apply(lambda values: document(submitter_statements(args["environment"], Limits(**values)))),
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )
