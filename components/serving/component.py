"""What serving is made of: an endpoint once there is a model, and all that watches and guards it before."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

import pulumi
import pulumi_aws as aws

from components._base import Stage
from components.errors import Problems
from components.instances import has_own_storage
from components.refs import BucketRef, ImageRef, NetworkRef
from components.serving import variants, watch
from components.serving.permissions import CAPTURE_PREFIX, Access, execution_statements
from components.serving.variants import ModelArgs, VariantArgs
from infra.environment import Environment
from infra.naming import fixed_name
from infra.tags import DataClass


class ServingArgs(TypedDict):
    """What serving is made of."""

    environment: Environment
    """Where it stands."""
    network: NetworkRef
    """The network models are served in."""
    lake: BucketRef
    """Where captured requests and responses go."""
    artifacts: BucketRef
    """Where model archives lie."""
    model_prefixes: Sequence[str]
    """Prefixes of model archives in the artifacts bucket."""
    image: ImageRef
    """The image models are served in."""
    logs_key_arn: pulumi.Input[str]
    """Key of the endpoint's log."""
    variants: Sequence[VariantArgs]
    """Production variants, one to ten."""
    models: NotRequired[Mapping[str, ModelArgs]]
    """Released models by variant; without any there is no endpoint yet. They shape a new endpoint only."""
    capture_percent: NotRequired[int]
    """Share of requests captured, in percent; all when left out."""
    network_isolation: NotRequired[bool]
    """Whether a model's container is cut off from every network; it is when left out."""
    error_percent: NotRequired[float]
    """Share of 5xx answers that calls a rollout off, in percent; 1 when left out."""
    latency_p99_ms: NotRequired[int]
    """Model latency at the 99th percentile that calls a rollout off, in milliseconds; 1000 when left out."""
    canary_percent: NotRequired[int]
    """Share of capacity that takes a release's traffic first, at most 50 percent; 10 when left out."""
    bake_seconds: NotRequired[int]
    """How long alarms are watched before the rest follows; 600 when left out."""
    retention_days: NotRequired[int]
    """Days that logs are kept; 365 when left out."""


