"""Alarms and scaling of one variant."""

import pulumi
import pulumi_aws as aws

from components.serving.variants import ScalingArgs
from infra.environment import Environment
from infra.naming import fixed_name

_PERIOD = 60  # seconds: SageMaker's metrics have one point a minute


def error_alarm(
    name: str,
    environment: Environment,
    endpoint: str,
    variant: str,
    threshold: float,
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.cloudwatch.MetricAlarm:
    """In ALARM while more than `threshold` percent of a variant's requests fail with 5xx.

    `Invocation5XXErrors` is 0 or 1 per request, so its average is the share of failed requests.
    Source: SageMaker developer guide, endpoint invocation metrics.
    """
    return aws.cloudwatch.MetricAlarm(
        name,
        name=fixed_name("alarm", environment["environment"], "serving", variant, suffixes=("errors",)),
        alarm_description=f"More than {threshold:g} % of the requests to {variant} fail",
        namespace="AWS/SageMaker",
        metric_name="Invocation5XXErrors",
        dimensions={"EndpointName": endpoint, "VariantName": variant},
        statistic="Average",
        period=_PERIOD,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        comparison_operator="GreaterThanThreshold",
        threshold=threshold / 100,
        treat_missing_data="notBreaching",
        tags=tags,
        opts=opts,
    )


def latency_alarm(
    name: str,
    environment: Environment,
    endpoint: str,
    variant: str,
    milliseconds: int,
    tags: dict[str, str],
    opts: pulumi.ResourceOptions,
) -> aws.cloudwatch.MetricAlarm:
    """In ALARM while a variant's model takes longer than `milliseconds` at the 99th percentile.

    `ModelLatency` is in microseconds.
    """
    return aws.cloudwatch.MetricAlarm(
        name,
        name=fixed_name("alarm", environment["environment"], "serving", variant, suffixes=("latency",)),
        alarm_description=f"{variant} takes longer than {milliseconds} ms at the 99th percentile",
        namespace="AWS/SageMaker",
        metric_name="ModelLatency",
        dimensions={"EndpointName": endpoint, "VariantName": variant},
        extended_statistic="p99",
        period=_PERIOD,
        evaluation_periods=3,
        datapoints_to_alarm=2,
        comparison_operator="GreaterThanThreshold",
        threshold=1000 * milliseconds,
        treat_missing_data="notBreaching",
        tags=tags,
        opts=opts,
    )


def scaling(
    name: str,
    endpoint: pulumi.Input[str],
    variant: str,
    wanted: ScalingArgs,
    tags: dict[str, str],
    parent: pulumi.Resource,
) -> None:
    """Keep a variant near its requests per instance and minute; scaling in waits longer than scaling out."""
    target = aws.appautoscaling.Target(
        f"{name}-scaling",
        service_namespace="sagemaker",
        scalable_dimension="sagemaker:variant:DesiredInstanceCount",
        resource_id=pulumi.Output.concat("endpoint/", endpoint, "/variant/", variant),
        min_capacity=wanted["min_instances"],
        max_capacity=wanted["max_instances"],
        tags=tags,
        opts=pulumi.ResourceOptions(parent=parent),
    )
    aws.appautoscaling.Policy(
        f"{name}-scaling-policy",
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration={
            "predefined_metric_specification": {
                "predefined_metric_type": "SageMakerVariantInvocationsPerInstance",
            },
            "target_value": wanted["invocations_per_instance"],
            "scale_in_cooldown": 300,
            "scale_out_cooldown": 60,
        },
        opts=pulumi.ResourceOptions(parent=parent),
    )
