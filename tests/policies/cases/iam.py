"""Policies, roles and attachments."""

from typing import Any

from policies.rules import iam
from tests.policies.cases._case import Case, Entry, entry

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234"
BUCKET = "arn:aws:s3:::lake"


def _identity(token: str, action: Any, resource: Any, **more: Any) -> tuple[Entry]:
    statement = {"Sid": "Some", "Effect": "Allow", "Action": action, "Resource": resource, **more}
    return (entry(token, "policy", policy={"Version": "2012-10-17", "Statement": [statement]}),)


def _trust(principal: dict[str, Any], **condition: Any) -> tuple[Entry]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}
    return (entry(iam.ROLE, "role", assumeRolePolicy={"Statement": [statement]}),)


_ACTION, _RESOURCE = "policy.Statement[0].Action", "policy.Statement[0].Resource"
_INLINE = entry(
    iam.ROLE,
    "role",
    inlinePolicies=[{"policy": {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}}],
)

CASES = (
    Case("IAM.1", _identity(iam.MANAGED_POLICY, "s3:*", "*"), "policy", _ACTION, "*", missing="passes"),
    Case("IAM.1", _identity(iam.MANAGED_POLICY, ["*"], BUCKET), "policy", _RESOURCE, ["*"], missing="passes"),
    Case("MLP.IAM.1", _identity(iam.ROLE_POLICY, "*", BUCKET), "policy", _RESOURCE, "*", missing="passes"),
    Case("MLP.IAM.1", (_INLINE,), "role", "inlinePolicies[0].policy.Statement[0].Action", ["*"], missing="passes"),
    Case(
        "IAM.2",
        (entry(iam.POLICY_ATTACHMENT, "attachment", users=[], roles=["r"]),),
        "attachment",
        "users",
        ["bob"],
        missing="passes",
    ),
    Case("IAM.21", _identity(iam.MANAGED_POLICY, "s3:Get*", BUCKET), "policy", _ACTION, "s3:*", missing="passes"),
    Case("MLP.IAM.2", _identity(iam.ROLE_POLICY, "s3:Get*", BUCKET), "policy", _ACTION, ["s3:*"], missing="passes"),
    Case("KMS.1", _identity(iam.MANAGED_POLICY, "kms:Decrypt", KEY), "policy", _RESOURCE, "*", missing="passes"),
    Case(
        "KMS.1",
        _identity(iam.MANAGED_POLICY, "kms:D*", KEY),
        "policy",
        _RESOURCE,
        "arn:aws:kms:*:123456789012:key/*",
        missing="passes",
    ),
    Case(
        "KMS.2", _identity(iam.ROLE_POLICY, ["kms:Encrypt"], "*"), "policy", _ACTION, "kms:ReEncrypt*", missing="passes"
    ),
    Case(
        "IAM.27",
        (
            entry(
                iam.ROLE_POLICY_ATTACHMENT, "attachment", role="r", policyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"
            ),
        ),
        "attachment",
        "policyArn",
        "arn:aws:iam::aws:policy/AWSCloudShellFullAccess",
        missing="passes",
    ),
    Case(
        "MLP.IAM.3",
        (
            entry(
                iam.ROLE_POLICY_ATTACHMENT, "attachment", role="r", policyArn="arn:aws:iam::1:policy/AmazonS3FullAccess"
            ),
        ),
        "attachment",
        "policyArn",
        "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        missing="passes",
    ),
    Case(
        "MLP.IAM.3",
        (entry(iam.ROLE, "role", managedPolicyArns=["arn:aws:iam::aws:policy/job-function/ViewOnlyAccess"]),),
        "role",
        "managedPolicyArns",
        ["arn:aws:iam::aws:policy/AdministratorAccess"],
        missing="passes",
    ),
    Case("MLP.IAM.4", _identity(iam.ROLE_POLICY, ["s3:GetObject"], BUCKET), "policy", _RESOURCE, "*", missing="passes"),
    Case(
        "MLP.IAM.4",
        _identity(iam.ROLE_POLICY, ["ecr:GetAuthorizationToken"], "*"),
        "policy",
        _ACTION,
        ["ecr:GetAuthorizationToken", "ecr:BatchGetImage"],
        missing="passes",
    ),
    Case(
        "MLP.IAM.4",
        _identity(
            iam.MANAGED_POLICY,
            ["ec2:DeleteNetworkInterface"],
            "*",
            Condition={"ArnEquals": {"ec2:Vpc": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"}},
        ),
        "policy",
        "policy.Statement[0].Condition",
        {"ArnEqualsIfExists": {"ec2:Vpc": "arn:aws:ec2:eu-west-1:123456789012:vpc/vpc-1"}},
    ),
    Case("MLP.IAM.4", _identity(iam.ROLE_POLICY, "s3:ListAll*", "*"), "policy", _ACTION, "s3:List*", missing="passes"),
    Case(
        "MLP.IAM.4",
        _identity(iam.ROLE_POLICY, "sts:GetCallerIdentity", "*"),
        "policy",
        _ACTION,
        "x:Y",
        missing="passes",
    ),
    Case(
        "MLP.IAM.5",
        _identity(iam.ROLE_POLICY, "s3:GetObject", BUCKET, NotAction=[]),
        "policy",
        "policy.Statement[0].NotAction",
        "iam:*",
        missing="passes",
    ),
    Case(
        "MLP.IAM.5",
        _identity(iam.MANAGED_POLICY, "s3:GetObject", BUCKET, NotResource=[]),
        "policy",
        "policy.Statement[0].NotResource",
        [BUCKET],
        missing="passes",
    ),
    Case(
        "MLP.IAM.6",
        _trust({"AWS": "arn:aws:iam::123456789012:root"}),
        "role",
        "assumeRolePolicy.Statement[0].Principal.AWS",
        "*",
        missing="passes",
    ),
    Case(
        "MLP.IAM.7",
        _trust({"Service": "sagemaker.amazonaws.com"}, StringEquals={"aws:SourceAccount": "123456789012"}),
        "role",
        "assumeRolePolicy.Statement[0].Condition",
        {"StringLike": {"aws:SourceAccount": "*"}},
    ),
)
