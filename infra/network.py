"""The private network: no route to or from the internet; AWS services are reached through endpoints."""

from collections.abc import Sequence
from typing import TypedDict

import pulumi
import pulumi_aws as aws

from infra.addresses import subnet_blocks
from infra.documents import allow, document, trust, write_logs
from infra.environment import Environment, arn, partition, resource_tags
from infra.naming import PROJECT
from infra.tags import DataClass

_STAGE = "network"


class NetworkArgs(TypedDict):
    """What a network is made of."""

    environment: Environment
    """Where it stands."""
    cidr: str
    """IPv4 block of the VPC, /16 to /26."""
    zones: Sequence[str]
    """Availability zones, two or three, as `eu-west-1a`."""
    interface_endpoints: Sequence[str]
    """Services reached through interface endpoints, as `ecr.api`."""
    logs_key_arn: pulumi.Input[str]
    """Key that flow logs are encrypted with."""
    retention_days: int
    """Days that flow logs are kept."""


class Network(pulumi.ComponentResource):
    """A VPC with a private subnet per zone, endpoints for AWS services, flow logs and a closed default group."""

    vpc_id: pulumi.Output[str]
    """The VPC."""
    subnet_ids: pulumi.Output[Sequence[str]]
    """Private subnets, one per zone, in the order of the zones."""
    endpoints_security_group_id: pulumi.Output[str]
    """Security group of the interface endpoints; they take TLS from the VPC."""
    s3_prefix_list_id: pulumi.Output[str]
    """Addresses of S3 behind the gateway endpoint, for egress rules."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mlp:index:Network", name, None, opts)
        self._name = name
        self._args = args
        self._tags = resource_tags(args["environment"], _STAGE, DataClass.OPERATIONAL)
        self._child = pulumi.ResourceOptions(parent=self)

        self._vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args["cidr"],
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags={**self._tags, "Name": f"{PROJECT}-{args['environment']['environment']}"},
            opts=self._child,
        )
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default-group", vpc_id=self._vpc.id, ingress=[], egress=[], tags=self._tags, opts=self._child
        )
        subnets = self._subnets()
        routes = aws.ec2.RouteTable(f"{name}-routes", vpc_id=self._vpc.id, tags=self._tags, opts=self._child)
        for zone, subnet in zip(args["zones"], subnets, strict=True):
            aws.ec2.RouteTableAssociation(
                f"{name}-routes-{zone}", subnet_id=subnet.id, route_table_id=routes.id, opts=self._child
            )
        self._flow_logs()
        s3 = self._gateway_endpoints(routes)
        self.endpoints_security_group_id = self._interface_endpoints(subnets)
        self.vpc_id = self._vpc.id
        self.subnet_ids = pulumi.Output.all(*(subnet.id for subnet in subnets))
        self.s3_prefix_list_id = s3.prefix_list_id
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "subnet_ids": self.subnet_ids,
                "endpoints_security_group_id": self.endpoints_security_group_id,
                "s3_prefix_list_id": self.s3_prefix_list_id,
            }
        )

    def _subnets(self) -> list[aws.ec2.Subnet]:
        zones = self._args["zones"]
        blocks = subnet_blocks(self._args["cidr"], len(zones))
        return [
            aws.ec2.Subnet(
                f"{self._name}-private-{zone}",
                vpc_id=self._vpc.id,
                availability_zone=zone,
                cidr_block=block,
                map_public_ip_on_launch=False,
                tags={**self._tags, "Name": f"{PROJECT}-{self._args['environment']['environment']}-{zone}"},
                opts=self._child,
            )
            for zone, block in zip(zones, blocks, strict=True)
        ]

    def _flow_logs(self) -> None:
        environment = self._args["environment"]
        group = aws.cloudwatch.LogGroup(
            f"{self._name}-flow-log-group",
            name=f"/{PROJECT}/{environment['environment']}/network/flow-logs",
            kms_key_id=self._args["logs_key_arn"],
            retention_in_days=self._args["retention_days"],
            tags=self._tags,
            opts=self._child,
        )
        role = aws.iam.Role(
            f"{self._name}-flow-log-role",
            description="Writes the VPC's flow logs",
            assume_role_policy=trust("vpc-flow-logs.amazonaws.com", environment["account_id"]),
            tags=self._tags,
            opts=self._child,
        )
        policy = aws.iam.RolePolicy(
            f"{self._name}-flow-log-policy",
            role=role.name,
            policy=group.arn.apply(lambda group_arn: document(write_logs(group_arn))),
            opts=self._child,
        )
        aws.ec2.FlowLog(
            f"{self._name}-flow-log",
            vpc_id=self._vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=role.arn,
            max_aggregation_interval=60,
            tags=self._tags,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )

    def _gateway_endpoints(self, routes: aws.ec2.RouteTable) -> aws.ec2.VpcEndpoint:
        environment = self._args["environment"]
        s3, _ = (
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service}-endpoint",
                vpc_id=self._vpc.id,
                service_name=_service(environment, service),
                vpc_endpoint_type="Gateway",
                route_table_ids=[routes.id],
                policy=policy,
                tags=self._tags,
                opts=self._child,
            )
            for service, policy in (
                ("s3", s3_endpoint_policy(environment)),
                ("dynamodb", dynamodb_endpoint_policy(environment)),
            )
        )
        return s3

    def _interface_endpoints(self, subnets: Sequence[aws.ec2.Subnet]) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{self._name}-endpoints-group",
            vpc_id=self._vpc.id,
            description="Interface endpoints of AWS services",
            tags=self._tags,
            opts=self._child,
        )
        aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-endpoints-from-vpc",
            security_group_id=group.id,
            description="TLS from the VPC",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4=self._args["cidr"],
            tags=self._tags,
            opts=self._child,
        )
        for service in self._args["interface_endpoints"]:
            aws.ec2.VpcEndpoint(
                f"{self._name}-{service.replace('.', '-')}-endpoint",
                vpc_id=self._vpc.id,
                service_name=_service(self._args["environment"], service),
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in subnets],
                security_group_ids=[group.id],
                tags=self._tags,
                opts=self._child,
            )
        return group.id


def s3_endpoint_policy(environment: Environment) -> str:
    """Policy of the S3 gateway endpoint: this account's identities on this account's buckets, and ECR's layers."""
    layers = f"arn:{partition(environment['region'])}:s3:::prod-{environment['region']}-starport-layer-bucket/*"
    return document(
        [
            _own_account_only(environment, "s3:*"),
            # ECR hands out layers from a bucket of AWS's own. Source: ECR user guide, interface VPC endpoints.
            {**allow("ImageLayers", ["s3:GetObject"], [layers]), "Principal": "*"},
        ]
    )


def dynamodb_endpoint_policy(environment: Environment) -> str:
    """Policy of the DynamoDB gateway endpoint: this account's identities on this account's tables."""
    tables = arn(environment, "dynamodb", "table/*")
    condition = {"StringEquals": {"aws:PrincipalAccount": environment["account_id"]}}
    return document([{**allow("OwnAccount", ["dynamodb:*"], [tables], condition), "Principal": "*"}])


def _own_account_only(environment: Environment, action: str) -> dict[str, object]:
    account = environment["account_id"]
    condition = {"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}}
    return {**allow("OwnAccount", [action], ["*"], condition), "Principal": "*"}


def _service(environment: Environment, service: str) -> str:
    return f"com.amazonaws.{environment['region']}.{service}"
