"""CloudWatch: log groups and alarms."""

from ..handler import Handler, Put
from ..names import Name
from ..spec import Call, Read, Spec, Tagging

_LOG_GROUP_ARN = "arn:{partition}:logs:{region}:{account}:log-group:{id}"

LOG_GROUP = Spec(
    token="aws:cloudwatch/logGroup:LogGroup",
    service="logs",
    id="{name}",
    create=Call(operation="CreateLogGroup"),
    read=Read(
        operation="DescribeLogGroups",
        params={"logGroupNamePrefix": "{id}"},
        select="logGroups[?logGroupName=='{id}'] | [0]",
    ),
    updates=(
        Call(operation="PutRetentionPolicy", params={"logGroupName": "{id}"}, send=("retentionInDays",)),
        Call(operation="AssociateKmsKey", params={"logGroupName": "{id}"}, send=("kmsKeyId",)),
    ),
    delete=Call(operation="DeleteLogGroup", params={"logGroupName": "{id}"}),
    tags=Tagging(
        read=Read(operation="ListTagsForResource", params={"resourceArn": _LOG_GROUP_ARN}, select="tags"),
        tag=Call(operation="TagResource", params={"resourceArn": _LOG_GROUP_ARN}),
        untag=Call(operation="UntagResource", params={"resourceArn": _LOG_GROUP_ARN}),
    ),
    name=Name("name", max=512, prefix_property="namePrefix"),
    replace=frozenset(("name", "logGroupClass")),
    rename={"name": "logGroupName"},
    defaults={"retentionInDays": 0, "skipDestroy": False},
    computed=frozenset(("logGroupClass",)),
    local=frozenset(("namePrefix", "skipDestroy")),
    unsupported=frozenset(("deletionProtectionEnabled",)),
    outputs={"arn": _LOG_GROUP_ARN},
)
