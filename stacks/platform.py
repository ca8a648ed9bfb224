"""The platform of one environment: the only place that wires stage to stage."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pulumi

from components.refs import BucketRef, ImageRef, NetworkRef
from components.training import Training
from infra.environment import Environment
from infra.foundation import Foundation
from infra.images import content_tag
from infra.naming import repository_name
from infra.providers import aws_provider
from stacks.config import StackConfig
from stacks.publish import publish

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
        self._options = pulumi.ResourceOptions(provider=aws_provider(self._environment))
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
                "profiles": profiles,  # pyright: ignore[reportArgumentType] - the model's fields are the profile's
                "network_isolation": config.network_isolation,
                "retention_days": self._config.log_retention_days,
            },
            self._options,
        )
        return {
            "image": self._image_document("training"),
            "role_arn": training.role_arn,
            "security_group_ids": [training.security_group_id],
            "subnet_ids": self._network["subnet_ids"],
            "output_uri": training.output_uri,
            "checkpoint_uri": training.checkpoint_uri,
            "key_arn": self._artifacts["key_arn"],
            "network_isolation": config.network_isolation,
            "profiles": {name: profile.model_dump() for name, profile in config.profiles.items()},
            "job_prefix": training.job_prefix,
            "submitter_policy_arn": training.submitter_policy_arn,
        }
