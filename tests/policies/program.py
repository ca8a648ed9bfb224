"""A small program for the pack to judge: a key, and a secret with its rotation."""

import pulumi
import pulumi_aws as aws

from infra.tags import REQUIRED_TAGS

_TAGS: dict[str, pulumi.Input[str]] = dict.fromkeys(REQUIRED_TAGS, "policies")


def declare(*, rotates: bool = True, has_rotation: bool = True, window: int = 30) -> None:
    """Declare it; each flag off, or a window of less than 7 days, breaks one control."""
    provider = aws.Provider("aws", region="eu-west-1")
    options = pulumi.ResourceOptions(provider=provider)
    key = aws.kms.Key(
        "key",
        enable_key_rotation=rotates,
        deletion_window_in_days=window,
        tags=_TAGS,
        opts=pulumi.ResourceOptions(provider=provider, protect=True),
    )
    secret = aws.secretsmanager.Secret("secret", kms_key_id=key.arn, tags=_TAGS, opts=options)
    if has_rotation:
        aws.secretsmanager.SecretRotation(
            "rotation", secret_id=secret.id, rotation_rules={"automatically_after_days": 30}, opts=options
        )
