"""Model packages: what SageMaker knows of a registered version, and whether it may be served."""

from collections.abc import Iterator, Sequence
from typing import Any

from botocore.exceptions import ClientError

from pipelines import aws
from pipelines.aws import is_missing
from pipelines.registry.register import Candidate, Version

APPROVED = "Approved"
REJECTED = "Rejected"
_LONGEST_DESCRIPTION = 1024


def register(group: str, candidate: Candidate, version: Version, image_uri: str) -> str:
    """The ARN of the package of this version, made when the group has none; it waits for approval.

    `image_uri` is the image that serves the model.
    """
    known = find(group, candidate.job_name)
    if known is not None:
        return known
    answer = aws.sagemaker().create_model_package(
        ModelPackageGroupName=group,
        ModelPackageDescription=f"{candidate.name} version {version.version}",
        InferenceSpecification={
            "Containers": [{"Image": image_uri, "ModelDataUrl": candidate.model_uri}],
            "SupportedContentTypes": ["text/csv", "application/json", "application/jsonlines"],
            "SupportedResponseMIMETypes": ["text/csv", "application/json"],
        },
        ModelApprovalStatus="PendingManualApproval",
        CustomerMetadataProperties={
            "training_job": candidate.job_name,
            "data_version": candidate.data_version,
            "registry_version": version.version,
            "registry_run": version.run_id,
        },
    )
    return answer["ModelPackageArn"]


def decide(arn: str, objections: Sequence[str]) -> None:
    """Approve the package, or reject it for the reasons given; a package that was so decided before stays as it is."""
    status = REJECTED if objections else APPROVED
    if describe(arn).get("ModelApprovalStatus") == status:
        return
    aws.sagemaker().update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus=status,
        ApprovalDescription=("; ".join(objections) or "passed the workload's gate")[:_LONGEST_DESCRIPTION],
    )


def find(group: str, job_name: str) -> str | None:
    """The ARN of the package that was made for the job."""
    for arn in arns(group):
        if describe(arn).get("CustomerMetadataProperties", {}).get("training_job") == job_name:
            return arn
    return None


def arns(group: str) -> Iterator[str]:
    """Packages of the group, newest first; none when there is no such group."""
    pages = aws.sagemaker().get_paginator("list_model_packages")
    try:
        for page in pages.paginate(ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending"):
            for summary in page["ModelPackageSummaryList"]:
                yield summary["ModelPackageArn"]
    except ClientError as error:
        if not is_missing(error):
            raise


def describe(arn: str) -> dict[str, Any]:
    """DescribeModelPackage's answer."""
    return dict(aws.sagemaker().describe_model_package(ModelPackageName=arn))
