"""Image repositories: one per image folder, immutable, scanned, encrypted, tidied."""

import json
from collections.abc import Mapping, Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from infra.documents import document, pull_image
from infra.environment import Environment, resource_tags
from infra.naming import repository_name
from infra.tags import DataClass

_STAGE = "images"


class RepositoriesArgs(TypedDict):
    """What the repositories are made of."""

    environment: Environment
    """Where they stand."""
    images: Sequence[str]
    """Names of the images, as `training`: one repository each."""
    key_arn: pulumi.Input[str]
    """Key the images are encrypted with."""
    disposable: bool
    """True lets a repository go with its images; False keeps one that holds images."""


class Repositories(pulumi.ComponentResource):
    """An ECR repository per image. A tag, once pushed, never changes."""

    repository_arns: pulumi.Output[Mapping[str, str]]
    """By image."""
    repository_urls: pulumi.Output[Mapping[str, str]]
    """By image: registry and repository, without a tag."""

    def __init__(self, name: str, args: RepositoriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Repositories", name, None, opts)
        self._name = name
        self._repositories = {image: self._repository(name, args, image) for image in args["images"]}
        self.repository_arns = pulumi.Output.all(**{image: each.arn for image, each in self._repositories.items()})
        self.repository_urls = pulumi.Output.all(
            **{image: each.repository_url for image, each in self._repositories.items()}
        )
        self.register_outputs({"repository_arns": self.repository_arns, "repository_urls": self.repository_urls})

    def _repository(self, name: str, args: RepositoriesArgs, image: str) -> aws.ecr.Repository:
        environment = args["environment"]
        repository = aws.ecr.Repository(
            f"{name}-{image}",
            name=repository_name(environment["environment"], image),
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration={"scan_on_push": True},
            encryption_configurations=[{"encryption_type": "KMS", "kms_key": args["key_arn"]}],
            force_delete=args["disposable"],
            tags=resource_tags(environment, _STAGE, DataClass.INTERNAL),
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-{image}-lifecycle",
            repository=repository.name,
            policy=lifecycle_policy(),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return repository

    def grant_pull(self, image: str, name: str, role_name: pulumi.Input[str]) -> aws.iam.RolePolicy:
        """Let a role pull `image`; `name` is the grant's own.

        The equivalent for a role policy written elsewhere is `infra.documents.pull_image`.
        """
        return aws.iam.RolePolicy(
            f"{self._name}-{image}-{name}",
            role=role_name,
            policy=self._repositories[image].arn.apply(lambda arn: document(pull_image(arn))),
            opts=pulumi.ResourceOptions(parent=self),
        )


def lifecycle_policy() -> str:
    """Untagged layers go after a week; of tagged images the newest hundred stay, so a rollback finds its image."""
    rules = [
        _expire(1, "untagged images", {"tagStatus": "untagged", "countType": "sinceImagePushed"}, 7, "days"),
        _expire(2, "old images", {"tagStatus": "any", "countType": "imageCountMoreThan"}, 100),
    ]
    return json.dumps({"rules": rules}, sort_keys=True)


def _expire(
    priority: int, description: str, selection: dict[str, str], count: int, unit: str | None = None
) -> dict[str, object]:
    unit_key = {} if unit is None else {"countUnit": unit}
    return {
        "rulePriority": priority,
        "description": description,
        "selection": {**selection, "countNumber": count, **unit_key},
        "action": {"type": "expire"},
    }
