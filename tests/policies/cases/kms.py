"""Keys."""

from policies.rules import kms
from tests.policies.cases._case import Case, entry

_POLICY = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "kms:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"kms:CallerAccount": "123456789012"}},
        }
    ]
}

CASES = (
    Case("KMS.4", (entry(kms.KEY, "key", enableKeyRotation=True),), "key", "enableKeyRotation", bad=False),
    Case("KMS.5", (entry(kms.KEY, "key", policy=_POLICY),), "key", "policy.Statement[0].Condition", {}),
    Case(
        "KMS.5",
        (entry(kms.KEY, "key", policy=_POLICY),),
        "key",
        "policy.Statement[0].Condition",
        {"StringEqualsIfExists": {"kms:CallerAccount": "123456789012"}},
    ),
    Case(
        "MLP.KMS.1",
        (entry(kms.KEY, "key", deletionWindowInDays=30),),
        "key",
        "deletionWindowInDays",
        bad=3,
        missing="passes",
    ),
    Case(
        "MLP.KMS.1",
        (entry(kms.KEY, "key", bypassPolicyLockoutSafetyCheck=False),),
        "key",
        "bypassPolicyLockoutSafetyCheck",
        bad=True,
        missing="passes",
    ),
)
