"""The one AWS provider of a stack, explicit so that nothing is deployed by accident of ambient settings."""

import pulumi_aws as aws

from infra.environment import Environment


def aws_provider(environment: Environment) -> aws.Provider:
    """A provider for the environment's region that refuses any account but the environment's.

    It sets no default tags: every resource states its own, so a preview shows them and a policy can judge them.
    """
    return aws.Provider(
        "aws",
        region=environment["region"],
        allowed_account_ids=[environment["account_id"]],
    )
