"""Training with a CPU and a spot GPU profile."""

from components.example import ARTIFACTS, ENVIRONMENT, KEY, LAKE, NETWORK, image
from components.training import Training


def example() -> Training:
    """Make it; call it in a Pulumi program."""
    return Training(
        "training",
        {
            "environment": ENVIRONMENT,
            "network": NETWORK,
            "lake": LAKE,
            "artifacts": ARTIFACTS,
            "image": image("training"),
            "logs_key_arn": KEY,
            "profiles": {
                "default": {"instance_type": "ml.m5.xlarge"},
                "gpu": {"instance_type": "ml.g5.xlarge", "max_runtime_seconds": 7200, "max_wait_seconds": 14400},
            },
        },
    )
