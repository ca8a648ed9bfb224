"""The platform of one environment: the only place that wires stage to stage."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pulumi
import pulumi_aws as aws

from components.instances import has_own_storage
from components.refs import BucketRef, ImageRef, NetworkRef
from components.registry import DatabaseArgs, Registry, RegistryArgs
from components.registry.permissions import ARTIFACTS_PREFIX
from components.serving import ModelArgs, Serving, VariantArgs
from components.training import ProfileArgs, Training
from components.training.permissions import OUTPUT_PREFIX
from infra.environment import Environment
from infra.foundation import Foundation
from infra.images import content_tag
from infra.naming import parameter_name, repository_name
from infra.providers import aws_provider
from infra.storage import BALANCER_LOGS_PREFIX
from stacks.config import StackConfig
from stacks.outputs import Release
from stacks.publish import publish
from stacks.release import published_release

_ROOT = Path(__file__).resolve().parent.parent

IMAGES: Mapping[str, str] = MappingProxyType(
    {"training": "pipelines/training/image", "registry-server": "pipelines/registry/server"}
)
"""Image folders below the repository root, by the last part of their repository's name."""
_STAGE_IMAGE: Mapping[str, str] = MappingProxyType(
    # A model is served in the image it was trained in: the same libraries read what they wrote.
    {"training": "training", "registry": "registry-server", "serving": "training"}
)


