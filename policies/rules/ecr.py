"""ECR: images are scanned, immutable, encrypted and cleaned up."""

from collections.abc import Iterator

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule, stack_rule
from policies.documents import statements
from policies.resources import Resource, Stack, dig

REPOSITORY = "aws:ecr/repository:Repository"
REPOSITORY_POLICY = "aws:ecr/repositoryPolicy:RepositoryPolicy"
LIFECYCLE_POLICY = "aws:ecr/lifecyclePolicy:LifecyclePolicy"


@resource_rule(
    Control(
        "ECR.1",
        "ECR private repositories should have image scanning configured",
        Severity.HIGH,
        (REPOSITORY,),
        "imageScanningConfiguration.scanOnPush",
    )
)
def scans_on_push(repository: Resource) -> Iterator[str]:
    """Every pushed image is scanned."""
    if not dig(repository, "imageScanningConfiguration", "scanOnPush"):
        yield "imageScanningConfiguration.scanOnPush is not true"


@resource_rule(
    Control(
        "ECR.2",
        "ECR private repositories should have tag immutability configured",
        Severity.MEDIUM,
        (REPOSITORY,),
        "imageTagMutability",
    )
)
def tags_are_immutable(repository: Resource) -> Iterator[str]:
    """A tag names one image for ever."""
    mutability = repository.get("imageTagMutability", "MUTABLE")
    if mutability != "IMMUTABLE":
        yield f"imageTagMutability is {mutability!r}, not 'IMMUTABLE'"


@stack_rule(
    Control(
        "ECR.3",
        "ECR repositories should have at least one lifecycle policy configured",
        Severity.MEDIUM,
        (REPOSITORY,),
        "LifecyclePolicy",
    )
)
def has_lifecycle(repository: Resource, stack: Stack) -> Iterator[str]:
    """Old images expire."""
    if not any(each.get("policy") for each in stack.referring(repository, LIFECYCLE_POLICY, "repository")):
        yield "no LifecyclePolicy names this repository"


@resource_rule(
    Control(
        "ECR.5",
        "ECR repositories should be encrypted with customer managed AWS KMS keys",
        Severity.MEDIUM,
        (REPOSITORY,),
        "encryptionConfigurations: KMS with a key",
        source=Source.SECURITY_HUB,
        nist=Nist.AT_REST,
    )
)
def encrypts_with_kms(repository: Resource) -> Iterator[str]:
    """Images are encrypted with a customer managed key."""
    configurations = repository.get("encryptionConfigurations", [])
    if not any(each.get("encryptionType") == "KMS" and each.get("kmsKey") for each in configurations):
        yield "encryptionConfigurations has no entry of encryptionType 'KMS' with a kmsKey"


@resource_rule(
    Control(
        "MLP.ECR.1",
        "An image repository is not public",
        Severity.CRITICAL,
        (REPOSITORY_POLICY,),
        "repository policy's principals",
        source=Source.MLP,
        nist=Nist.NETWORK,
    )
)
def is_not_public(policy: Resource) -> Iterator[str]:
    """No statement of the repository policy is open to everyone (as Checkov's CKV_AWS_32)."""
    for statement in statements(policy.get("policy")):
        if statement.public:
            yield f"{statement.label} of the repository policy is open to everyone"


@resource_rule(
    Control(
        "MLP.ECR.2",
        "An image repository is not emptied when it is destroyed",
        Severity.MEDIUM,
        (REPOSITORY,),
        "forceDelete",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.DELETION,
    )
)
def keeps_images(repository: Resource) -> Iterator[str]:
    """`forceDelete` is off: AWS refuses to delete a repository that holds images."""
    if repository.get("forceDelete"):
        yield "forceDelete deletes every image together with the repository"
