"""ECR: image repositories and their lifecycle policies."""

from infra.local.provider.handler import Handler, Put
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

_ARN = "arn:{partition}:ecr:{region}:{account}:repository/{id}"
_MISSING = frozenset(("RepositoryNotFoundException", "LifecyclePolicyNotFoundException"))

REPOSITORY = Spec(
    type="aws:ecr/repository:Repository",
    service="ecr",
    id="{name}",
    create=Call(operation="CreateRepository"),
    read=Read(operation="DescribeRepositories", params={"repositoryNames": ["{id}"]}, select="repositories[0]"),
    updates=(
        Call(
            operation="PutImageTagMutability",
            params={"repositoryName": "{id}"},
            send=("imageTagMutability", "imageTagMutabilityExclusionFilters"),
        ),
        Call(
            operation="PutImageScanningConfiguration",
            params={"repositoryName": "{id}"},
            send=("imageScanningConfiguration",),
        ),
    ),
    delete=Call(operation="DeleteRepository", params={"repositoryName": "{id}", "force": "{forceDelete}"}),
    tags=Tagging(
        read=Read(operation="ListTagsForResource", params={"resourceArn": _ARN}, select="tags"),
        tag=Call(operation="TagResource", params={"resourceArn": _ARN}),
        untag=Call(operation="UntagResource", params={"resourceArn": _ARN}),
    ),
    name=Name("name", max=256, lower=True),
    replace=frozenset(("name", "encryptionConfigurations")),
    rename={"name": "repositoryName", "arn": "repositoryArn", "repositoryUrl": "repositoryUri"},
    defaults={"imageTagMutability": "MUTABLE", "forceDelete": False},
    computed=frozenset(("encryptionConfigurations", "encryptionConfigurations.kmsKey")),
    local=frozenset(("forceDelete",)),
    outputs={"arn": _ARN},
    missing=_MISSING,
)


LIFECYCLE_POLICY = Spec(
    type="aws:ecr/lifecyclePolicy:LifecyclePolicy",
    service="ecr",
    id="{repository}",
    create=Call(operation="PutLifecyclePolicy"),
    read=Read(operation="GetLifecyclePolicy", params={"repositoryName": "{id}"}),
    delete=Call(operation="DeleteLifecyclePolicy", params={"repositoryName": "{id}"}),
    exclusive=False,
    replace=frozenset(("repository",)),
    rename={"repository": "repositoryName", "policy": "lifecyclePolicyText"},
    documents=frozenset(("policy",)),
    missing=_MISSING,
)


HANDLERS = (Handler(REPOSITORY), Put(LIFECYCLE_POLICY))
