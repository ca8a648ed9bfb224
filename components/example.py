"""Surroundings of the examples: names and ARNs that stand for another team's."""

from components.refs import BucketRef, ImageRef, NetworkRef
from infra.environment import Environment

ENVIRONMENT: Environment = {
    "environment": "example",
    "account_id": "123456789012",
    "region": "eu-west-1",
    "owner": "ml-platform",
    "cost_center": "ml",
}
NETWORK: NetworkRef = {
    "vpc_id": "vpc-1234",
    "cidr": "10.0.0.0/16",
    "subnet_ids": ["subnet-1234", "subnet-5678"],
    "endpoints_security_group_id": "sg-1234",
    "s3_prefix_list_id": "pl-1234",
}
KEY = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"
LAKE: BucketRef = {"name": "example-lake", "arn": "arn:aws:s3:::example-lake", "key_arn": KEY}
ARTIFACTS: BucketRef = {"name": "example-artifacts", "arn": "arn:aws:s3:::example-artifacts", "key_arn": KEY}


def image(name: str) -> ImageRef:
    """An image of that name."""
    return {
        "uri": f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}:0123456789abcdef",
        "repository_arn": f"arn:aws:ecr:eu-west-1:123456789012:repository/{name}",
    }
