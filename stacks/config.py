"""What a stack file may say: every `mlp:*` key, typed, with production-safe defaults.

An environment is this data and nothing else. A stage absent from the file is not deployed.
"""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=20)]
"""A word that becomes part of names: lower case letters, digits, inner hyphens."""
InstanceType = Annotated[str, StringConstraints(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
"""A SageMaker instance type, as `ml.m5.large`."""

_INTERFACE_ENDPOINTS = (
    "ec2",
    "ecr.api",
    "ecr.dkr",
    "kms",
    "logs",
    "monitoring",
    "sagemaker.api",
    "sagemaker.runtime",
    "secretsmanager",
    "ssm",
    "sts",
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkConfig(_Section):
    """`mlp:network`."""

    cidr: Annotated[str, StringConstraints(pattern=r"^\d+\.\d+\.\d+\.\d+/(1[6-9]|2[0-6])$")] = "10.0.0.0/16"
    """IPv4 block of the VPC, /16 to /26."""
    zones: Annotated[list[str], Field(min_length=2, max_length=3)]
    """Availability zones of the region, two or three."""
    interface_endpoints: list[str] = list(_INTERFACE_ENDPOINTS)
    """Services reached through interface endpoints, each billed by zone and hour; all that the stages use."""

    @field_validator("zones", "interface_endpoints")
    @classmethod
    def _distinct(cls, values: list[str]) -> list[str]:
        if len(set(values)) != len(values):
            raise ValueError(f"must be different from each other, got {', '.join(values)}")
        return values


class StorageConfig(_Section):
    """`mlp:storage`."""

    noncurrent_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """Days that replaced or deleted object versions are kept."""
    disposable: bool = False
    """The stage's key: buckets, keys and repositories go with the stack when the environment says so too."""


class ProfileConfig(_Section):
    """A hardware choice of `mlp:training`."""

    instance_type: InstanceType
    instance_count: Annotated[int, Field(ge=1, le=100)] = 1
    volume_gib: Annotated[int, Field(ge=1, le=16384)] = 30
    max_runtime_seconds: Annotated[int, Field(ge=60, le=2419200)] = 3600
    max_wait_seconds: Annotated[int, Field(ge=60, le=2419200)] | None = None
    """Waiting for spot capacity and running, at least the runtime; None buys on demand."""

    @model_validator(mode="after")
    def _wait_covers_runtime(self) -> Self:
        if self.max_wait_seconds is not None and self.max_wait_seconds < self.max_runtime_seconds:
            raise ValueError(
                f"max_wait_seconds must be at least max_runtime_seconds ({self.max_runtime_seconds}), "
                f"got {self.max_wait_seconds}; leave it out to buy on demand"
            )
        return self


class TrainingConfig(_Section):
    """`mlp:training`."""

    profiles: dict[Name, ProfileConfig] = {"default": ProfileConfig(instance_type="ml.m5.xlarge")}
    """By name; `default` is what a job gets that asks for nothing."""
    network_isolation: bool = True
    """Whether a job's container is cut off from every network."""

    @field_validator("profiles")
    @classmethod
    def _has_default(cls, profiles: dict[str, ProfileConfig]) -> dict[str, ProfileConfig]:
        if "default" not in profiles:
            raise ValueError(f"must hold a profile named default, got {', '.join(sorted(profiles)) or 'none'}")
        return profiles


class DatabaseConfig(_Section):
    """The registry's database."""

    instance_class: Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")] = "db.t4g.medium"
    storage_gib: Annotated[int, Field(ge=20, le=65536)] = 20
    multi_az: bool = True
    """A standby in a second zone."""
    port: Annotated[int, Field(ge=1150, le=65535)] = 5433
    """Not PostgreSQL's usual 5432, which scanners try first."""
    backup_days: Annotated[int, Field(ge=1, le=35)] = 14
    require_tls: bool = True
    """Refuse connections without TLS."""


class RegistryConfig(_Section):
    """`mlp:registry`."""

    certificate_arn: Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:acm:")] | None = None
    """ACM certificate of the tracking server's listener."""
    hostname: str | None = None
    """Name in the certificate; its DNS record points to the load balancer."""
    plain_http: bool = False
    """Serve without TLS: only where nobody else is on the network."""
    tasks: Annotated[int, Field(ge=1, le=20)] = 2
    """Tracking servers behind the load balancer."""
    cpu: Annotated[int, Field(ge=256, le=16384)] = 1024
    """CPU units of a task; 1024 is one virtual CPU."""
    memory_mib: Annotated[int, Field(ge=512, le=122880)] = 2048
    """Memory of a task."""
    database: DatabaseConfig = DatabaseConfig()
    disposable: bool = False
    """The stage's key: the database goes with the stack, unsaved, when the environment says so too."""

    @model_validator(mode="after")
    def _encrypted_or_said(self) -> Self:
        if self.plain_http and self.certificate_arn:
            raise ValueError("takes certificate_arn or plain_http, got both; remove plain_http")
        if not self.plain_http and not (self.certificate_arn and self.hostname):
            raise ValueError(
                "needs certificate_arn and hostname for its HTTPS listener; give both, or plain_http: true where nobody"
                " else is on the network"
            )
        return self


class ScalingConfig(_Section):
    """How a variant grows and shrinks."""

    min_instances: Annotated[int, Field(ge=1, le=1000)]
    max_instances: Annotated[int, Field(ge=1, le=1000)]
    invocations_per_instance: Annotated[int, Field(ge=1)]
    """Requests per instance and minute to aim at."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_instances < self.min_instances:
            raise ValueError(
                f"max_instances must be at least min_instances ({self.min_instances}), got {self.max_instances}"
            )
        return self


class VariantConfig(_Section):
    """A production variant of `mlp:serving`."""

    name: Name
    weight: Annotated[int, Field(ge=0, le=100)]
    """Share of requests in percent."""
    instance_type: InstanceType = "ml.m5.large"
    instance_count: Annotated[int, Field(ge=1, le=1000)] = 2
    """Instances at the start; scaling takes over."""
    scaling: ScalingConfig | None = None
    """None keeps the instance count."""

    @model_validator(mode="after")
    def _scalable(self) -> Self:
        if self.scaling is not None:
            low, high = self.scaling.min_instances, self.scaling.max_instances
            if not low <= self.instance_count <= high:
                raise ValueError(
                    f"instance_count must be within the scaling of {low} to {high}, got {self.instance_count}"
                )
            if self.instance_type.startswith("ml.t2."):
                raise ValueError(f"burstable {self.instance_type} cannot scale; choose another type or remove scaling")
        return self


class AlarmConfig(_Section):
    """What calls a rollout off."""

    error_percent: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Share of requests that may fail with 5xx, in percent."""
    latency_p99_ms: Annotated[int, Field(ge=1, le=60000)] = 1000
    """Longest model latency at the 99th percentile, in milliseconds."""


class RolloutConfig(_Section):
    """How a release replaces the live one."""

    canary_percent: Annotated[int, Field(ge=1, le=50)] = 10
    """Share of capacity that takes traffic first; SageMaker allows at most half."""
    bake_seconds: Annotated[int, Field(ge=0, le=3600)] = 600
    """How long the alarms are watched before the rest follows."""


class ServingConfig(_Section):
    """`mlp:serving`."""

    variants: Annotated[list[VariantConfig], Field(min_length=1, max_length=10)]
    """Production variants; SageMaker allows ten."""
    capture_percent: Annotated[int, Field(ge=0, le=100)] = 100
    """Share of requests whose input and output are kept in the lake."""
    network_isolation: bool = True
    """Whether a model's container is cut off from every network."""
    alarms: AlarmConfig = AlarmConfig()
    rollout: RolloutConfig = RolloutConfig()

    @field_validator("variants")
    @classmethod
    def _whole(cls, variants: list[VariantConfig]) -> list[VariantConfig]:
        total = sum(variant.weight for variant in variants)
        if total != 100:
            weights = ", ".join(f"{variant.name} {variant.weight}" for variant in variants)
            raise ValueError(f"weights must sum to 100, got {total}; change one of {weights}")
        names = [variant.name for variant in variants]
        if len(set(names)) != len(names):
            raise ValueError(f"names must be different from each other, got {', '.join(names)}")
        return variants


class StackConfig(_Section):
    """Everything a stack file says."""

    account_id: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    """AWS account; any other is refused."""
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    owner: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Team that answers for the resources."""
    cost_center: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    """Who pays."""
    endpoint: str | None = None
    """Where the embedded AWS answers; only the local environment has one."""
    disposable: bool = False
    """The environment's key: data of stages that say so too goes with the stack."""
    log_retention_days: int = 365
    """Days that logs are kept, one of CloudWatch's periods."""
    network: NetworkConfig
    storage: StorageConfig = StorageConfig()
    training: TrainingConfig | None = None
    registry: RegistryConfig | None = None
    serving: ServingConfig | None = None

    @field_validator("log_retention_days")
    @classmethod
    def _offered(cls, days: int) -> int:
        if days not in _RETENTION_DAYS:
            raise ValueError(f"must be one of {', '.join(map(str, _RETENTION_DAYS))}, got {days}")
        return days


_RETENTION_DAYS = (
    1,
    3,
    5,
    7,
    14,
    30,
    60,
    90,
    120,
    150,
    180,
    365,
    400,
    545,
    731,
    1096,
    1827,
    2192,
    2557,
    2922,
    3288,
    3653,
)
"""Retention periods of CloudWatch Logs, PutRetentionPolicy."""
