"""EC2: networks, subnets, routes, endpoints and flow logs."""

from collections.abc import Mapping
from typing import Any

from infra.local.provider.handler import MARKER, Handler, Scope
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import mapping, sequence

MISSING = frozenset(
    (
        "InvalidVpcID.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidRouteTableID.NotFound",
        "InvalidVpcEndpointId.NotFound",
        "InvalidFlowLogId.NotFound",
        "InvalidAssociationID.NotFound",
    )
)


def marker_filter() -> list[dict[str, Any]]:
    """EC2's filter for what carries this create's marker."""
    return [{"Name": f"tag:{MARKER}", "Values": ["{token}"]}]


def _vpc_filter(*extra: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [{"Name": "vpc-id", "Values": ["{id}"]}, *extra]


def _vpc_attribute(name: str) -> Read:
    member = name[0].upper() + name[1:]
    params = {"VpcId": "{id}", "Attribute": name}
    return Read(operation="DescribeVpcAttribute", params=params, select=f"{member}.Value", at=member)


def _modify(operation: str, id_member: str, name: str) -> Call:
    return Call(operation=operation, params={id_member: "{id}"}, send=(name,))


_VPC_ATTRIBUTES = ("enableDnsSupport", "enableDnsHostnames", "enableNetworkAddressUsageMetrics")

VPC = Spec(
    type="aws:ec2/vpc:Vpc",
    service="ec2",
    id="@Vpc.VpcId",
    create=Call(operation="CreateVpc"),
    read=Read(operation="DescribeVpcs", params={"VpcIds": ["{id}"]}, select="Vpcs[0]"),
    more=(
        *(_vpc_attribute(name) for name in _VPC_ATTRIBUTES),
        Read(
            operation="DescribeSecurityGroups",
            params={"Filters": _vpc_filter({"Name": "group-name", "Values": ["default"]})},
            select="SecurityGroups[0].GroupId",
            at="DefaultSecurityGroupId",
        ),
        Read(
            operation="DescribeRouteTables",
            params={"Filters": _vpc_filter({"Name": "association.main", "Values": ["true"]})},
            select="RouteTables[0].RouteTableId",
            at="MainRouteTableId",
        ),
        Read(
            operation="DescribeNetworkAcls",
            params={"Filters": _vpc_filter({"Name": "default", "Values": ["true"]})},
            select="NetworkAcls[0].NetworkAclId",
            at="DefaultNetworkAclId",
        ),
    ),
    updates=tuple(_modify("ModifyVpcAttribute", "VpcId", name) for name in _VPC_ATTRIBUTES),
    delete=Call(operation="DeleteVpc", params={"VpcId": "{id}"}),
    find=Read(operation="DescribeVpcs", params={"Filters": marker_filter()}, select="Vpcs[].VpcId"),
    tags=Tagging(ec2_type="vpc"),
    replace=frozenset(("cidrBlock", "instanceTenancy", "ipv4IpamPoolId", "ipv4NetmaskLength")),
    rename={"defaultRouteTableId": "MainRouteTableId"},
    defaults={
        "enableDnsSupport": True,
        "enableDnsHostnames": False,
        "enableNetworkAddressUsageMetrics": False,
        "instanceTenancy": "default",
    },
    unsupported=frozenset(
        (
            "assignGeneratedIpv6CidrBlock",
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6CidrBlock",
            "ipv6CidrBlockNetworkBorderGroup",
            "ipv6IpamPoolId",
            "ipv6NetmaskLength",
        )
    ),
    outputs={"arn": "arn:{partition}:ec2:{region}:{account}:vpc/{id}"},
    missing=MISSING,
)

SUBNET = Spec(
    type="aws:ec2/subnet:Subnet",
    service="ec2",
    id="@Subnet.SubnetId",
    create=Call(operation="CreateSubnet"),
    read=Read(operation="DescribeSubnets", params={"SubnetIds": ["{id}"]}, select="Subnets[0]"),
    flatten=("PrivateDnsNameOptionsOnLaunch",),
    updates=(
        _modify("ModifySubnetAttribute", "SubnetId", "mapPublicIpOnLaunch"),
        _modify("ModifySubnetAttribute", "SubnetId", "enableResourceNameDnsARecordOnLaunch"),
        Call(
            operation="ModifySubnetAttribute",
            params={"SubnetId": "{id}"},
            send=("privateDnsHostnameTypeOnLaunch",),
        ),
    ),
    delete=Call(operation="DeleteSubnet", params={"SubnetId": "{id}"}),
    find=Read(operation="DescribeSubnets", params={"Filters": marker_filter()}, select="Subnets[].SubnetId"),
    tags=Tagging(ec2_type="subnet"),
    replace=frozenset(("vpcId", "cidrBlock", "availabilityZone", "availabilityZoneId")),
    delete_before_replace=True,
    rename={
        "arn": "SubnetArn",
        "privateDnsHostnameTypeOnLaunch": "PrivateDnsHostnameTypeOnLaunch|HostnameType",
        "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch|EnableResourceNameDnsARecord",
    },
    defaults={"mapPublicIpOnLaunch": False, "enableResourceNameDnsARecordOnLaunch": False},
    computed=frozenset(("availabilityZone", "availabilityZoneId", "privateDnsHostnameTypeOnLaunch")),
    unsupported=frozenset(
        (
            "assignIpv6AddressOnCreation",
            "customerOwnedIpv4Pool",
            "enableDns64",
            "enableLniAtDeviceIndex",
            "enableResourceNameDnsAaaaRecordOnLaunch",
            "ipv4IpamPoolId",
            "ipv4NetmaskLength",
            "ipv6CidrBlock",
            "ipv6IpamPoolId",
            "ipv6Native",
            "ipv6NetmaskLength",
            "mapCustomerOwnedIpOnLaunch",
            "outpostArn",
        )
    ),
    missing=MISSING,
)

ROUTE_TABLE = Spec(
    type="aws:ec2/routeTable:RouteTable",
    service="ec2",
    id="@RouteTable.RouteTableId",
    create=Call(operation="CreateRouteTable"),
    read=Read(operation="DescribeRouteTables", params={"RouteTableIds": ["{id}"]}, select="RouteTables[0]"),
    delete=Call(operation="DeleteRouteTable", params={"RouteTableId": "{id}"}),
    find=Read(
        operation="DescribeRouteTables", params={"Filters": marker_filter()}, select="RouteTables[].RouteTableId"
    ),
    tags=Tagging(ec2_type="route-table"),
    replace=frozenset(("vpcId",)),
    rename={
        "routes.cidrBlock": "DestinationCidrBlock",
        "routes.ipv6CidrBlock": "DestinationIpv6CidrBlock",
        "routes.egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    },
    handled=frozenset(("routes",)),
    unsupported=frozenset(("propagatingVgws",)),
    outputs={"arn": "arn:{partition}:ec2:{region}:{account}:route-table/{id}"},
    missing=MISSING,
)


class RouteTable(Handler):
    """Routes given with the table; those of the VPC itself and of its gateway endpoints are not the table's own."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The table with its own routes alone."""
        item = super().fetch(scope)
        if item is None:
            return None
        routes = [route for route in item.get("Routes", ()) if _is_own(route)]
        return {**item, "Routes": [{key: value for key, value in route.items() if key in _ROUTE} for route in routes]}

    def created(self, scope: Scope) -> None:
        """Add the routes."""
        self.update(scope, frozenset(("routes",)))

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Remove the routes that are not wanted, and add the missing ones."""
        if "routes" not in changed:
            return
        wanted = sequence(scope.inputs.get("routes"))
        parameters = [_route_parameters(scope, route) for route in wanted]
        for route in mapping(self.fetch(scope)).get("Routes", ()):
            if route not in parameters:
                target = {key: value for key, value in route.items() if key.startswith("Destination")}
                scope.call("DeleteRoute", RouteTableId=scope.id, **target)
        present = mapping(self.fetch(scope)).get("Routes", ())
        for route in parameters:
            if route not in present:
                scope.call("CreateRoute", RouteTableId=scope.id, **route)


_ROUTE = frozenset(
    (
        "DestinationCidrBlock",
        "DestinationIpv6CidrBlock",
        "DestinationPrefixListId",
        "GatewayId",
        "NatGatewayId",
        "NetworkInterfaceId",
        "TransitGatewayId",
        "VpcPeeringConnectionId",
        "VpcEndpointId",
        "EgressOnlyInternetGatewayId",
    )
)


def _is_own(route: Mapping[str, Any]) -> bool:
    gateway = route.get("GatewayId") or ""
    return gateway != "local" and not (gateway.startswith("vpce-") and route.get("DestinationPrefixListId"))


def _route_parameters(scope: Scope, route: Mapping[str, Any]) -> dict[str, Any]:
    renamed = {scope.spec.rename.get(f"routes.{name}", name[0].upper() + name[1:]): route[name] for name in route}
    return {name: value for name, value in renamed.items() if value}


ROUTE_TABLE_ASSOCIATION = Spec(
    type="aws:ec2/routeTableAssociation:RouteTableAssociation",
    service="ec2",
    id="@AssociationId",
    create=Call(operation="AssociateRouteTable"),
    read=Read(
        operation="DescribeRouteTables",
        params={"Filters": [{"Name": "association.route-table-association-id", "Values": ["{id}"]}]},
        select="RouteTables[].Associations[] | [?RouteTableAssociationId=='{id}'] | [0]",
    ),
    delete=Call(operation="DisassociateRouteTable", params={"AssociationId": "{id}"}),
    find=Read(
        operation="DescribeRouteTables",
        params={"RouteTableIds": ["{routeTableId}"]},
        select="RouteTables[].Associations[] | [?SubnetId=='{subnetId}'].RouteTableAssociationId",
    ),
    replace=frozenset(("routeTableId", "subnetId")),
    delete_before_replace=True,
    unsupported=frozenset(("gatewayId",)),
    missing=MISSING,
)


HANDLERS = (
    Handler(VPC),
    Handler(SUBNET),
    RouteTable(ROUTE_TABLE),
    Handler(ROUTE_TABLE_ASSOCIATION),
)
