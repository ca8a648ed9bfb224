"""A platform's document as `up` would write it, for tests that need no deployment."""

from pipelines.training.job import Job
from stacks.outputs import (
    Image,
    Network,
    PlatformOutputs,
    Registry,
    Rollout,
    Serving,
    Storage,
    Training,
    TrainingProfile,
    Variant,
)

ACCOUNT = "123456789012"
REGION = "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mlp-test"


def image(folder: str, repository: str, tag: str = "0123456789abcdef") -> Image:
    uri = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{repository}:{tag}"
    return Image(folder=folder, repository=repository, uri=uri)


def platform_outputs(environment: str, *, tag: str = "0123456789abcdef") -> PlatformOutputs:
    training_image = image("pipelines/training/image", f"mlp-{environment}/training", tag)
    profile = TrainingProfile(
        instance_type="ml.m5.xlarge",
        instance_count=1,
        volume_gib=30,
        max_runtime_seconds=3600,
        max_wait_seconds=None,
        volume_key_arn=KEY,
    )
    spot = profile.model_copy(update={"max_wait_seconds": 7200, "volume_key_arn": None})
    artifacts = f"mlp-{environment}-artifacts"
    network = Network(vpc_id="vpc-00000000", private_subnet_ids=["subnet-00000000"])
    return PlatformOutputs(
        environment=environment,
        account_id=ACCOUNT,
        region=REGION,
        network=network,
        storage=Storage(
            lake_bucket=f"mlp-{environment}-lake",
            lake_key_arn=KEY,
            artifacts_bucket=artifacts,
            artifacts_key_arn=KEY,
            logs_bucket=f"mlp-{environment}-logs",
        ),
        training=Training(
            image=training_image,
            role_arn=ROLE,
            security_group_ids=["sg-00000000"],
            subnet_ids=network.private_subnet_ids,
            output_uri=f"s3://{artifacts}/training/output",
            checkpoint_uri=f"s3://{artifacts}/training/checkpoints",
            key_arn=KEY,
            network_isolation=True,
            profiles={"default": profile, "spot": spot},
            job_prefix=f"mlp-{environment}",
            submitter_policy_arn=f"arn:aws:iam::{ACCOUNT}:policy/mlp-{environment}-submitter",
        ),
        registry=Registry(
            tracking_uri="http://127.0.0.1:5000",
            artifact_uri=f"s3://{artifacts}/registry",
            model_package_group=f"mlp-{environment}",
            cluster="mlp",
            service="registry",
            image=image("pipelines/registry/server", f"mlp-{environment}/registry-server", tag),
        ),
        serving=Serving(
            endpoint=f"mlp-{environment}-predictions",
            release_parameter=f"/mlp/{environment}/serving/release",
            image=training_image,
            role_arn=ROLE,
            security_group_ids=["sg-00000000"],
            subnet_ids=network.private_subnet_ids,
            key_arn=KEY,
            capture_uri=f"s3://{artifacts}/serving/capture",
            capture_percent=100,
            variants=[
                Variant(name="main", weight=90, instance_type="ml.m5.large", instance_count=1),
                Variant(name="challenger", weight=10, instance_type="ml.m5.large", instance_count=1),
            ],
            rollout=Rollout(canary_percent=10, bake_seconds=60, alarms=["errors"]),
        ),
    )


JOB = Job(
    workload="toy",
    program="train.py",
    code_uri="s3://mlp-test-artifacts/code/toy/0123/",
    channels={"train": "s3://mlp-test-lake/training/toy/v1/train/", "test": "s3://mlp-test-lake/training/toy/v1/test/"},
    data_version="v1",
    hyperparameters={"depth": "3"},
)
