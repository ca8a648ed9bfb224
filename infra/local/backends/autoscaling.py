"""Application Auto Scaling that keeps tags; nothing is scaled."""

import json
from typing import Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from infra.local.backends.faults import fault
from infra.local.backends.members import Document


class LiveAutoScaling(ApplicationAutoscalingBackend):
    """Scalable targets with tags, by ARN."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self._tags: dict[str, dict[str, str]] = {}

    @property
    def url_paths(self) -> dict[str, Any]:
        """moto's paths, answered by our response class."""
        return {"/$": LiveAutoScalingResponse.dispatch}

    def put_scaling_policy(self, *arguments: Any, **named: Any) -> Any:
        """Create a policy, or change one, which keeps its ARN and its alarms."""
        before = dict(self.policies)
        policy: Any = super().put_scaling_policy(*arguments, **named)
        old: Any = next((item for key, item in before.items() if self.policies[key] is policy), None)
        if old is not None:
            policy.delete_alarms(self.account_id, self.region_name)
            policy.policy_arn, policy.alarms, policy.creation_time = old.policy_arn, old.alarms, old.creation_time
        return policy

    def tags_of(self, arn: str) -> dict[str, str]:
        """Tags of a target, to be read and changed.

        Raises:
            ServiceException: no such target.
        """
        if not any(target.arn == arn for targets in self.targets.values() for target in targets.values()):
            raise fault(
                "applicationautoscaling", "ResourceNotFoundException", f"The specified resource {arn} doesn't exist."
            )
        return self._tags.setdefault(arn, {})


class LiveAutoScalingResponse(ApplicationAutoScalingResponse):
    """One request. Method names are operation names."""

    @property
    def live(self) -> LiveAutoScaling:
        """Backend of the request's account and region."""
        backend: Any = self.applicationautoscaling_backend
        return backend

    @property
    def request(self) -> Document:
        """The request's members."""
        return json.loads(self.body or "{}")

    def register_scalable_target(self) -> str:
        """RegisterScalableTarget, with its tags and the ARN in its answer."""
        super().register_scalable_target()
        request = self.request
        arn = self.live.targets[request["ScalableDimension"]][request["ResourceId"]].arn
        self.live.tags_of(arn).update(request.get("Tags") or {})
        return json.dumps({"ScalableTargetARN": arn})

    def describe_scalable_targets(self) -> str:
        """DescribeScalableTargets, with ARNs."""
        answer: Document = json.loads(super().describe_scalable_targets())
        for target in answer["ScalableTargets"]:
            kept = self.live.targets[target["ScalableDimension"]][target["ResourceId"]]
            target["ScalableTargetARN"] = kept.arn
        return json.dumps(answer)

    def list_tags_for_resource(self) -> str:
        """ListTagsForResource."""
        return json.dumps({"Tags": self.live.tags_of(self.request["ResourceARN"])})

    def tag_resource(self) -> str:
        """TagResource."""
        self.live.tags_of(self.request["ResourceARN"]).update(self.request["Tags"])
        return "{}"

    def untag_resource(self) -> str:
        """UntagResource."""
        tags = self.live.tags_of(self.request["ResourceARN"])
        for key in self.request["TagKeys"]:
            tags.pop(key, None)
        return "{}"


LiveAutoScaling.__module__ = ApplicationAutoscalingBackend.__module__


def install() -> None:
    """Put the backend in place."""
    applicationautoscaling_backends.backend = LiveAutoScaling
