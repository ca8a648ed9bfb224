"""IAM: roles, their policies and attachments."""

import json
from typing import Any

from infra.local.provider.handler import Handler, Put, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import mapping


def _document(value: Any) -> str:
    """boto3 hands some documents over parsed."""
    return value if isinstance(value, str) else json.dumps(value)


ROLE = Spec(
    type="aws:iam/role:Role",
    service="iam",
    id="{name}",
    create=Call(operation="CreateRole"),
    read=Read(operation="GetRole", params={"RoleName": "{id}"}, select="Role"),
    updates=(
        Call(operation="UpdateAssumeRolePolicy", params={"RoleName": "{id}"}, send=("assumeRolePolicy",)),
        Call(operation="UpdateRole", params={"RoleName": "{id}"}, send=("description", "maxSessionDuration")),
    ),
    delete=Call(operation="DeleteRole", params={"RoleName": "{id}"}),
    tags=Tagging(
        read=Read(operation="ListRoleTags", params={"RoleName": "{id}"}, select="Tags"),
        tag=Call(operation="TagRole", params={"RoleName": "{id}"}),
        untag=Call(operation="UntagRole", params={"RoleName": "{id}"}),
    ),
    name=Name("name", max=64, prefix_property="namePrefix"),
    replace=frozenset(("name", "path")),
    rename={
        "name": "RoleName",
        "assumeRolePolicy": "AssumeRolePolicyDocument|PolicyDocument",
        "uniqueId": "RoleId",
    },
    from_aws={
        "assumeRolePolicy": _document,
        "permissionsBoundary": lambda value: value.get("PermissionsBoundaryArn"),
    },
    defaults={"path": "/", "maxSessionDuration": 3600, "forceDetachPolicies": False},
    computed=frozenset(("inlinePolicies", "managedPolicyArns")),
    local=frozenset(("namePrefix", "forceDetachPolicies")),
    handled=frozenset(("inlinePolicies", "managedPolicyArns")),
    documents=frozenset(("assumeRolePolicy", "inlinePolicies.policy")),
)


