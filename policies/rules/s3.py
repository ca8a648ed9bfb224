"""S3: pulumi-aws 7 splits a bucket into resources of their own, so most controls look for a bucket's companions."""

from collections.abc import Iterable, Iterator

from policies.controls import Control, Level, Nist, Severity, Source, resource_rule, stack_rule
from policies.documents import Statement, statements
from policies.resources import Block, Resource, Stack, dig
from policies.unknown import Undecidable, known

BUCKET = "aws:s3/bucket:Bucket"
ACL = "aws:s3/bucketAcl:BucketAcl"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
LIFECYCLE = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
LOGGING = "aws:s3/bucketLogging:BucketLogging"
OWNERSHIP = "aws:s3/bucketOwnershipControls:BucketOwnershipControls"
POLICY = "aws:s3/bucketPolicy:BucketPolicy"
PUBLIC_ACCESS_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
VERSIONING = "aws:s3/bucketVersioning:BucketVersioning"

READS = ("s3:GetObject", "s3:ListBucket", "s3:GetObjectVersion", "s3:ListBucketVersions")
WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:PutObjectAcl", "s3:PutBucketPolicy", "s3:PutBucketAcl")
RISKY_FOR_OTHERS = (
    "s3:DeleteBucketPolicy",
    "s3:PutBucketAcl",
    "s3:PutBucketPolicy",
    "s3:PutEncryptionConfiguration",
    "s3:PutObjectAcl",
)
"""Actions that S3.6 keeps from other accounts."""

PUBLIC_ACLS = {"public-read": ("read",), "public-read-write": ("read", "write"), "authenticated-read": ("read",)}


def _public(bucket_or_policy: Resource, actions: Iterable[str]) -> Iterator[str]:
    for statement in statements(bucket_or_policy.get("policy")):
        if statement.public:
            for action in actions:
                if statement.matches_action(action):
                    yield f"{statement.label} allows {action} to everyone"
                    break


def _acl(target: Resource, way: str) -> Iterator[str]:
    acl = target.get("acl")
    if acl and way in PUBLIC_ACLS.get(acl, ()):
        yield f"acl is {acl!r}: use 'private', or no ACL at all"


@resource_rule(
    Control(
        "S3.2",
        "S3 buckets should prohibit public read access",
        Severity.CRITICAL,
        (POLICY, ACL, BUCKET),
        "bucket policy, canned ACL",
        nist=Nist.NETWORK,
    )
)
def no_public_read(target: Resource) -> Iterator[str]:
    """No statement lets everyone read, and no canned ACL does."""
    yield from _acl(target, "read")
    yield from _public(target, READS)


@resource_rule(
    Control(
        "S3.3",
        "S3 buckets should prohibit public write access",
        Severity.CRITICAL,
        (POLICY, ACL, BUCKET),
        "bucket policy, canned ACL",
        nist=Nist.NETWORK,
    )
)
def no_public_write(target: Resource) -> Iterator[str]:
    """No statement lets everyone write, and no canned ACL does."""
    yield from _acl(target, "write")
    yield from _public(target, WRITES)


@stack_rule(
    Control(
        "S3.5",
        "S3 buckets should require requests to use Secure Socket Layer",
        Severity.MEDIUM,
        (BUCKET,),
        "BucketPolicy: Deny of s3:* without aws:SecureTransport",
        nist=Nist.IN_TRANSIT,
    )
)
def tls_only(bucket: Resource, stack: Stack) -> Iterator[str]:
    """A bucket policy denies every S3 action on the bucket and its objects to requests without TLS."""
    policies = stack.referring(bucket, POLICY, "bucket")
    if not policies:
        yield "no BucketPolicy: add one that denies s3:* where aws:SecureTransport is false"
        return
    arn = f"arn:aws:s3:::{_bucket_name(bucket)}"
    if not any(_denies_plain_http(each, arn) for policy in policies for each in statements(policy.get("policy"))):
        yield "the bucket policy does not deny everyone s3:* on bucket and objects where aws:SecureTransport is false"


def _bucket_name(bucket: Resource) -> str:
    for key in ("bucket", "id"):
        name = bucket.get(key)
        if name is not None and known(name):
            return name
    raise Undecidable(f"bucket of {bucket.name}")


