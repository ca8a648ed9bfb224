"""Image repositories."""

from policies.rules import ecr
from tests.policies.cases._case import Case, entry

_REPOSITORY = entry(
    ecr.REPOSITORY,
    "repository",
    id="training",
    name="training",
    imageTagMutability="IMMUTABLE",
    imageScanningConfiguration={"scanOnPush": True},
    encryptionConfigurations=[{"encryptionType": "KMS", "kmsKey": "arn:aws:kms:x:1:key/k"}],
)
_POLICY = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "ecr:BatchGetImage"}}

CASES = (
    Case("ECR.1", (_REPOSITORY,), "repository", "imageScanningConfiguration.scanOnPush", bad=False),
    Case("ECR.2", (_REPOSITORY,), "repository", "imageTagMutability", "MUTABLE"),
    Case(
        "ECR.3",
        (_REPOSITORY, entry(ecr.LIFECYCLE_POLICY, "lifecycle", repository="training", policy={"rules": [{}]})),
        "lifecycle",
        "policy",
        "",
        reference="repository",
    ),
    Case("ECR.5", (_REPOSITORY,), "repository", "encryptionConfigurations[0].encryptionType", "AES256"),
    Case(
        "MLP.ECR.2",
        (entry(ecr.REPOSITORY, "repository", forceDelete=False),),
        "repository",
        "forceDelete",
        bad=True,
        missing="passes",
    ),
    Case(
        "MLP.ECR.1",
        (entry(ecr.REPOSITORY_POLICY, "policy", repository="training", policy=_POLICY),),
        "policy",
        "policy.Statement.Principal",
        "*",
        missing="passes",
    ),
)