class Platform:
    """Foundation and stages of one environment, and the document that tells pipelines about them.

    A stage absent from `config` is not deployed. `root` is the folder that image folders lie below; the repository's
    by default.
    """

    def __init__(self, environment: str, config: StackConfig, root: Path = _ROOT) -> None:
        self._config = config
        self._root = root
        self._environment: Environment = {
            "environment": environment,
            "account_id": config.account_id,
            "region": config.region,
            "owner": config.owner,
            "cost_center": config.cost_center,
        }
        provider = aws_provider(self._environment)
        self._options = pulumi.ResourceOptions(provider=provider)
        stages = [stage for stage in _STAGE_IMAGE if getattr(config, stage) is not None]
        self._images = {image: content_tag(root / IMAGES[image]) for image in {_STAGE_IMAGE[each] for each in stages}}
        self._foundation = Foundation(
            "foundation",
            {
                "environment": self._environment,
                "cidr": config.network.cidr,
                "zones": config.network.zones,
                "interface_endpoints": config.network.interface_endpoints,
                "images": sorted(self._images),
                "retention_days": config.log_retention_days,
                "noncurrent_days": config.storage.noncurrent_days,
                "disposable": config.disposable and config.storage.disposable,
            },
            self._options,
        )
        document = {
            **self._base_document(),
            "training": self._training(),
            "registry": self._registry(),
            "serving": self._serving(provider),
        }
        publish(self._environment, self._artifacts, document, self._options)

    @property
    def _network(self) -> NetworkRef:
        network = self._foundation.network
        return {
            "vpc_id": network.vpc_id,
            "cidr": self._config.network.cidr,
            "subnet_ids": network.subnet_ids,
            "endpoints_security_group_id": network.endpoints_security_group_id,
            "s3_prefix_list_id": network.s3_prefix_list_id,
        }

    @property
    def _lake(self) -> BucketRef:
        storage, keys = self._foundation.storage, self._foundation.keys
        return {"name": storage.lake_bucket, "arn": storage.lake.arn, "key_arn": keys.confidential_arn}

    @property
    def _artifacts(self) -> BucketRef:
        storage, keys = self._foundation.storage, self._foundation.keys
        return {"name": storage.artifacts_bucket, "arn": storage.artifacts.arn, "key_arn": keys.internal_arn}

    def _image(self, stage: str) -> ImageRef:
        image = _STAGE_IMAGE[stage]
        repositories, tag = self._foundation.repositories, self._images[image]
        return {
            "uri": repositories.repository_urls.apply(lambda urls: f"{urls[image]}:{tag}"),
            "repository_arn": repositories.repository_arns.apply(lambda arns: arns[image]),
        }

    def _image_document(self, stage: str) -> dict[str, Any]:
        image = _STAGE_IMAGE[stage]
        return {
            "folder": IMAGES[image],
            "repository": repository_name(self._environment["environment"], image),
            "uri": self._image(stage)["uri"],
        }

    def _base_document(self) -> dict[str, Any]:
        return {
            "environment": self._environment["environment"],
            "account_id": self._environment["account_id"],
            "region": self._environment["region"],
            "network": {"vpc_id": self._network["vpc_id"], "private_subnet_ids": self._network["subnet_ids"]},
            "storage": {
                "lake_bucket": self._lake["name"],
                "lake_key_arn": self._lake["key_arn"],
                "artifacts_bucket": self._artifacts["name"],
                "artifacts_key_arn": self._artifacts["key_arn"],
                "logs_bucket": self._foundation.storage.logs_bucket,
            },
        }

    def _training(self) -> dict[str, Any] | None:
        config = self._config.training
        if config is None:
            return None
        profiles = {name: profile.model_dump(exclude_none=True) for name, profile in config.profiles.items()}
        training = Training(
            "training",
            {
                "environment": self._environment,
                "network": self._network,
                "lake": self._lake,
                "artifacts": self._artifacts,
                "image": self._image("training"),
                "logs_key_arn": self._foundation.keys.operational_arn,
                "profiles": cast("dict[str, ProfileArgs]", profiles),
                "network_isolation": config.network_isolation,
                "retention_days": self._config.log_retention_days,
            },
            self._options,
        )
        key_arn = self._artifacts["key_arn"]
        return {
            "image": self._image_document("training"),
            "role_arn": training.role_arn,
            "security_group_ids": [training.security_group_id],
            "subnet_ids": self._network["subnet_ids"],
            "output_uri": training.output_uri,
            "checkpoint_uri": training.checkpoint_uri,
            "key_arn": key_arn,
            "network_isolation": config.network_isolation,
            "profiles": {
                name: {
                    **profile.model_dump(),
                    "volume_key_arn": None if has_own_storage(profile.instance_type) else key_arn,
                }
                for name, profile in config.profiles.items()
            },
            "job_prefix": training.job_prefix,
            "submitter_policy_arn": training.submitter_policy_arn,
        }

    def _registry(self) -> dict[str, Any] | None:
        config = self._config.registry
        if config is None:
            return None
        args: RegistryArgs = {
            "environment": self._environment,
            "network": self._network,
            "artifacts": self._artifacts,
            "image": self._image("registry"),
            "logs_key_arn": self._foundation.keys.operational_arn,
            "access_logs_bucket": self._foundation.storage.logs_bucket,
            "access_logs_prefix": BALANCER_LOGS_PREFIX,
            "tasks": config.tasks,
            "cpu": config.cpu,
            "memory_mib": config.memory_mib,
            "database": cast("DatabaseArgs", config.database.model_dump()),
            "retention_days": self._config.log_retention_days,
            "disposable": self._config.disposable and config.disposable,
        }
        if config.certificate_arn is not None and config.hostname is not None:
            args["certificate_arn"], args["hostname"] = config.certificate_arn, config.hostname
        registry = Registry("registry", args, self._options)
        return {
            "tracking_uri": registry.tracking_uri,
            "artifact_uri": registry.artifact_uri,
            "model_package_group": registry.model_package_group,
            "cluster": registry.cluster,
            "service": registry.service,
            "image": self._image_document("registry"),
        }

    def _serving(self, provider: aws.Provider) -> dict[str, Any] | None:
        config = self._config.serving
        if config is None:
            return None
        parameter = parameter_name(self._environment["environment"], "serving", "release")
        release = published_release(parameter, provider)
        serving = Serving(
            "serving",
            {
                "environment": self._environment,
                "network": self._network,
                "lake": self._lake,
                "artifacts": self._artifacts,
                "model_prefixes": [OUTPUT_PREFIX, ARTIFACTS_PREFIX],
                "image": self._image("serving"),
                "logs_key_arn": self._foundation.keys.operational_arn,
                "variants": cast(
                    "list[VariantArgs]", [variant.model_dump(exclude_none=True) for variant in config.variants]
                ),
                "models": _models(release),
                "capture_percent": config.capture_percent,
                "network_isolation": config.network_isolation,
                "error_percent": config.alarms.error_percent,
                "latency_p99_ms": config.alarms.latency_p99_ms,
                "canary_percent": config.rollout.canary_percent,
                "bake_seconds": config.rollout.bake_seconds,
                "retention_days": self._config.log_retention_days,
            },
            self._options,
        )
        return {
            "endpoint": serving.endpoint,
            "release_parameter": parameter,
            "image": self._image_document("serving"),
            "role_arn": serving.role_arn,
            "security_group_ids": [serving.security_group_id],
            "subnet_ids": self._network["subnet_ids"],
            "key_arn": self._artifacts["key_arn"],
            "capture_uri": serving.capture_uri,
            "capture_percent": config.capture_percent,
            "variants": [variant.model_dump(exclude={"scaling"}) for variant in config.variants],
            "rollout": {
                "canary_percent": config.rollout.canary_percent,
                "bake_seconds": config.rollout.bake_seconds,
                "alarms": serving.alarms,
            },
        }


def _models(release: Release | None) -> dict[str, ModelArgs]:
    if release is None:
        return {}
    return {
        variant: {"image_uri": model.image_uri, "model_data_url": model.model_data_url}
        for variant, model in release.models.items()
    }
