"""Models, endpoints and monitoring."""

from typing import Any

from policies.rules import sagemaker
from tests.policies.cases._case import Case, Entry, entry

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:abc"
OUTSIDE = {"image": "registry.example/model:1", "imageConfig": {"repositoryAccessMode": "Vpc"}}
MODEL = entry(
    sagemaker.MODEL,
    "model",
    enableNetworkIsolation=True,
    primaryContainer={"image": IMAGE},
    vpcConfig={"subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]},
)
CONFIGURATION = entry(
    sagemaker.ENDPOINT_CONFIGURATION,
    "configuration",
    kmsKeyArn="arn:aws:kms:x:1:key/k",
    productionVariants=[
        {"variantName": "a", "initialInstanceCount": 2},
        {"variantName": "b", "initialInstanceCount": 3},
    ],
    dataCaptureConfig={"kmsKeyId": "arn:aws:kms:x:1:key/k", "initialSamplingPercentage": 100},
)
_NETWORK = {"enableNetworkIsolation": True, "enableInterContainerTrafficEncryption": True}
JOB = entry(
    sagemaker.DATA_QUALITY_JOB, "job", networkConfig=_NETWORK, jobResources={"clusterConfig": {"instanceCount": 1}}
)
SCHEDULE = entry(
    sagemaker.MONITORING_SCHEDULE,
    "schedule",
    monitoringScheduleConfig={
        "monitoringJobDefinition": {
            "networkConfig": _NETWORK,
            "monitoringResources": {"clusterConfig": {"instanceCount": 1}},
        }
    },
)
_IN_SCHEDULE = "monitoringScheduleConfig.monitoringJobDefinition.networkConfig"


def _model(**properties: Any) -> tuple[Entry]:
    return (entry(sagemaker.MODEL, "model", **properties),)


CASES = (
    Case("SageMaker.4", (CONFIGURATION,), "configuration", "productionVariants[1].initialInstanceCount", 1),
    Case("SageMaker.5", (MODEL,), "model", "enableNetworkIsolation", bad=False),
    Case("SageMaker.9", (JOB,), "job", "networkConfig.enableInterContainerTrafficEncryption", bad=False),
    Case("SageMaker.11", (JOB,), "job", "networkConfig.enableNetworkIsolation", bad=False),
    Case("SageMaker.14", (SCHEDULE,), "schedule", f"{_IN_SCHEDULE}.enableNetworkIsolation", bad=False),
    Case("SageMaker.22", (SCHEDULE,), "schedule", f"{_IN_SCHEDULE}.enableInterContainerTrafficEncryption", bad=False),
    Case(
        "SageMaker.16",
        _model(primaryContainer=OUTSIDE),
        "model",
        "primaryContainer.imageConfig.repositoryAccessMode",
        "Platform",
        missing="passes",
    ),
    Case(
        "SageMaker.19",
        _model(containers=[{"image": IMAGE}, OUTSIDE]),
        "model",
        "containers[1].imageConfig.repositoryAccessMode",
        "Platform",
        missing="passes",
    ),
    Case("MLP.SageMaker.1", (CONFIGURATION,), "configuration", "kmsKeyArn", ""),
    Case("MLP.SageMaker.1", (CONFIGURATION,), "configuration", "dataCaptureConfig.kmsKeyId", ""),
    Case("MLP.SageMaker.2", (MODEL,), "model", "vpcConfig.subnets", []),
    Case(
        "MLP.SageMaker.3",
        (
            entry(
                sagemaker.ENDPOINT,
                "endpoint",
                deploymentConfig={"autoRollbackConfiguration": {"alarms": [{"alarmName": "errors"}]}},
            ),
        ),
        "endpoint",
        "deploymentConfig.autoRollbackConfiguration.alarms",
        [],
    ),
    Case(
        "MLP.SageMaker.4",
        (MODEL,),
        "model",
        "primaryContainer.image",
        "docker.example/x.dkr.ecr.fake",
        missing="passes",
    ),
    Case(
        "MLP.SageMaker.4",
        _model(containers=[OUTSIDE]),
        "model",
        "containers[0].imageConfig.repositoryAccessMode",
        "Platform",
    ),
)