class Role(Handler):
    """Inline and managed policies are the role's own only where the program gives them with the role."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The role with the names of its policies."""
        item = super().fetch(scope)
        if item is not None:
            attached = scope.call("ListAttachedRolePolicies", RoleName=scope.id)["AttachedPolicies"]
            item["ManagedPolicyArns"] = [policy["PolicyArn"] for policy in attached]
            item["InlinePolicies"] = [
                {"Name": name, "Policy": _document(self._inline(scope, name))}
                for name in scope.call("ListRolePolicies", RoleName=scope.id)["PolicyNames"]
            ]
        return item

    def _inline(self, scope: Scope, name: str) -> Any:
        return scope.call("GetRolePolicy", RoleName=scope.id, PolicyName=name)["PolicyDocument"]

    def created(self, scope: Scope) -> None:
        """Add the policies given with the role."""
        self.update(scope, frozenset(("inlinePolicies", "managedPolicyArns")) & scope.inputs.keys())

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed."""
        super().update(scope, changed)
        if "permissionsBoundary" in changed:
            boundary = scope.inputs.get("permissionsBoundary")
            if boundary:
                scope.call("PutRolePermissionsBoundary", RoleName=scope.id, PermissionsBoundary=boundary)
            else:
                scope.call("DeleteRolePermissionsBoundary", RoleName=scope.id)
        if changed & {"inlinePolicies", "managedPolicyArns"}:
            self._bring_policies(scope, mapping(self.fetch(scope)))

    def _bring_policies(self, scope: Scope, item: dict[str, Any]) -> None:
        managed = scope.inputs.get("managedPolicyArns")
        if managed is not None:
            for arn in set(managed) - set(item["ManagedPolicyArns"]):
                scope.call("AttachRolePolicy", RoleName=scope.id, PolicyArn=arn)
            for arn in set(item["ManagedPolicyArns"]) - set(managed):
                scope.call("DetachRolePolicy", RoleName=scope.id, PolicyArn=arn)
        inline = scope.inputs.get("inlinePolicies")
        if inline is not None:
            wanted = {policy["name"]: policy["policy"] for policy in inline if policy.get("name")}
            for name, document in wanted.items():
                scope.call("PutRolePolicy", RoleName=scope.id, PolicyName=name, PolicyDocument=document)
            for policy in item["InlinePolicies"]:
                if policy["Name"] not in wanted:
                    scope.call("DeleteRolePolicy", RoleName=scope.id, PolicyName=policy["Name"])

    def delete(self, scope: Scope) -> None:
        """Delete the role, after whatever is still attached: AWS refuses a role that holds policies."""
        item = mapping(self.fetch(scope))
        for arn in item.get("ManagedPolicyArns", ()):
            scope.call("DetachRolePolicy", RoleName=scope.id, PolicyArn=arn)
        for policy in item.get("InlinePolicies", ()):
            scope.call("DeleteRolePolicy", RoleName=scope.id, PolicyName=policy["Name"])
        super().delete(scope)


ROLE_POLICY = Spec(
    type="aws:iam/rolePolicy:RolePolicy",
    service="iam",
    id="{role}:{name}",
    create=Call(operation="PutRolePolicy"),
    read=Read(operation="GetRolePolicy", params={"RoleName": "{role}", "PolicyName": "{name}"}),
    delete=Call(operation="DeleteRolePolicy", params={"RoleName": "{role}", "PolicyName": "{name}"}),
    name=Name("name", max=128, prefix_property="namePrefix"),
    exclusive=False,
    replace=frozenset(("role", "name")),
    rename={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
    from_aws={"policy": _document},
    local=frozenset(("namePrefix",)),
    documents=frozenset(("policy",)),
)

ROLE_POLICY_ATTACHMENT = Spec(
    type="aws:iam/rolePolicyAttachment:RolePolicyAttachment",
    service="iam",
    id="{role}/{policyArn}",
    create=Call(operation="AttachRolePolicy"),
    read=Read(
        operation="ListAttachedRolePolicies",
        params={"RoleName": "{role}"},
        select="AttachedPolicies[?PolicyArn=='{policyArn}'] | [0]",
    ),
    delete=Call(operation="DetachRolePolicy", params={"RoleName": "{role}", "PolicyArn": "{policyArn}"}),
    exclusive=False,
    replace=frozenset(("role", "policyArn")),
    rename={"role": "RoleName"},
    outputs={"role": "{role}"},
)

POLICY = Spec(
    type="aws:iam/policy:Policy",
    service="iam",
    id="@Policy.Arn",
    create=Call(operation="CreatePolicy"),
    read=Read(operation="GetPolicy", params={"PolicyArn": "{id}"}, select="Policy"),
    delete=Call(operation="DeletePolicy", params={"PolicyArn": "{id}"}),
    tags=Tagging(
        read=Read(operation="ListPolicyTags", params={"PolicyArn": "{id}"}, select="Tags"),
        tag=Call(operation="TagPolicy", params={"PolicyArn": "{id}"}),
        untag=Call(operation="UntagPolicy", params={"PolicyArn": "{id}"}),
    ),
    name=Name("name", max=128, prefix_property="namePrefix"),
    replace=frozenset(("name", "path", "description")),
    rename={"name": "PolicyName", "policy": "PolicyDocument"},
    from_aws={"policy": _document},
    defaults={"path": "/"},
    local=frozenset(("namePrefix", "delayAfterPolicyCreationInMs")),
    documents=frozenset(("policy",)),
)


class Policy(Handler):
    """A managed policy's document lives in versions, of which AWS keeps five."""

    def find(self, scope: Scope) -> str | None:
        """The policy's ARN follows from its path and name."""
        path, name = scope.inputs.get("path") or "/", scope.inputs["name"]
        scope.id = f"arn:aws:iam::{scope.cloud.account}:policy{path}{name}"
        return scope.id if self.fetch(scope) is not None else None

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The policy with the document of its default version."""
        item = super().fetch(scope)
        if item is not None:
            version = scope.call("GetPolicyVersion", PolicyArn=scope.id, VersionId=item["DefaultVersionId"])
            item["PolicyDocument"] = version["PolicyVersion"]["Document"]
        return item

    def created(self, scope: Scope) -> None:
        """Everything was in the create call."""

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Add a default version, in the place of the oldest where there are five."""
        if "policy" not in changed:
            return
        versions = scope.call("ListPolicyVersions", PolicyArn=scope.id)["Versions"]
        others = sorted((one for one in versions if not one["IsDefaultVersion"]), key=lambda one: one["CreateDate"])
        if len(versions) >= 5:
            scope.call("DeletePolicyVersion", PolicyArn=scope.id, VersionId=others[0]["VersionId"])
        document = scope.inputs["policy"]
        scope.call("CreatePolicyVersion", PolicyArn=scope.id, PolicyDocument=document, SetAsDefault=True)

    def delete(self, scope: Scope) -> None:
        """Delete the policy, after its attachments and other versions."""
        for role in scope.call("ListEntitiesForPolicy", PolicyArn=scope.id).get("PolicyRoles", ()):
            scope.call("DetachRolePolicy", RoleName=role["RoleName"], PolicyArn=scope.id)
        for version in scope.call("ListPolicyVersions", PolicyArn=scope.id)["Versions"]:
            if not version["IsDefaultVersion"]:
                scope.call("DeletePolicyVersion", PolicyArn=scope.id, VersionId=version["VersionId"])
        super().delete(scope)


HANDLERS = (Role(ROLE), Put(ROLE_POLICY), Put(ROLE_POLICY_ATTACHMENT), Policy(POLICY))
