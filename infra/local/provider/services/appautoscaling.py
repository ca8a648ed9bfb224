"""Application Auto Scaling: scalable targets and policies."""

from typing import Any

from infra.local.provider.handler import Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

_SCALED = {
    "ServiceNamespace": "{serviceNamespace}",
    "ResourceId": "{resourceId}",
    "ScalableDimension": "{scalableDimension}",
}

TARGET = Spec(
    type="aws:appautoscaling/target:Target",
    service="application-autoscaling",
    id="{serviceNamespace}/{resourceId}/{scalableDimension}",
    create=Call(operation="RegisterScalableTarget"),
    read=Read(
        operation="DescribeScalableTargets",
        params={
            "ServiceNamespace": "{serviceNamespace}",
            "ResourceIds": ["{resourceId}"],
            "ScalableDimension": "{scalableDimension}",
        },
        select="ScalableTargets[0]",
    ),
    delete=Call(operation="DeregisterScalableTarget", params=_SCALED),
    tags=Tagging(
        read=Read(
            operation="ListTagsForResource",
            params={"ResourceARN": "{arn}"},
            select="Tags",
        ),
        tag=Call(operation="TagResource", params={"ResourceARN": "{arn}"}),
        untag=Call(operation="UntagResource", params={"ResourceARN": "{arn}"}),
    ),
    exclusive=False,
    replace=frozenset(("resourceId", "scalableDimension", "serviceNamespace")),
    rename={"arn": "ScalableTargetARN"},
    computed=frozenset(("roleArn", "suspendedState")),
    missing=frozenset(("ObjectNotFoundException",)),
)


class Target(Put):
    """Registering a target anew updates it; only a new one takes tags with the call."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The target; its tags are read by the ARN in the answer."""
        found = scope.read(self.spec.read)
        if found:
            scope.state = {**scope.state, "arn": found.get("ScalableTargetARN")}
        return super().fetch(scope) if found else None


POLICY = Spec(
    type="aws:appautoscaling/policy:Policy",
    service="application-autoscaling",
    id="{serviceNamespace}/{resourceId}/{scalableDimension}/{name}",
    create=Call(operation="PutScalingPolicy"),
    read=Read(
        operation="DescribeScalingPolicies",
        params={**_SCALED, "PolicyNames": ["{name}"]},
        select="ScalingPolicies[0]",
    ),
    delete=Call(operation="DeleteScalingPolicy", params={**_SCALED, "PolicyName": "{name}"}),
    name=Name("name", max=255),
    replace=frozenset(("name", "resourceId", "scalableDimension", "serviceNamespace")),
    rename={"name": "PolicyName", "arn": "PolicyARN", "alarmArns": "Alarms"},
    from_aws={
        "alarmArns": lambda alarms: [alarm["AlarmARN"] for alarm in alarms],
        "stepScalingPolicyConfiguration.stepAdjustments.metricIntervalLowerBound": lambda bound: f"{bound:g}",
        "stepScalingPolicyConfiguration.stepAdjustments.metricIntervalUpperBound": lambda bound: f"{bound:g}",
    },
    defaults={"policyType": "StepScaling"},
    unsupported=frozenset(("predictiveScalingPolicyConfiguration",)),
    missing=frozenset(("ObjectNotFoundException",)),
)

HANDLERS = (Target(TARGET), Put(POLICY))
