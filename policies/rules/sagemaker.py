"""SageMaker: models are isolated and private, endpoints redundant, encrypted and rolled out with a way back."""

from collections.abc import Iterator
from typing import cast

from policies.controls import Control, Nist, Severity, Source, resource_rule
from policies.resources import Block, Resource, dig

MODEL = "aws:sagemaker/model:Model"
ENDPOINT_CONFIGURATION = "aws:sagemaker/endpointConfiguration:EndpointConfiguration"
ENDPOINT = "aws:sagemaker/endpoint:Endpoint"
MODEL_PACKAGE_GROUP = "aws:sagemaker/modelPackageGroup:ModelPackageGroup"
DATA_QUALITY_JOB = "aws:sagemaker/dataQualityJobDefinition:DataQualityJobDefinition"
MONITORING_SCHEDULE = "aws:sagemaker/monitoringSchedule:MonitoringSchedule"


def _control(
    number: int,
    title: str,
    types: tuple[str, ...],
    looks_at: str,
    nist: Nist = Nist.NONE,
    source: Source = Source.AI,
) -> Control:
    return Control(f"SageMaker.{number}", title, Severity.MEDIUM, types, looks_at, source=source, nist=nist)


@resource_rule(
    _control(
        4,
        "SageMaker endpoint production variants should have an initial instance count greater than 1",
        (ENDPOINT_CONFIGURATION,),
        "productionVariants[].initialInstanceCount",
        Nist.BACKUP,
        Source.FSBP,
    )
)
def has_more_than_one_instance(configuration: Resource) -> Iterator[str]:
    """Every variant starts with two instances or more, so that one may fail; serverless ones have none."""
    for variant in configuration.get("productionVariants", []):
        count = variant.get("initialInstanceCount") or 0
        if not variant.get("serverlessConfig") and count < 2:
            yield f"variant {variant.get('variantName') or ''}: initialInstanceCount is {count:g}, not 2 or more"


@resource_rule(
    _control(
        5,
        "SageMaker models should have network isolation enabled",
        (MODEL,),
        "enableNetworkIsolation",
        Nist.NETWORK,
        Source.FSBP,
    )
)
def is_isolated(model: Resource) -> Iterator[str]:
    """The model's containers make no network calls."""
    if not model.get("enableNetworkIsolation"):
        yield "enableNetworkIsolation is not true"


def _from_public_registry(container: Block) -> bool:
    return dig(container, "imageConfig", "repositoryAccessMode") == "Platform" and not _is_private_ecr(container)


def _is_private_ecr(container: Block) -> bool:
    return ".dkr.ecr." in (container.get("image") or "").partition("/")[0]


@resource_rule(
    _control(
        16,
        "SageMaker models should use private registry in VPC for primary container",
        (MODEL,),
        "primaryContainer.imageConfig.repositoryAccessMode, image",
    )
)
def primary_container_is_private(model: Resource) -> Iterator[str]:
    """The image comes from the account's ECR, or from a private registry through the VPC."""
    container = model.get("primaryContainer")
    if container and _from_public_registry(container):
        yield "primaryContainer.imageConfig.repositoryAccessMode is 'Platform', not 'Vpc'"


@resource_rule(
    _control(
        19,
        "SageMaker models should use private registry in VPC for multi-container pipelines",
        (MODEL,),
        "containers[].imageConfig.repositoryAccessMode, image",
    )
)
def pipeline_containers_are_private(model: Resource) -> Iterator[str]:
    """As SageMaker.16, for each container of an inference pipeline."""
    for index, container in enumerate(model.get("containers", [])):
        if _from_public_registry(container):
            yield f"containers[{index}].imageConfig.repositoryAccessMode is 'Platform', not 'Vpc'"


@resource_rule(
    _control(
        9,
        "SageMaker data quality job definitions should have inter-container traffic encryption enabled",
        (DATA_QUALITY_JOB,),
        "networkConfig.enableInterContainerTrafficEncryption",
        Nist.IN_TRANSIT,
    )
)
def data_quality_job_encrypts_traffic(job: Resource) -> Iterator[str]:
    """Traffic between the job's instances is encrypted."""
    if not dig(job, "networkConfig", "enableInterContainerTrafficEncryption"):
        yield "networkConfig.enableInterContainerTrafficEncryption is not true"


@resource_rule(
    _control(
        11,
        "SageMaker data quality job definitions should have network isolation enabled",
        (DATA_QUALITY_JOB,),
        "networkConfig.enableNetworkIsolation",
        Nist.NETWORK,
    )
)
def data_quality_job_is_isolated(job: Resource) -> Iterator[str]:
    """The job's containers make no network calls."""
    if not dig(job, "networkConfig", "enableNetworkIsolation"):
        yield "networkConfig.enableNetworkIsolation is not true"


