"""What a training job may do, and what its submitter may ask for."""

from collections.abc import Collection, Mapping, Sequence
from typing import TypedDict

from components.instances import has_own_storage
from infra.documents import (
    Statement,
    allow,
    pull_image,
    put_metrics,
    read_objects,
    use_key_for_volumes,
    use_subnets,
    write_logs,
    write_objects,
)
from infra.environment import Environment, arn

OUTPUT_PREFIX = "training/output/"
"""Model artifacts, in the artifacts bucket."""
CHECKPOINT_PREFIX = "training/checkpoints/"
"""Checkpoints of interrupted spot jobs, in the artifacts bucket."""
CODE_PREFIX = "code/"
"""Scripts that jobs run, in the artifacts bucket."""
LOG_GROUP = "/aws/sagemaker/TrainingJobs"
"""Where SageMaker writes every training job's log; the name is SageMaker's own."""


class Access(TypedDict):
    """What a training job works with."""

    lake_arn: str
    lake_key_arn: str
    artifacts_arn: str
    artifacts_key_arn: str
    repository_arn: str
    vpc_id: str
    subnet_ids: Sequence[str]
    security_group_id: str


class Limits(TypedDict):
    """What a submitter may ask for."""

    job_prefix: str
    artifacts_arn: str
    role_arn: str
    key_arn: str
    """Key of volumes and of the artifacts bucket."""
    subnet_ids: Sequence[str]
    security_group_id: str
    instance_types: Sequence[str]
    max_runtime_seconds: int
    network_isolation: bool
    """True refuses jobs without it; False allows both."""


def execution_statements(environment: Environment, access: Access) -> list[Statement]:
    """Read the lake and the code, write artifacts and checkpoints, log, count, and stand in the network."""
    account = arn(environment, "ec2", "").removesuffix(":")
    return [
        *read_objects("Lake", access["lake_arn"], [""], access["lake_key_arn"]),
        *read_objects("Code", access["artifacts_arn"], [CODE_PREFIX], None),
        *write_objects(
            "Results", access["artifacts_arn"], [OUTPUT_PREFIX, CHECKPOINT_PREFIX], access["artifacts_key_arn"]
        ),
        *pull_image(access["repository_arn"]),
        *write_logs(_log_group(environment)),
        *put_metrics([LOG_GROUP]),
        *use_subnets(
            account,
            f"{account}:vpc/{access['vpc_id']}",
            [f"{account}:subnet/{subnet}" for subnet in access["subnet_ids"]],
            [f"{account}:security-group/{access['security_group_id']}"],
        ),
        *use_key_for_volumes(access["artifacts_key_arn"]),
    ]


def submitter_statements(environment: Environment, limits: Limits) -> list[Statement]:
    """Bring code, start, watch and stop training jobs of this platform and fetch their models; no other jobs.

    IAM refuses a job on other hardware, in another network, with other keys, for longer than the longest profile or
    without the isolation. Condition keys: Service Authorization Reference, Amazon SageMaker AI, CreateTrainingJob.
    """
    jobs = arn(environment, "sagemaker", f"training-job/{limits['job_prefix']}*")
    own_storage = {kind for kind in limits["instance_types"] if has_own_storage(kind)}
    volumes = set(limits["instance_types"]) - own_storage
    volume_key = {"sagemaker:VolumeKmsKey": limits["key_arn"]}
    passed = {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}
    return [
        *([_start("StartJobs", jobs, limits, volumes, volume_key)] if volumes else []),
        *([_start("StartJobsOnOwnStorage", jobs, limits, own_storage, {})] if own_storage else []),
        allow(
            "FollowJobs",
            ["sagemaker:AddTags", "sagemaker:DescribeTrainingJob", "sagemaker:ListTags", "sagemaker:StopTrainingJob"],
            [jobs],
        ),
        # ListTrainingJobs has no resource type.
        allow("FindJobs", ["sagemaker:ListTrainingJobs"], ["*"]),
        *write_objects("Code", limits["artifacts_arn"], [CODE_PREFIX], limits["key_arn"]),
        *read_objects("Results", limits["artifacts_arn"], [OUTPUT_PREFIX], None),
        allow("PassExecutionRole", ["iam:PassRole"], [limits["role_arn"]], passed),
        allow(
            "ReadJobLogs",
            ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"],
            [_log_group(environment), f"{_log_group(environment)}:log-stream:*"],
        ),
    ]


def _start(
    sid: str, jobs: str, limits: Limits, instance_types: Collection[str], volume_key: Mapping[str, str]
) -> Statement:
    place = {
        "sagemaker:InstanceTypes": sorted(instance_types),
        "sagemaker:VpcSubnets": sorted(limits["subnet_ids"]),
        "sagemaker:VpcSecurityGroupIds": [limits["security_group_id"]],
    }
    conditions = {
        # ForAllValues holds for an absent key as well; `Null` makes each of them obligatory.
        "ForAllValues:StringEquals": place,
        "Null": dict.fromkeys(place, "false"),
        "ArnEquals": {**volume_key, "sagemaker:OutputKmsKey": limits["key_arn"]},
        "NumericLessThanEquals": {"sagemaker:MaxRuntimeInSeconds": str(limits["max_runtime_seconds"])},
        "Bool": {
            "sagemaker:InterContainerTrafficEncryption": "true",
            **({"sagemaker:NetworkIsolation": "true"} if limits["network_isolation"] else {}),
        },
    }
    return allow(sid, ["sagemaker:CreateTrainingJob"], [jobs], conditions)


def _log_group(environment: Environment) -> str:
    return arn(environment, "logs", f"log-group:{LOG_GROUP}")
