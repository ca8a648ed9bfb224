"""EC2: flow logs and VPC endpoints."""

import time
from typing import Any

from infra.local.errors import LocalError
from infra.local.provider.handler import Handler, Scope
from infra.local.provider.services.ec2_network import MISSING, marker_filter
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import mapping, sequence

FLOW_LOG = Spec(
    type="aws:ec2/flowLog:FlowLog",
    service="ec2",
    id="@FlowLogIds[0]",
    create=Call(operation="CreateFlowLogs"),
    read=Read(operation="DescribeFlowLogs", params={"FlowLogIds": ["{id}"]}, select="FlowLogs[0]"),
    delete=Call(operation="DeleteFlowLogs", params={"FlowLogIds": ["{id}"]}),
    find=Read(operation="DescribeFlowLogs", params={"Filter": marker_filter()}, select="FlowLogs[].FlowLogId"),
    tags=Tagging(ec2_type="vpc-flow-log"),
    replace=frozenset(
        (
            "destinationOptions",
            "eniId",
            "iamRoleArn",
            "logDestination",
            "logDestinationType",
            "logFormat",
            "maxAggregationInterval",
            "subnetId",
            "trafficType",
            "vpcId",
        )
    ),
    rename={"iamRoleArn": "DeliverLogsPermissionArn"},
    defaults={"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600},
    computed=frozenset(("logFormat", "logDestination")),
    handled=frozenset(("vpcId", "subnetId", "eniId")),
    unsupported=frozenset(
        (
            "deliverCrossAccountRole",
            "regionalNatGatewayId",
            "tagFieldSpecifications",
            "transitGatewayAttachmentId",
            "transitGatewayId",
        )
    ),
    outputs={"arn": "arn:{partition}:ec2:{region}:{account}:vpc-flow-log/{id}"},
    missing=MISSING,
)

_FLOW_LOG_SOURCES = {"vpcId": ("VPC", "vpc-"), "subnetId": ("Subnet", "subnet-"), "eniId": ("NetworkInterface", "eni-")}


class FlowLog(Handler):
    """A flow log names what it watches by one of three properties."""

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Name the resource watched."""
        for name, (kind, _) in _FLOW_LOG_SOURCES.items():
            if scope.inputs.get(name):
                return {**params, "ResourceIds": [scope.inputs[name]], "ResourceType": kind}
        raise LocalError(f"{self.spec.type}: one of vpcId, subnetId, eniId must be given; none was")

    def create(self, scope: Scope) -> str:
        """Make the flow log; what AWS could not make it tells in a part of its answer."""
        created = super().create(scope)
        if not created:
            raise LocalError(f"{self.spec.type}: AWS made no flow log of {scope.inputs.get('vpcId')}")
        return created

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Add what is watched."""
        result = super().outputs(scope, item)
        watched = item.get("ResourceId", "")
        source = {name: watched for name, (_, prefix) in _FLOW_LOG_SOURCES.items() if watched.startswith(prefix)}
        return {**result, **source}


VPC_ENDPOINT = Spec(
    type="aws:ec2/vpcEndpoint:VpcEndpoint",
    service="ec2",
    id="@VpcEndpoint.VpcEndpointId",
    create=Call(operation="CreateVpcEndpoint"),
    read=Read(operation="DescribeVpcEndpoints", params={"VpcEndpointIds": ["{id}"]}, select="VpcEndpoints[0]"),
    updates=(
        Call(
            operation="ModifyVpcEndpoint",
            params={"VpcEndpointId": "{id}"},
            send=("policy", "privateDnsEnabled", "ipAddressType", "dnsOptions"),
        ),
    ),
    delete=Call(operation="DeleteVpcEndpoints", params={"VpcEndpointIds": ["{id}"]}),
    find=Read(
        operation="DescribeVpcEndpoints",
        params={"Filters": marker_filter()},
        select="VpcEndpoints[?State!='deleted' && State!='deleting'].VpcEndpointId",
    ),
    tags=Tagging(ec2_type="vpc-endpoint"),
    replace=frozenset(("vpcId", "serviceName", "vpcEndpointType")),
    delete_before_replace=True,
    rename={"policy": "PolicyDocument", "securityGroupIds": "SecurityGroupIds"},
    defaults={"vpcEndpointType": "Gateway"},
    computed=frozenset(("policy", "privateDnsEnabled", "ipAddressType", "dnsOptions", "securityGroupIds")),
    handled=frozenset(("routeTableIds", "subnetIds", "securityGroupIds")),
    documents=frozenset(("policy",)),
    unsupported=frozenset(
        (
            "autoAccept",
            "resourceConfigurationArn",
            "serviceNetworkArn",
            "serviceRegion",
            "subnetConfigurations",
        )
    ),
    outputs={"arn": "arn:{partition}:ec2:{region}:{account}:vpc-endpoint/{id}"},
    missing=MISSING,
)

_MEMBERSHIPS = {"routeTableIds": "RouteTableIds", "subnetIds": "SubnetIds", "securityGroupIds": "SecurityGroupIds"}


class VpcEndpoint(Handler):
    """Route tables, subnets and groups of an endpoint are added and removed one by one."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The endpoint, unless it is on its way out, with its groups' ids and its prefix list."""
        item = super().fetch(scope)
        if item is None or str(item.get("State", "")).lower() in {"deleted", "deleting"}:
            return None
        item["SecurityGroupIds"] = [group["GroupId"] for group in item.get("Groups", ())]
        if item.get("VpcEndpointType") == "Gateway":
            names = [{"Name": "prefix-list-name", "Values": [item.get("ServiceName")]}]
            found = scope.call("DescribePrefixLists", Filters=names).get("PrefixLists", [])
            lists = [entry for entry in found if entry.get("PrefixListName") == item.get("ServiceName")]
            item |= {"PrefixListId": lists[0]["PrefixListId"], "CidrBlocks": lists[0].get("Cidrs", [])} if lists else {}
        return item

    def created(self, scope: Scope) -> None:
        """Everything was in the create call."""

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed, memberships as what is added and removed."""
        super().update(scope, changed)
        item = mapping(self.fetch(scope))
        params: dict[str, Any] = {}
        for name in sorted(changed & _MEMBERSHIPS.keys()):
            member = _MEMBERSHIPS[name]
            wanted, actual = set(sequence(scope.inputs.get(name))), set(sequence(item.get(member)))
            params[f"Add{member}"] = sorted(wanted - actual)
            params[f"Remove{member}"] = sorted(actual - wanted)
        params = {name: value for name, value in params.items() if value}
        if params:
            scope.call("ModifyVpcEndpoint", VpcEndpointId=scope.id, **params)

    def delete(self, scope: Scope) -> None:
        """Delete the endpoint, and wait until its interfaces no longer hold the subnets."""
        super().delete(scope)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            if super().fetch(scope) is None or self.fetch(scope) is None:
                return
            time.sleep(0.2)


HANDLERS = (
    FlowLog(FLOW_LOG),
    VpcEndpoint(VPC_ENDPOINT),
)