class Serving(Stage):
    """A SageMaker endpoint that deployments create and never change: releases and traffic belong to the pipeline."""

    endpoint: pulumi.Output[str]
    """Name of the endpoint, whether it exists yet or not."""
    role_arn: pulumi.Output[str]
    """Execution role of models, usable once its policy is attached."""
    security_group_id: pulumi.Output[str]
    """Security group of models."""
    capture_uri: pulumi.Output[str]
    """`s3://` prefix of captured requests and responses."""
    alarms: pulumi.Output[Sequence[str]]
    """Alarms that call a rollout off."""

    def __init__(self, name: str, args: ServingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Serving", "serving", name, args["environment"], opts)
        self._args = args
        self._models = args.get("models", {})
        self._check()
        self._endpoint_name = fixed_name("endpoint", args["environment"]["environment"], "serving")
        self.capture_uri = pulumi.Output.concat("s3://", args["lake"]["name"], "/", CAPTURE_PREFIX.rstrip("/"))

        log_name = f"/aws/sagemaker/Endpoints/{self._endpoint_name}"
        log_group = self._log_group("endpoint", log_name, args["logs_key_arn"], args.get("retention_days", 365))
        group = self._network_place()
        role, attached = self._execution_role(log_name, group)
        self.role_arn = pulumi.Output.all(role.arn, attached.id).apply(lambda known: known[0])
        alarms = [alarm for variant in args["variants"] for alarm in self._alarms(variant["name"])]
        serving = variants.taking_part(args["variants"], self._models)
        if serving:
            configuration = self._configuration(serving, group)
            self._endpoint(configuration, serving, alarms, log_group)

        self.endpoint = pulumi.Output.from_input(self._endpoint_name)
        self.security_group_id = group.id
        self.alarms = pulumi.Output.all(*(alarm.name for alarm in alarms))
        self.register_outputs(
            {
                "endpoint": self.endpoint,
                "role_arn": self.role_arn,
                "security_group_id": self.security_group_id,
                "capture_uri": self.capture_uri,
                "alarms": self.alarms,
            }
        )

    def _check(self) -> None:
        args = self._args
        problems = Problems("Serving")
        problems.extend(variants.problems(args["variants"], self._models))
        problems.within(args.get("capture_percent", 100), 0, 100, "capture_percent")
        problems.within(args.get("canary_percent", 10), 1, 50, "canary_percent")
        problems.within(args.get("bake_seconds", 600), 0, 3600, "bake_seconds")
        problems.raise_any()

    def _network_place(self) -> aws.ec2.SecurityGroup:
        network = self._args["network"]
        group = self._security_group("model", "Served models", network["vpc_id"])
        endpoints = network["endpoints_security_group_id"]
        self._egress("model-to-endpoints", group, 443, "AWS services", group_id=endpoints)
        self._egress("model-to-s3", group, 443, "Models and captures", prefix_list_id=network["s3_prefix_list_id"])
        return group

    def _execution_role(self, log_group: str, group: aws.ec2.SecurityGroup) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        args = self._args
        known = pulumi.Output.all(
            lake_arn=args["lake"]["arn"],
            lake_key_arn=args["lake"]["key_arn"],
            artifacts_arn=args["artifacts"]["arn"],
            artifacts_key_arn=args["artifacts"]["key_arn"],
            repository_arn=args["image"]["repository_arn"],
            model_prefixes=args["model_prefixes"],
            log_group=log_group,
            vpc_id=args["network"]["vpc_id"],
            subnet_ids=args["network"]["subnet_ids"],
            security_group_id=group.id,
        )
        statements = known.apply(lambda values: execution_statements(args["environment"], Access(**values)))
        return self._role("execution", "What a served model may do", "sagemaker.amazonaws.com", statements)

    def _alarms(self, variant: str) -> list[aws.cloudwatch.MetricAlarm]:
        """A variant's alarms; they stand before the endpoint does, so the first rollout is guarded too."""
        args, tags = self._args, self._tags(DataClass.OPERATIONAL)
        return [
            watch.error_alarm(
                f"{self._prefix}-{variant}-errors",
                args["environment"],
                self._endpoint_name,
                variant,
                args.get("error_percent", 1.0),
                tags,
                self._child(),
            ),
            watch.latency_alarm(
                f"{self._prefix}-{variant}-latency",
                args["environment"],
                self._endpoint_name,
                variant,
                args.get("latency_p99_ms", 1000),
                tags,
                self._child(),
            ),
        ]

    def _model(self, variant: str, group: aws.ec2.SecurityGroup) -> aws.sagemaker.Model:
        released = self._models[variant]
        return aws.sagemaker.Model(
            f"{self._prefix}-{variant}",
            execution_role_arn=self.role_arn,
            enable_network_isolation=self._args.get("network_isolation", True),
            primary_container={
                "image": released["image_uri"],
                "mode": "SingleModel",
                "model_data_url": released["model_data_url"],
            },
            vpc_config={
                "subnets": self._args["network"]["subnet_ids"],
                "security_group_ids": [group.id],
            },
            tags=self._tags(DataClass.INTERNAL),
            # What is released later is the pipeline's: these are the models the endpoint was created with.
            opts=self._child(ignore_changes=["primary_container"]),
        )

    def _configuration(
        self, serving: Sequence[VariantArgs], group: aws.ec2.SecurityGroup
    ) -> aws.sagemaker.EndpointConfiguration:
        models = {variant["name"]: self._model(variant["name"], group) for variant in serving}
        args = self._args
        captured = args.get("capture_percent", 100)
        own_storage = any(has_own_storage(variants.instance_type(variant)) for variant in serving)
        return aws.sagemaker.EndpointConfiguration(
            f"{self._prefix}-configuration",
            kms_key_arn=None if own_storage else args["artifacts"]["key_arn"],
            production_variants=[
                {
                    "variant_name": variant["name"],
                    "model_name": models[variant["name"]].name,
                    "initial_variant_weight": variant["weight"],
                    "initial_instance_count": variants.instance_count(variant),
                    "instance_type": variants.instance_type(variant),
                }
                for variant in serving
            ],
            data_capture_config={
                "enable_capture": captured > 0,
                "initial_sampling_percentage": captured,
                "destination_s3_uri": self.capture_uri,
                "kms_key_id": args["lake"]["key_arn"],
                "capture_options": [{"capture_mode": "Input"}, {"capture_mode": "Output"}],
                "capture_content_type_header": {
                    "csv_content_types": ["text/csv"],
                    "json_content_types": ["application/json"],
                },
            },
            tags=self._tags(DataClass.INTERNAL),
            opts=self._child(ignore_changes=["production_variants", "data_capture_config"]),
        )

    def _endpoint(
        self,
        configuration: aws.sagemaker.EndpointConfiguration,
        serving: Sequence[VariantArgs],
        alarms: Sequence[aws.cloudwatch.MetricAlarm],
        log_group: aws.cloudwatch.LogGroup,
    ) -> None:
        args = self._args
        endpoint = aws.sagemaker.Endpoint(
            f"{self._prefix}-endpoint",
            name=self._endpoint_name,
            endpoint_config_name=configuration.name,
            deployment_config={
                "blue_green_update_policy": {
                    "traffic_routing_configuration": {
                        "type": "CANARY",
                        "canary_size": {"type": "CAPACITY_PERCENT", "value": args.get("canary_percent", 10)},
                        "wait_interval_in_seconds": args.get("bake_seconds", 600),
                    },
                    "termination_wait_in_seconds": 0,
                },
                "auto_rollback_configuration": {"alarms": [{"alarm_name": alarm.name} for alarm in alarms]},
            },
            tags=self._tags(DataClass.INTERNAL),
            # Live weights and counts, and the release that answers, are the pipeline's: an update here would reset
            # them, and the provider would report a rolled-back one as done.
            opts=self._child(ignore_changes=["endpoint_config_name", "deployment_config"], depends_on=[log_group]),
        )
        for variant in serving:
            if (wanted := variant.get("scaling")) is not None:
                name, tags = f"{self._prefix}-{variant['name']}", self._tags(DataClass.OPERATIONAL)
                watch.scaling(name, endpoint.name, variant["name"], wanted, tags, self)