def _denies_plain_http(statement: Statement, arn: str) -> bool:
    # The partition is the only part of a bucket's ARN that the bucket's name does not give.
    resources = [
        each.replace("arn:aws-cn:", "arn:aws:").replace("arn:aws-us-gov:", "arn:aws:") for each in statement.resources
    ]
    plain = Statement(statement.effect, statement.actions, resources=tuple(resources))
    return (
        statement.effect == "Deny"
        and any(name == "*" for _, name in statement.principals)
        and any(action in {"*", "s3:*"} for action in statement.actions)
        and plain.matches_resource(arn)
        and plain.matches_resource(f"{arn}/any/key")
        # A second condition would let plain requests through whenever it does not hold.
        and len(statement.conditions) == 1
        and statement.conditions[0] in {(each, "aws:securetransport", ("false",)) for each in ("bool", "boolifexists")}
    )


@stack_rule(
    Control(
        "S3.6",
        "S3 permissions granted to other AWS accounts in bucket policies should be restricted",
        Severity.HIGH,
        (POLICY,),
        "bucket policy's AWS principals and actions",
        nist=Nist.NETWORK,
    )
)
def no_risky_actions_for_other_accounts(policy: Resource, stack: Stack) -> Iterator[str]:
    """No other account may change the bucket's policy, ACLs or encryption."""
    for statement in statements(policy.get("policy")):
        risky = [action for action in RISKY_FOR_OTHERS if statement.matches_action(action)]
        if not statement.allows or not risky:
            continue
        strangers = [name for kind, name in statement.principals if kind in {"AWS", "*"} and _stranger(name, stack)]
        if strangers:
            yield f"{statement.label} allows {risky[0]} to {strangers[0]}"


def _stranger(principal: str, stack: Stack) -> bool:
    if principal == "*":
        return True
    account = principal.split(":")[4] if principal.startswith("arn:") else principal
    arns = (each.properties.get("arn") for each in stack.resources)
    own = {arn.split(":")[4] for arn in arns if isinstance(arn, str) and arn.count(":") >= 5} - {"", "aws"}
    if not own:
        raise Undecidable("the stack's own account")
    return account not in own


@stack_rule(
    Control(
        "S3.8",
        "S3 Block Public Access setting should be enabled at the bucket level",
        Severity.HIGH,
        (BUCKET,),
        "BucketPublicAccessBlock: all four settings",
        nist=Nist.NETWORK,
    )
)
def blocks_public_access(bucket: Resource, stack: Stack) -> Iterator[str]:
    """A public access block with all four settings on."""
    blocks = stack.referring(bucket, PUBLIC_ACCESS_BLOCK, "bucket")
    if not blocks:
        yield "no BucketPublicAccessBlock: add one with all four settings true"
    for block in blocks:
        for setting in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"):
            if not block.get(setting):
                yield f"{setting} of its BucketPublicAccessBlock is not true"


@stack_rule(
    Control(
        "S3.9",
        "S3 bucket server access logging should be enabled",
        Severity.MEDIUM,
        (BUCKET,),
        "BucketLogging with a target bucket",
        nist=Nist.LOGGING,
    )
)
def logs_access(bucket: Resource, stack: Stack) -> Iterator[str]:
    """Access to the bucket is logged to another bucket."""
    if not any(each.get("targetBucket") for each in stack.referring(bucket, LOGGING, "bucket")):
        yield "no BucketLogging with a targetBucket"


@stack_rule(
    Control(
        "S3.10",
        "S3 buckets with versioning enabled should have lifecycle policies configured",
        Severity.MEDIUM,
        (BUCKET,),
        "BucketLifecycleConfiguration: old versions expire",
        source=Source.SECURITY_HUB,
        nist=Nist.BACKUP,
    )
)
def old_versions_expire(bucket: Resource, stack: Stack) -> Iterator[str]:
    """A versioned bucket has an enabled lifecycle rule that removes or moves old versions."""
    if not any(_enabled(each) for each in stack.referring(bucket, VERSIONING, "bucket")):
        return
    rules = _enabled_rules(bucket, stack)
    if not any(rule.get("noncurrentVersionExpiration") or rule.get("noncurrentVersionTransitions") for rule in rules):
        yield "versions are kept, yet no enabled lifecycle rule expires or moves noncurrent versions"


