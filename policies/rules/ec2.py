"""EC2 networking: VPCs are watched and closed, subnets private, endpoints in place."""

from collections.abc import Iterator
from typing import Any

from policies.controls import Control, Nist, Severity, Source, resource_rule, stack_rule
from policies.resources import Resource, Stack

VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
DEFAULT_SECURITY_GROUP = "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"
FLOW_LOG = "aws:ec2/flowLog:FlowLog"
VPC_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
ROUTE_TABLE = "aws:ec2/routeTable:RouteTable"
ROUTE_TABLE_ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
INTERNET_GATEWAY = "aws:ec2/internetGateway:InternetGateway"


@stack_rule(
    Control(
        "EC2.2",
        "VPC default security groups should not allow inbound or outbound traffic",
        Severity.HIGH,
        (VPC,),
        "DefaultSecurityGroup of each VPC, without rules",
        nist=Nist.NETWORK,
    )
)
def default_group_is_closed(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC's default group is managed here, and empty: AWS makes it with rules that let everything in and out."""
    groups = stack.referring(vpc, DEFAULT_SECURITY_GROUP, "vpcId")
    if not groups:
        yield "no DefaultSecurityGroup manages its default group: add one without ingress and egress"
    for group in groups:
        for direction in ("ingress", "egress"):
            if group.get(direction):
                yield f"its default group has {direction} rules"


@stack_rule(
    Control(
        "EC2.6",
        "VPC flow logging should be enabled in all VPCs",
        Severity.MEDIUM,
        (VPC,),
        "FlowLog of each VPC that sees rejected traffic",
        nist=Nist.LOGGING,
    )
)
def has_flow_log(vpc: Resource, stack: Stack) -> Iterator[str]:
    """A flow log records at least rejected traffic (the Config rule behind the control asks for REJECT or ALL)."""
    logs = stack.referring(vpc, FLOW_LOG, "vpcId")
    if not any(each.get("trafficType") in {"ALL", "REJECT"} for each in logs):
        yield "no FlowLog with trafficType 'ALL' or 'REJECT'"


def _missing_endpoint(vpc: Resource, stack: Stack, service: str) -> Iterator[str]:
    for endpoint in stack.referring(vpc, VPC_ENDPOINT, "vpcId"):
        if endpoint.get("vpcEndpointType") == "Interface" and endpoint.get("serviceName", "").endswith(f".{service}"):
            return
    yield f"no interface VpcEndpoint for {service}"


def _endpoint_control(number: int, title: str, service: str) -> Control:
    return Control(
        f"EC2.{number}",
        title,
        Severity.MEDIUM,
        (VPC,),
        f"VpcEndpoint: interface endpoint for {service}",
        nist=Nist.NETWORK,
    )


@stack_rule(_endpoint_control(10, "Amazon EC2 should be configured to use VPC endpoints", "ec2"))
def has_ec2_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC reaches EC2's API privately."""
    yield from _missing_endpoint(vpc, stack, "ec2")


@stack_rule(_endpoint_control(55, "VPCs should be configured with an interface endpoint for ECR API", "ecr.api"))
def has_ecr_api_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC reaches ECR's API privately."""
    yield from _missing_endpoint(vpc, stack, "ecr.api")


@stack_rule(
    _endpoint_control(56, "VPCs should be configured with an interface endpoint for Docker Registry", "ecr.dkr")
)
def has_docker_registry_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC pulls images privately."""
    yield from _missing_endpoint(vpc, stack, "ecr.dkr")


@stack_rule(_endpoint_control(57, "VPCs should be configured with an interface endpoint for Systems Manager", "ssm"))
def has_systems_manager_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC reads parameters privately."""
    yield from _missing_endpoint(vpc, stack, "ssm")


@stack_rule(
    _endpoint_control(
        58,
        "VPCs should be configured with an interface endpoint for Systems Manager Incident Manager Contacts",
        "ssm-contacts",
    )
)
def has_incident_contacts_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC reaches incident contacts privately."""
    yield from _missing_endpoint(vpc, stack, "ssm-contacts")


@stack_rule(
    _endpoint_control(
        60,
        "VPCs should be configured with an interface endpoint for Systems Manager Incident Manager",
        "ssm-incidents",
    )
)
def has_incident_manager_endpoint(vpc: Resource, stack: Stack) -> Iterator[str]:
    """The VPC reaches the incident manager privately."""
    yield from _missing_endpoint(vpc, stack, "ssm-incidents")


@resource_rule(
    Control(
        "EC2.15",
        "EC2 subnets should not automatically assign public IP addresses",
        Severity.MEDIUM,
        (SUBNET,),
        "mapPublicIpOnLaunch, assignIpv6AddressOnCreation",
        nist=Nist.NETWORK,
    )
)
def assigns_no_public_address(subnet: Resource) -> Iterator[str]:
    """Nothing launched in the subnet gets a public address by itself."""
    if subnet.get("mapPublicIpOnLaunch"):
        yield "mapPublicIpOnLaunch is true"


@resource_rule(
    Control(
        "MLP.VPC.1",
        "Interface endpoints answer under the service's own name and behind a security group of ours",
        Severity.MEDIUM,
        (VPC_ENDPOINT,),
        "privateDnsEnabled, securityGroupIds of interface endpoints",
        source=Source.MLP,
        nist=Nist.NETWORK,
    )
)
def interface_endpoint_is_private(endpoint: Resource) -> Iterator[str]:
    """Without private DNS clients leave for the public address; without a group of its own it takes the default one."""
    if endpoint.get("vpcEndpointType", "Gateway") != "Interface":
        return
    if not endpoint.get("privateDnsEnabled"):
        yield "privateDnsEnabled is not true"
    if not endpoint.get("securityGroupIds"):
        yield "securityGroupIds is empty, which means the default security group"


def leads_to_internet(subnet: Resource, stack: Stack) -> bool:
    """Whether the subnet's route table has a route to an internet gateway.

    A subnet without an association uses the VPC's main table, which has no such route unless one is managed elsewhere.
    """
    tables = [
        table
        for association in stack.referring(subnet, ROUTE_TABLE_ASSOCIATION, "subnetId")
        for table in stack.of_type(ROUTE_TABLE)
        if stack.refers(association, "routeTableId", table)
    ]
    routes: list[Any] = [route for table in tables for route in table.get("routes", [])]
    return any(route.get("gatewayId", "").startswith("igw-") for route in routes)
