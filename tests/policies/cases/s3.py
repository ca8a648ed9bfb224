"""Buckets and their companions."""

from typing import Any

from policies.rules import s3
from tests.policies.cases._case import Case, entry

TLS_STATEMENT: dict[str, Any] = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::lake", "arn:aws:s3:::lake/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
TLS_ONLY = {"Version": "2012-10-17", "Statement": TLS_STATEMENT}
BUCKET = entry(s3.BUCKET, "lake", bucket="lake", arn="arn:aws:s3:::lake")


def _policy(effect: str, principal: object, action: str) -> dict[str, object]:
    return {
        "Statement": [
            {"Effect": effect, "Principal": principal, "Action": [action], "Resource": "arn:aws:s3:::lake/*"},
        ]
    }


def _companion(token: str, **properties: object) -> tuple[dict[str, object], dict[str, object]]:
    return (BUCKET, entry(token, "companion", bucket="lake", **properties))


_VERSIONING = entry(s3.VERSIONING, "versioning", bucket="lake", versioningConfiguration={"status": "Enabled"})
_LIFECYCLE = {"id": "old", "status": "Enabled", "noncurrentVersionExpiration": {"noncurrentDays": 30}}
_KMS = {"applyServerSideEncryptionByDefault": {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": "arn:aws:kms:x:1:key/k"}}
_OWN_ROLE = entry("aws:iam/role:Role", "role", arn="arn:aws:iam::123456789012:role/r")

CASES = (
    Case(
        "S3.2",
        (entry(s3.POLICY, "policy", bucket="lake", policy=_policy("Deny", "*", "s3:GetObject")),),
        "policy",
        "policy.Statement[0].Effect",
        "Allow",
        missing="passes",
    ),
    Case(
        "S3.2",
        (
            entry(
                s3.POLICY, "policy", bucket="lake", policy=_policy("Allow", {"Service": "a.amazonaws.com"}, "s3:List*")
            ),
        ),
        "policy",
        "policy.Statement[0].Principal",
        {"AWS": ["*"]},
        missing="passes",
    ),
    Case("S3.2", (entry(s3.ACL, "acl", bucket="lake", acl="private"),), "acl", "acl", "public-read", missing="passes"),
    Case(
        "S3.3",
        (entry(s3.POLICY, "policy", bucket="lake", policy=_policy("Allow", "*", "s3:GetObject")),),
        "policy",
        "policy.Statement[0].Action",
        "s3:Put*",
        missing="passes",
    ),
    Case(
        "S3.3",
        (entry(s3.ACL, "acl", bucket="lake", acl="private"),),
        "acl",
        "acl",
        "public-read-write",
        missing="passes",
    ),
    Case(
        "S3.5",
        _companion(s3.POLICY, policy=TLS_ONLY),
        "companion",
        "policy.Statement.Effect",
        "Allow",
        reference="bucket",
    ),
    Case("S3.5", _companion(s3.POLICY, policy=TLS_ONLY), "companion", "policy.Statement.Action", "s3:GetObject"),
    Case(
        "S3.5",
        _companion(s3.POLICY, policy=TLS_ONLY),
        "companion",
        "policy.Statement.Resource[1]",
        "arn:aws:s3:::other/*",
    ),
    Case(
        "S3.5",
        _companion(s3.POLICY, policy=TLS_ONLY),
        "companion",
        "policy.Statement.Condition",
        {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalAccount": "1"}},
    ),
    Case(
        "S3.6",
        (
            entry(
                s3.POLICY,
                "policy",
                bucket="lake",
                policy=_policy("Allow", {"AWS": "arn:aws:iam::123456789012:role/r"}, "s3:PutBucketPolicy"),
            ),
            _OWN_ROLE,
        ),
        "policy",
        "policy.Statement[0].Principal.AWS",
        "arn:aws:iam::999999999999:root",
        missing="passes",
    ),
    Case(
        "S3.8",
        _companion(
            s3.PUBLIC_ACCESS_BLOCK,
            blockPublicAcls=True,
            blockPublicPolicy=True,
            ignorePublicAcls=True,
            restrictPublicBuckets=True,
        ),
        "companion",
        "restrictPublicBuckets",
        bad=False,
        reference="bucket",
    ),
    Case("S3.9", _companion(s3.LOGGING, targetBucket="logs"), "companion", "targetBucket", "", reference="bucket"),
    Case(
        "S3.10",
        (BUCKET, _VERSIONING, entry(s3.LIFECYCLE, "companion", bucket="lake", rules=[_LIFECYCLE])),
        "companion",
        "rules[0].status",
        "Disabled",
        reference="bucket",
    ),
    Case(
        "S3.12",
        _companion(s3.OWNERSHIP, rule={"objectOwnership": "BucketOwnerEnforced"}),
        "companion",
        "rule.objectOwnership",
        "ObjectWriter",
        reference="bucket",
    ),
    Case(
        "S3.13",
        _companion(s3.LIFECYCLE, rules=[_LIFECYCLE]),
        "companion",
        "rules[0].status",
        "Disabled",
        reference="bucket",
    ),
    Case(
        "S3.14",
        _companion(s3.VERSIONING, versioningConfiguration={"status": "Enabled"}),
        "companion",
        "versioningConfiguration.status",
        "Suspended",
        reference="bucket",
    ),
    Case(
        "S3.17",
        _companion(s3.ENCRYPTION, rules=[_KMS]),
        "companion",
        "rules[0].applyServerSideEncryptionByDefault.sseAlgorithm",
        "AES256",
        reference="bucket",
    ),
    Case(
        "MLP.S3.1",
        (entry(s3.BUCKET, "lake", bucket="lake", forceDestroy=False),),
        "lake",
        "forceDestroy",
        bad=True,
        missing="passes",
    ),
)
