"""What SageMaker refuses, and what the embedded AWS refuses because it would have to pretend."""

import re

from moto.sagemaker.exceptions import AWSValidationException as Invalid

from infra.local.backends.members import Document, rows, section
from infra.local.backends.stores import Location


def check_training(request: Document) -> None:
    """Refuse what the embedded AWS would have to pretend.

    Raises:
        AWSValidationException: a setting AWS refuses too, or one that is not written here; the text says which.
    """
    algorithm = request["AlgorithmSpecification"]
    if not algorithm.get("TrainingImage"):
        raise Invalid(
            "AlgorithmSpecification.TrainingImage is required by the embedded AWS: algorithm names are not resolved."
        )
    count = request["ResourceConfig"].get("InstanceCount", 1)
    if count != 1 or request["ResourceConfig"].get("InstanceGroups"):
        raise Invalid(
            f"ResourceConfig.InstanceCount must be 1 on the embedded AWS, got {count}: one machine trains on one host."
        )
    for channel in rows(request, "InputDataConfig"):
        _check_channel(channel, algorithm.get("TrainingInputMode", "File"))
    check_s3(request["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig.S3OutputPath")
    stopping = section(request, "StoppingCondition")
    if request.get("EnableManagedSpotTraining") and stopping.get("MaxWaitTimeInSeconds", 0) < stopping.get(
        "MaxRuntimeInSeconds", 86400
    ):
        raise Invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
            "when EnableManagedSpotTraining is set to true."
        )
    for definition in rows(algorithm, "MetricDefinitions"):
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise Invalid(f"MetricDefinitions: {definition['Regex']!r} is no regular expression: {error}.") from error


def _check_channel(channel: Document, default_mode: str) -> None:
    name = channel["ChannelName"]
    source = channel["DataSource"].get("S3DataSource")
    if source is None:
        raise Invalid(f"InputDataConfig channel {name!r}: only S3DataSource is written for the embedded AWS.")
    if source.get("S3DataType", "S3Prefix") != "S3Prefix":
        raise Invalid(
            f"InputDataConfig channel {name!r}: S3DataType must be S3Prefix here, got {source['S3DataType']}."
        )
    mode = channel.get("InputMode") or default_mode
    if mode not in ("File", "FastFile"):
        raise Invalid(
            f"InputDataConfig channel {name!r}: InputMode must be File or FastFile on the embedded AWS, got {mode}."
        )
    if channel.get("RecordWrapperType", "None") != "None":
        raise Invalid(f"InputDataConfig channel {name!r}: RecordWrapperType must be None on the embedded AWS.")
    check_s3(source["S3Uri"], f"InputDataConfig channel {name!r}")


def check_endpoint_config(request: Document) -> None:
    """Refuse variants and options that are not started here.

    Raises:
        AWSValidationException: the text names member, value and what is allowed.
    """
    for member in ("AsyncInferenceConfig", "ExplainerConfig", "ShadowProductionVariants"):
        if request.get(member):
            raise Invalid(f"{member} is not written for the embedded AWS: leave it out in this environment.")
    names = [variant["VariantName"] for variant in request["ProductionVariants"]]
    if len(set(names)) != len(names):
        raise Invalid(f"The variant names must be unique within an endpoint configuration, got {', '.join(names)}.")
    for variant in request["ProductionVariants"]:
        name = variant["VariantName"]
        if variant.get("ServerlessConfig"):
            raise Invalid(
                f"Variant {name!r}: ServerlessConfig is not written for the embedded AWS: "
                "set InstanceType and InitialInstanceCount."
            )
        if not variant.get("ModelName"):
            raise Invalid(f"Variant {name!r}: ModelName is required.")
        if not variant.get("InstanceType") or not variant.get("InitialInstanceCount"):
            raise Invalid(f"Variant {name!r}: InstanceType and InitialInstanceCount (at least 1) are required.")
    if sum(variant.get("InitialVariantWeight", 1.0) for variant in request["ProductionVariants"]) <= 0:
        raise Invalid("The sum of the variants' InitialVariantWeight must be greater than 0.")
    capture = request.get("DataCaptureConfig")
    if capture:
        check_s3(capture["DestinationS3Uri"], "DataCaptureConfig.DestinationS3Uri")


def check_s3(uri: str, member: str) -> None:
    """Refuse what is no S3 URI; `member` names it in the error."""
    try:
        Location.parse(uri)
    except ValueError as error:
        raise Invalid(f"{member}: {error}.") from error
