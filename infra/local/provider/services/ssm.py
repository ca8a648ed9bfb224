"""Systems Manager: parameters."""

from typing import Any

from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

PARAMETER = Spec(
    type="aws:ssm/parameter:Parameter",
    service="ssm",
    id="{name}",
    create=Call(operation="PutParameter"),
    read=Read(operation="GetParameter", params={"Name": "{id}", "WithDecryption": True}, select="Parameter"),
    more=(
        Read(
            operation="DescribeParameters",
            params={"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": ["{id}"]}]},
            select="Parameters[0].{Description: Description, KeyId: KeyId, Tier: Tier, AllowedPattern: AllowedPattern}",
        ),
    ),
    delete=Call(operation="DeleteParameter", params={"Name": "{id}"}),
    tags=Tagging(
        read=Read(
            operation="ListTagsForResource",
            params={"ResourceType": "Parameter", "ResourceId": "{id}"},
            select="TagList",
            absent=frozenset(("InvalidResourceId",)),
        ),
        tag=Call(operation="AddTagsToResource", params={"ResourceType": "Parameter", "ResourceId": "{id}"}),
        untag=Call(operation="RemoveTagsFromResource", params={"ResourceType": "Parameter", "ResourceId": "{id}"}),
    ),
    name=Name("name", max=1011),
    replace=frozenset(("name", "dataType")),
    rename={"arn": "ARN"},
    computed=frozenset(("arn", "keyId", "tier", "dataType", "value", "insecureValue")),
    local=frozenset(("overwrite",)),
    handled=frozenset(("insecureValue", "arn")),
    unsupported=frozenset(("valueWo", "valueWoVersion")),
    secrets=frozenset(("value",)),
    missing=frozenset(("ParameterNotFound",)),
)


class Parameter(Handler):
    """The value stands in `value`, a secret, or in `insecureValue`, which previews show."""

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """The value under either name; the ARN is AWS's to give."""
        insecure = scope.inputs.get("insecureValue")
        return {**params, **({"Value": insecure} if insecure is not None else {})}

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The value under the name the program uses, and always as the secret."""
        result = super().outputs(scope, item)
        used = "insecureValue" in scope.inputs or "insecureValue" in scope.state
        return {**result, **({"insecureValue": result.get("value")} if used else {})}

    def created(self, scope: Scope) -> None:
        """Everything was in the create call."""

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Write the parameter anew; tags go by calls of their own."""
        if changed:
            params = self.amend(scope, scope.params("PutParameter"))
            scope.call("PutParameter", **{**params, "Overwrite": True})


HANDLERS = (Parameter(PARAMETER),)
