"""KMS: keys rotate and are not public."""

from collections.abc import Iterator

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule
from policies.documents import statements
from policies.resources import Resource

KEY = "aws:kms/key:Key"


@resource_rule(
    Control(
        "KMS.4",
        "AWS KMS key rotation should be enabled",
        Severity.MEDIUM,
        (KEY,),
        "enableKeyRotation of symmetric keys",
        source=Source.SECURITY_HUB,
        nist=Nist.AT_REST,
    )
)
def rotates(key: Resource) -> Iterator[str]:
    """A symmetric encryption key rotates; other kinds of key cannot rotate by themselves."""
    usage = key.get("keyUsage", "ENCRYPT_DECRYPT")
    spec = key.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT")
    if usage == "ENCRYPT_DECRYPT" and spec == "SYMMETRIC_DEFAULT" and not key.get("enableKeyRotation"):
        yield "enableKeyRotation is not true"


@resource_rule(
    Control(
        "KMS.5",
        "KMS keys should not be publicly accessible",
        Severity.CRITICAL,
        (KEY,),
        "key policy's principals",
        nist=Nist.NETWORK,
    )
)
def is_not_public(key: Resource) -> Iterator[str]:
    """No statement of the key policy is open to everyone without a condition that names the callers."""
    for statement in statements(key.get("policy")):
        if statement.public:
            yield f"{statement.label} of the key policy is open to everyone"


@resource_rule(
    Control(
        "MLP.KMS.1",
        "A deleted key can be brought back for at least a week, and its policy cannot lock everybody out",
        Severity.MEDIUM,
        (KEY,),
        "deletionWindowInDays, bypassPolicyLockoutSafetyCheck",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.DELETION,
    )
)
def can_be_recovered(key: Resource) -> Iterator[str]:
    """A window of 7 to 30 days (AWS's own limits; 30 when left out), and AWS's lockout check stays on."""
    window = key.get("deletionWindowInDays", 30)
    if not 7 <= window <= 30:
        yield f"deletionWindowInDays is {window}, not 7 to 30"
    if key.get("bypassPolicyLockoutSafetyCheck"):
        yield "bypassPolicyLockoutSafetyCheck is true"