def _inline_job(schedule: Resource) -> Block | None:
    """The job a schedule spells out; None when it names a job definition, which has controls of its own."""
    job = dig(schedule, "monitoringScheduleConfig", "monitoringJobDefinition")
    return cast("Block", job) if job else None


@resource_rule(
    _control(
        14,
        "SageMaker monitoring schedules should have network isolation enabled",
        (MONITORING_SCHEDULE,),
        "monitoringScheduleConfig.monitoringJobDefinition.networkConfig.enableNetworkIsolation",
        Nist.NETWORK,
    )
)
def monitoring_schedule_is_isolated(schedule: Resource) -> Iterator[str]:
    """The scheduled job's containers make no network calls."""
    job = _inline_job(schedule)
    if job is not None and not dig(job, "networkConfig", "enableNetworkIsolation"):
        yield "monitoringJobDefinition.networkConfig.enableNetworkIsolation is not true"


@resource_rule(
    _control(
        22,
        "SageMaker monitoring schedules should have inter-container traffic encryption enabled",
        (MONITORING_SCHEDULE,),
        "monitoringScheduleConfig.monitoringJobDefinition.networkConfig.enableInterContainerTrafficEncryption",
        Nist.IN_TRANSIT,
    )
)
def monitoring_schedule_encrypts_traffic(schedule: Resource) -> Iterator[str]:
    """Traffic between the scheduled job's instances is encrypted."""
    job = _inline_job(schedule)
    if job is not None and not dig(job, "networkConfig", "enableInterContainerTrafficEncryption"):
        yield "monitoringJobDefinition.networkConfig.enableInterContainerTrafficEncryption is not true"


@resource_rule(
    Control(
        "MLP.SageMaker.1",
        "Endpoint volumes and captured data are encrypted with a customer managed key",
        Severity.MEDIUM,
        (ENDPOINT_CONFIGURATION,),
        "kmsKeyArn, dataCaptureConfig.kmsKeyId",
        source=Source.MLP,
        nist=Nist.AT_REST,
    )
)
def endpoint_is_encrypted(configuration: Resource) -> Iterator[str]:
    """A key for the instances' volumes (as Checkov's CKV_AWS_98), and one for captured requests."""
    if not configuration.get("kmsKeyArn"):
        yield "kmsKeyArn is not set"
    capture = configuration.get("dataCaptureConfig")
    if capture and not capture.get("kmsKeyId"):
        yield "dataCaptureConfig.kmsKeyId is not set"


@resource_rule(
    Control(
        "MLP.SageMaker.2",
        "Models run in the platform's own subnets",
        Severity.MEDIUM,
        (MODEL,),
        "vpcConfig: subnets and securityGroupIds",
        source=Source.MLP,
        nist=Nist.NETWORK,
    )
)
def runs_in_the_vpc(model: Resource) -> Iterator[str]:
    """Subnets and security groups are named."""
    network: Block = model.get("vpcConfig") or {}
    for key in ("subnets", "securityGroupIds"):
        if not network.get(key):
            yield f"vpcConfig.{key} is empty"


@resource_rule(
    Control(
        "MLP.SageMaker.3",
        "An endpoint update is guarded: alarms roll it back",
        Severity.MEDIUM,
        (ENDPOINT,),
        "deploymentConfig.autoRollbackConfiguration.alarms",
        source=Source.MLP,
    )
)
def update_is_guarded(endpoint: Resource) -> Iterator[str]:
    """At least one alarm watches every update and takes it back."""
    deployment: Block = endpoint.get("deploymentConfig") or {}
    if not dig(deployment, "autoRollbackConfiguration", "alarms"):
        yield "deploymentConfig.autoRollbackConfiguration has no alarms"


@resource_rule(
    Control(
        "MLP.SageMaker.4",
        "Model images come from a registry of our own",
        Severity.HIGH,
        (MODEL,),
        "primaryContainer.image, containers[].image",
        source=Source.MLP,
    )
)
def image_is_ours(model: Resource) -> Iterator[str]:
    """Every image is in a private ECR registry, or fetched through the VPC."""
    for container in [*filter(None, [model.get("primaryContainer")]), *model.get("containers", [])]:
        mode = dig(container, "imageConfig", "repositoryAccessMode")
        if container.get("image") and mode != "Vpc" and not _is_private_ecr(container):
            yield f"image {container.get('image')!r} is not in a private ECR registry"
