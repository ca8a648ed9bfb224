"""An endpoint with two variants, of which one has a model already."""

from components.example import ARTIFACTS, ENVIRONMENT, KEY, LAKE, NETWORK, image
from components.serving import Serving


def example() -> Serving:
    """Make it; call it in a Pulumi program."""
    return Serving(
        "serving",
        {
            "environment": ENVIRONMENT,
            "network": NETWORK,
            "lake": LAKE,
            "artifacts": ARTIFACTS,
            "model_prefixes": ["training/output/"],
            "image": image("training"),
            "logs_key_arn": KEY,
            "variants": [
                {
                    "name": "champion",
                    "weight": 90,
                    "scaling": {"min_instances": 2, "max_instances": 8, "invocations_per_instance": 3000},
                },
                {"name": "challenger", "weight": 10},
            ],
            "models": {
                "champion": {
                    "image_uri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/training:0123456789abcdef",
                    "model_data_url": "s3://example-artifacts/training/output/job/output/model.tar.gz",
                },
            },
        },
    )