@stack_rule(
    Control(
        "S3.12",
        "S3 access control lists (ACLs) should not be used to manage user access to buckets",
        Severity.MEDIUM,
        (BUCKET,),
        "BucketOwnershipControls: BucketOwnerEnforced",
        nist=Nist.NETWORK,
    )
)
def no_access_control_lists(bucket: Resource, stack: Stack) -> Iterator[str]:
    """Object ownership is BucketOwnerEnforced, which switches ACLs off."""
    controls = stack.referring(bucket, OWNERSHIP, "bucket")
    if not controls:
        yield "no BucketOwnershipControls: add one with objectOwnership 'BucketOwnerEnforced'"
    for each in controls:
        ownership = dig(each, "rule", "objectOwnership")
        if ownership != "BucketOwnerEnforced":
            yield f"objectOwnership is {ownership!r}, not 'BucketOwnerEnforced'"


@stack_rule(
    Control(
        "S3.13",
        "S3 buckets should have lifecycle policies configured",
        Severity.LOW,
        (BUCKET,),
        "BucketLifecycleConfiguration with an enabled rule",
        nist=Nist.BACKUP,
    )
)
def has_lifecycle(bucket: Resource, stack: Stack) -> Iterator[str]:
    """At least one enabled lifecycle rule."""
    if not _enabled_rules(bucket, stack):
        yield "no BucketLifecycleConfiguration with an enabled rule"


def _enabled_rules(bucket: Resource, stack: Stack) -> list[Block]:
    configurations = stack.referring(bucket, LIFECYCLE, "bucket")
    return [rule for each in configurations for rule in each.get("rules", []) if rule.get("status") == "Enabled"]


@stack_rule(
    Control(
        "S3.14",
        "S3 buckets should have versioning enabled",
        Severity.LOW,
        (BUCKET,),
        "BucketVersioning: status Enabled",
        source=Source.SECURITY_HUB,
        nist=Nist.BACKUP,
    )
)
def is_versioned(bucket: Resource, stack: Stack) -> Iterator[str]:
    """Versions are kept."""
    if not any(_enabled(each) for each in stack.referring(bucket, VERSIONING, "bucket")):
        yield "no BucketVersioning with status 'Enabled'"


def _enabled(versioning: Resource) -> bool:
    return dig(versioning, "versioningConfiguration", "status") == "Enabled"


@stack_rule(
    Control(
        "S3.17",
        "S3 buckets should be encrypted at rest with AWS KMS keys",
        Severity.MEDIUM,
        (BUCKET,),
        "BucketServerSideEncryptionConfiguration: aws:kms with a key",
        source=Source.SECURITY_HUB,
        nist=Nist.AT_REST,
    )
)
def encrypts_with_kms(bucket: Resource, stack: Stack) -> Iterator[str]:
    """Objects are encrypted with a customer managed KMS key by default."""
    configurations = stack.referring(bucket, ENCRYPTION, "bucket")
    rules: list[Block] = [rule for each in configurations for rule in each.get("rules", [])]
    if not any(_uses_kms(rule.get("applyServerSideEncryptionByDefault") or {}) for rule in rules):
        yield "no BucketServerSideEncryptionConfiguration with sseAlgorithm 'aws:kms' and a kmsMasterKeyId"


def _uses_kms(default: Block) -> bool:
    return default.get("sseAlgorithm") in {"aws:kms", "aws:kms:dsse"} and bool(default.get("kmsMasterKeyId"))


@resource_rule(
    Control(
        "MLP.S3.1",
        "A bucket is not emptied when it is destroyed",
        Severity.MEDIUM,
        (BUCKET,),
        "forceDestroy",
        source=Source.MLP,
        level=Level.ADVISORY,
        nist=Nist.DELETION,
    )
)
def keeps_objects(bucket: Resource) -> Iterator[str]:
    """`forceDestroy` is off: objects go only when somebody says so."""
    if bucket.get("forceDestroy"):
        yield "forceDestroy deletes every object together with the bucket"
