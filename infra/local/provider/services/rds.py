"""RDS: subnet groups, parameter groups and database instances."""

from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import mapping, sequence

MISSING = frozenset(
    (
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "DBSubnetGroupNotFoundFault",
        "DBParameterGroupNotFound",
        "DBParameterGroupNotFoundFault",
    )
)


def tagging(arn: str) -> Tagging:
    """How RDS tags what an ARN names."""
    return Tagging(
        read=Read(operation="ListTagsForResource", params={"ResourceName": arn}, select="TagList"),
        tag=Call(operation="AddTagsToResource", params={"ResourceName": arn}),
        untag=Call(operation="RemoveTagsFromResource", params={"ResourceName": arn}),
    )


def arn(kind: str) -> str:
    """Template of the ARN of a kind of resource."""
    return f"arn:{{partition}}:rds:{{region}}:{{account}}:{kind}:{{id}}"


SUBNET_GROUP = Spec(
    type="aws:rds/subnetGroup:SubnetGroup",
    service="rds",
    id="{name}",
    create=Call(operation="CreateDBSubnetGroup"),
    read=Read(operation="DescribeDBSubnetGroups", params={"DBSubnetGroupName": "{id}"}, select="DBSubnetGroups[0]"),
    updates=(
        Call(
            operation="ModifyDBSubnetGroup",
            params={"DBSubnetGroupName": "{id}"},
            send=("description", "subnetIds"),
        ),
    ),
    delete=Call(operation="DeleteDBSubnetGroup", params={"DBSubnetGroupName": "{id}"}),
    tags=tagging(arn("subgrp")),
    name=Name("name", max=255, prefix_property="namePrefix", lower=True),
    replace=frozenset(("name",)),
    rename={
        "name": "DBSubnetGroupName",
        "description": "DBSubnetGroupDescription",
        "arn": "DBSubnetGroupArn",
        "subnetIds": "SubnetIds|Subnets",
    },
    from_aws={"subnetIds": lambda subnets: [subnet["SubnetIdentifier"] for subnet in subnets]},
    defaults={"description": "Managed by Pulumi"},
    local=frozenset(("namePrefix",)),
    outputs={"arn": arn("subgrp")},
    missing=MISSING,
)

PARAMETER_GROUP = Spec(
    type="aws:rds/parameterGroup:ParameterGroup",
    service="rds",
    id="{name}",
    create=Call(operation="CreateDBParameterGroup", send=("name", "family", "description")),
    read=Read(
        operation="DescribeDBParameterGroups", params={"DBParameterGroupName": "{id}"}, select="DBParameterGroups[0]"
    ),
    more=(
        Read(
            operation="DescribeDBParameters",
            params={"DBParameterGroupName": "{id}", "Source": "user"},
            select="Parameters",
            at="Parameters",
        ),
    ),
    delete=Call(operation="DeleteDBParameterGroup", params={"DBParameterGroupName": "{id}"}),
    tags=tagging(arn("pg")),
    name=Name("name", max=255, prefix_property="namePrefix", lower=True),
    replace=frozenset(("name", "family", "description")),
    rename={
        "name": "DBParameterGroupName",
        "family": "DBParameterGroupFamily",
        "arn": "DBParameterGroupArn",
        "parameters.name": "ParameterName",
        "parameters.value": "ParameterValue",
    },
    defaults={"description": "Managed by Pulumi"},
    computed=frozenset(("parameters.applyMethod",)),
    local=frozenset(("namePrefix", "skipDestroy")),
    handled=frozenset(("parameters",)),
    outputs={"arn": arn("pg")},
    missing=MISSING,
)


class ParameterGroup(Handler):
    """Parameters are set and reset twenty at a time, as RDS allows."""

    def created(self, scope: Scope) -> None:
        """Set the parameters."""
        self.update(scope, frozenset(("parameters",)))

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Set the parameters wanted and reset those no longer wanted."""
        if "parameters" not in changed:
            return
        wanted = [
            {
                "ParameterName": parameter["name"],
                "ParameterValue": str(parameter["value"]),
                "ApplyMethod": parameter.get("applyMethod") or "immediate",
            }
            for parameter in sequence(scope.inputs.get("parameters"))
        ]
        names = {parameter["ParameterName"] for parameter in wanted}
        gone = [
            {"ParameterName": one["ParameterName"], "ApplyMethod": one.get("ApplyMethod") or "immediate"}
            for one in sequence(mapping(self.fetch(scope)).get("Parameters"))
            if one["ParameterName"] not in names
        ]
        for start in range(0, len(wanted), 20):
            scope.call("ModifyDBParameterGroup", DBParameterGroupName=scope.id, Parameters=wanted[start : start + 20])
        for start in range(0, len(gone), 20):
            scope.call("ResetDBParameterGroup", DBParameterGroupName=scope.id, Parameters=gone[start : start + 20])


HANDLERS = (Handler(SUBNET_GROUP), ParameterGroup(PARAMETER_GROUP))
