"""What a deployed platform tells its pipelines: one document, exported once, read by every pipeline."""

from pydantic import BaseModel, ConfigDict


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Image(_Section):
    """A container image: a folder of this repository, tagged by the hash of its content."""

    folder: str
    """Folder below the repository root, as `pipelines/training/image`."""
    repository: str
    """Name of the ECR repository."""
    uri: str
    """Registry, repository and tag: what a job or a task definition names."""


class Network(_Section):
    """Where jobs and services run."""

    vpc_id: str
    private_subnet_ids: list[str]


class Storage(_Section):
    """Buckets and the key that each one's objects are encrypted with."""

    lake_bucket: str
    lake_key_arn: str
    artifacts_bucket: str
    artifacts_key_arn: str
    logs_bucket: str


class TrainingProfile(_Section):
    """A named choice of hardware and its limits for a training job."""

    instance_type: str
    instance_count: int
    volume_gib: int
    max_runtime_seconds: int
    max_wait_seconds: int | None
    """Seconds to wait for spot capacity and finish; None buys on demand."""
    volume_key_arn: str | None
    """Key of the volumes; None where the instance type's own storage encrypts itself and takes no key."""


class Training(_Section):
    """What a training job is created with."""

    image: Image
    role_arn: str
    security_group_ids: list[str]
    subnet_ids: list[str]
    output_uri: str
    """`s3://` prefix for model artifacts."""
    checkpoint_uri: str
    key_arn: str
    network_isolation: bool
    profiles: dict[str, TrainingProfile]
    """By name; `default` is always there."""
    job_prefix: str
    """What the name of a job must begin with; IAM refuses others."""
    submitter_policy_arn: str
    """IAM policy of those who start jobs."""


class Registry(_Section):
    """Where runs are logged and models are registered."""

    tracking_uri: str
    artifact_uri: str
    model_package_group: str
    cluster: str
    """ECS cluster of the tracking server."""
    service: str
    """ECS service of the tracking server."""
    image: Image


class Rollout(_Section):
    """How a new release replaces the live one, and what calls it off."""

    canary_percent: int
    """Share of capacity that takes traffic first, in percent."""
    bake_seconds: int
    """How long the alarms are watched before the rest follows."""
    alarms: list[str]
    """CloudWatch alarms; any of them in ALARM rolls the release back."""


class Variant(_Section):
    """A production variant as the stack file declares it; live weights and counts may differ."""

    name: str
    weight: int
    """Share of requests in percent; the weights of all variants sum to 100."""
    instance_type: str
    instance_count: int


class Serving(_Section):
    """What a release is deployed with, and where it answers."""

    endpoint: str
    """Name of the SageMaker endpoint; it exists once a release is published and `up` has run."""
    release_parameter: str
    """SSM parameter that holds the release to serve."""
    image: Image
    role_arn: str
    security_group_ids: list[str]
    subnet_ids: list[str]
    key_arn: str
    capture_uri: str
    """`s3://` prefix of captured requests and responses."""
    capture_percent: int
    variants: list[Variant]
    rollout: Rollout


class PlatformOutputs(_Section):
    """The whole document. A stage that is not deployed is None."""

    environment: str
    account_id: str
    region: str
    network: Network
    storage: Storage
    training: Training | None = None
    registry: Registry | None = None
    serving: Serving | None = None


class ReleasedModel(_Section):
    """A registered model version, ready to be served."""

    version: str
    """Version in the model registry."""
    image_uri: str
    model_data_url: str
    """`s3://` address of the model archive (tar, gzip)."""
    model_package_arn: str | None = None


class Release(_Section):
    """What the serving stage should serve: the document in `Serving.release_parameter`.

    Written by the serving pipeline, read by `up` to create the endpoint the first time.
    """

    models: dict[str, ReleasedModel]
    """By variant name. A declared variant without a model takes no part until it has one."""


OUTPUTS_PARAMETER = "/mlp/{environment}/outputs"
"""SSM parameter with the `s3://` address of the document."""
