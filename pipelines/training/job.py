"""What a training job is asked for: a request document made from a profile, named by the hash of its content."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import PipelineError
from stacks.outputs import PlatformOutputs, Training, TrainingProfile

LONGEST_NAME = 63
"""Characters in a job's name (botocore: TrainingJobName)."""

CHECKPOINTS = "/opt/ml/checkpoints"


@dataclass(frozen=True)
class Job:
    """What a workload asks to be trained. Two equal ones on the same platform are the same job."""

    workload: str
    program: str
    """The script, in the channel `code`."""
    code_uri: str
    """`s3://` prefix of the packed code; its name holds the content's hash."""
    channels: Mapping[str, str]
    """`s3://` prefix by channel; prefixes of a data version never change."""
    data_version: str
    hyperparameters: Mapping[str, str]
    profile: str = "default"


def request(outputs: PlatformOutputs, job: Job) -> dict[str, Any]:
    """Arguments of CreateTrainingJob but for the name.

    Isolation, network, encryption and limits are the platform's. Raises PipelineError for an unknown profile and on a
    platform without training.
    """
    training = platform_training(outputs)
    profile = _profile(training, job.profile)
    channels = {**job.channels, "code": job.code_uri}
    document: dict[str, Any] = {
        "AlgorithmSpecification": {"TrainingImage": training.image.uri, "TrainingInputMode": "File"},
        "RoleArn": training.role_arn,
        "HyperParameters": {**job.hyperparameters, "sagemaker_program": job.program},
        "InputDataConfig": [_channel(name, uri) for name, uri in sorted(channels.items())],
        "OutputDataConfig": {"S3OutputPath": training.output_uri, "KmsKeyId": training.key_arn},
        "ResourceConfig": {
            "InstanceType": profile.instance_type,
            "InstanceCount": profile.instance_count,
            "VolumeSizeInGB": profile.volume_gib,
            **({"VolumeKmsKeyId": profile.volume_key_arn} if profile.volume_key_arn else {}),
        },
        "VpcConfig": {"SecurityGroupIds": training.security_group_ids, "Subnets": training.subnet_ids},
        "StoppingCondition": {"MaxRuntimeInSeconds": profile.max_runtime_seconds},
        "EnableNetworkIsolation": training.network_isolation,
        "EnableInterContainerTrafficEncryption": True,
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(outputs, job).items()],
    }
    if profile.max_wait_seconds is not None:
        document["EnableManagedSpotTraining"] = True
        document["StoppingCondition"]["MaxWaitTimeInSeconds"] = profile.max_wait_seconds
        document["CheckpointConfig"] = {
            "S3Uri": f"{training.checkpoint_uri.rstrip('/')}/{job.workload}/{content(document)}/",
            "LocalPath": CHECKPOINTS,
        }
    return document


def content(document: Mapping[str, Any]) -> str:
    """Hash of what decides a job's result and limits, 16 hexadecimal digits; tags and checkpoints do not."""
    kept = {name: value for name, value in document.items() if name not in ("Tags", "CheckpointConfig")}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]


def name(training: Training, job: Job, document: Mapping[str, Any], attempt: int = 1) -> str:
    """The job's name: the platform's prefix, workload, content hash and, from the second on, the attempt.

    SageMaker never forgets a name, so a job that failed is tried again under the next one. Raises PipelineError when
    the workload's name is too long for it.
    """
    ending = f"-{content(document)}" + (f"-{attempt}" if attempt > 1 else "")
    full = f"{training.job_prefix}-{job.workload}{ending}"
    if len(full) > LONGEST_NAME:
        room = LONGEST_NAME - len(f"{training.job_prefix}-{ending}")
        raise PipelineError(
            f"{full} has {len(full)} characters, a training job's name at most {LONGEST_NAME}: "
            f"give the workload {job.workload} a name of at most {room}"
        )
    return full


def platform_training(outputs: PlatformOutputs) -> Training:
    """The training section. Raises PipelineError when the platform has none."""
    if outputs.training is None:
        raise PipelineError(f"{outputs.environment} has no stage training; add `mlp:training` to its stack file")
    return outputs.training


def _profile(training: Training, wanted: str) -> TrainingProfile:
    try:
        return training.profiles[wanted]
    except KeyError:
        known = ", ".join(sorted(training.profiles))
        raise PipelineError(f"no training profile {wanted}; the platform has {known}") from None


def _channel(channel: str, uri: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": channel, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _tags(outputs: PlatformOutputs, job: Job) -> dict[str, str]:
    return {
        "Project": "mlp",
        "Environment": outputs.environment,
        "Stage": "training",
        "ManagedBy": "pipelines",
        "Workload": job.workload,
        "DataVersion": job.data_version,
    }
