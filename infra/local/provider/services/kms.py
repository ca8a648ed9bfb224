"""KMS: keys and aliases."""

from typing import Any

from infra.local.provider.cloud import RefusedError
from infra.local.provider.handler import MARKER, Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging

KEY = Spec(
    type="aws:kms/key:Key",
    service="kms",
    id="@KeyMetadata.KeyId",
    create=Call(operation="CreateKey"),
    read=Read(operation="DescribeKey", params={"KeyId": "{id}"}, select="KeyMetadata"),
    more=(
        Read(operation="GetKeyPolicy", params={"KeyId": "{id}", "PolicyName": "default"}, select="Policy", at="Policy"),
        Read(operation="GetKeyRotationStatus", params={"KeyId": "{id}"}),
    ),
    updates=(
        Call(operation="UpdateKeyDescription", params={"KeyId": "{id}"}, send=("description",)),
        Call(operation="PutKeyPolicy", params={"KeyId": "{id}", "PolicyName": "default"}, send=("policy",)),
    ),
    delete=Call(
        operation="ScheduleKeyDeletion", params={"KeyId": "{id}", "PendingWindowInDays": "{deletionWindowInDays}"}
    ),
    tags=Tagging(
        read=Read(operation="ListResourceTags", params={"KeyId": "{id}"}, select="Tags"),
        tag=Call(operation="TagResource", params={"KeyId": "{id}"}),
        untag=Call(operation="UntagResource", params={"KeyId": "{id}"}),
    ),
    replace=frozenset(("customerMasterKeySpec", "keyUsage", "multiRegion")),
    rename={
        "customerMasterKeySpec": "KeySpec",
        "isEnabled": "Enabled",
        "enableKeyRotation": "KeyRotationEnabled",
        "bypassPolicyLockoutSafetyCheck": "BypassPolicyLockoutSafetyCheck",
    },
    defaults={
        "customerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "keyUsage": "ENCRYPT_DECRYPT",
        "isEnabled": True,
        "enableKeyRotation": False,
    },
    computed=frozenset(("policy", "rotationPeriodInDays", "description")),
    local=frozenset(("bypassPolicyLockoutSafetyCheck", "deletionWindowInDays")),
    handled=frozenset(("enableKeyRotation", "rotationPeriodInDays", "isEnabled")),
    unsupported=frozenset(("customKeyStoreId", "xksKeyId")),
    documents=frozenset(("policy",)),
    missing=frozenset(("KMSInvalidStateException",)),
)


class Key(Handler):
    """A key is deleted by a schedule; one that waits for its deletion is gone."""

    def find(self, scope: Scope) -> str | None:
        """KMS has no filter by tag, so the account's keys are looked through."""
        parameters: dict[str, Any] = {"Limit": 1000}
        while True:
            page = scope.call("ListKeys", **parameters)
            for key in page["Keys"]:
                scope.id = key["KeyId"]
                if self._is_mine(scope):
                    return scope.id
            if not page.get("Truncated"):
                return None
            parameters["Marker"] = page["NextMarker"]

    def _is_mine(self, scope: Scope) -> bool:
        try:
            tags = scope.call("ListResourceTags", KeyId=scope.id)["Tags"]
        except RefusedError:
            return False  # AWS's own keys show their tags to nobody
        marked = {"TagKey": MARKER, "TagValue": scope.token} in tags
        return marked and self.fetch(scope) is not None

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The key, unless its deletion is scheduled."""
        item = super().fetch(scope)
        return None if item is None or item.get("KeyState") == "PendingDeletion" else item

    def created(self, scope: Scope) -> None:
        """Rotation and state are not part of the create call."""
        self._bring_rotation(scope)
        if not scope.inputs.get("isEnabled", True):
            scope.call("DisableKey", KeyId=scope.id)

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed; a disabled key takes no changes, so it is enabled first and disabled last."""
        if "isEnabled" in changed and scope.inputs.get("isEnabled", True):
            scope.call("EnableKey", KeyId=scope.id)
        super().update(scope, changed)
        if changed & {"enableKeyRotation", "rotationPeriodInDays"}:
            self._bring_rotation(scope)
        if "isEnabled" in changed and not scope.inputs.get("isEnabled", True):
            scope.call("DisableKey", KeyId=scope.id)

    def _bring_rotation(self, scope: Scope) -> None:
        if scope.inputs.get("enableKeyRotation"):
            days = scope.inputs.get("rotationPeriodInDays")
            period = {"RotationPeriodInDays": days} if days else {}
            scope.call("EnableKeyRotation", KeyId=scope.id, **period)
        elif scope.call("GetKeyRotationStatus", KeyId=scope.id).get("KeyRotationEnabled"):
            scope.call("DisableKeyRotation", KeyId=scope.id)


ALIAS = Spec(
    type="aws:kms/alias:Alias",
    service="kms",
    id="{name}",
    create=Call(operation="CreateAlias"),
    read=Read(operation="ListAliases", select="Aliases[?AliasName=='{id}'] | [0]"),
    updates=(Call(operation="UpdateAlias", params={"AliasName": "{id}"}, send=("targetKeyId",)),),
    delete=Call(operation="DeleteAlias", params={"AliasName": "{id}"}),
    name=Name("name", max=256, prefix_property="namePrefix", start="alias/"),
    replace=frozenset(("name",)),
    rename={"name": "AliasName", "arn": "AliasArn"},
    local=frozenset(("namePrefix",)),
)


class Alias(Handler):
    """The key may be named by id or ARN; AWS answers its id."""

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """The alias, its key spelt as before where it is the same."""
        result = super().outputs(scope, item)
        key_id = str(item.get("TargetKeyId", ""))
        arn = f"arn:aws:kms:{scope.region}:{scope.cloud.account}:key/{key_id}"
        before = scope.inputs.get("targetKeyId") or scope.state.get("targetKeyId")
        return {**result, "targetKeyArn": arn, "targetKeyId": before if before in {key_id, arn} else key_id}


HANDLERS = (Key(KEY), Alias(ALIAS))
