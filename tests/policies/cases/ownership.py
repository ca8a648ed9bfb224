"""Tags and protection."""

from infra.tags import REQUIRED_TAGS
from policies.rules import ec2, s3
from tests.policies.cases._case import Case, entry

_TAGS = dict.fromkeys(REQUIRED_TAGS, "x")

CASES = (
    *(Case("MLP.Tags.1", (entry(ec2.VPC, "vpc", tags=_TAGS),), "vpc", f"tags.{key}", "") for key in REQUIRED_TAGS),
    Case("MLP.Protect.1", (entry(s3.BUCKET, "lake"),), "lake", "protect", bad=False),
)
