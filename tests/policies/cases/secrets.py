"""Secrets and parameters."""

from policies.rules import secrets
from tests.policies.cases._case import Case, entry

_SECRET = entry(secrets.SECRET, "secret", arn="arn:aws:secretsmanager:x:1:secret:s", kmsKeyId="arn:aws:kms:x:1:key/k")
_ROTATION = entry(
    secrets.ROTATION,
    "rotation",
    secretId="arn:aws:secretsmanager:x:1:secret:s",
    rotationRules={"automaticallyAfterDays": 30},
)
_PARAMETER = entry(secrets.PARAMETER, "parameter", name="/mlp/db/password", type="SecureString", keyId="k")

CASES = (
    Case("SecretsManager.1", (_SECRET, _ROTATION), "rotation", "rotationRules", {}, reference="secretId"),
    Case("SecretsManager.4", (_ROTATION,), "rotation", "rotationRules.automaticallyAfterDays", 365),
    Case("MLP.Secrets.1", (_SECRET,), "secret", "kmsKeyId", ""),
    Case("MLP.Secrets.1", (_PARAMETER,), "parameter", "keyId", ""),
    Case("MLP.SSM.1", (_PARAMETER,), "parameter", "type", "String"),
)
