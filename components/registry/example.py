"""A registry with production's defaults behind a certificate."""

from components.example import ARTIFACTS, ENVIRONMENT, KEY, NETWORK, image
from components.registry import Registry


def example() -> Registry:
    """Make it; call it in a Pulumi program."""
    return Registry(
        "registry",
        {
            "environment": ENVIRONMENT,
            "network": NETWORK,
            "artifacts": ARTIFACTS,
            "image": image("registry-server"),
            "logs_key_arn": KEY,
            "access_logs_bucket": "example-logs",
            "access_logs_prefix": "load-balancers",
            "certificate_arn": "arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000000",
            "hostname": "mlflow.example.com",
        },
    )
