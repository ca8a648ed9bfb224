"""VPCs and what is in them."""

from policies.rules import ec2
from tests.policies.cases._case import Case, Entry, entry

VPC = entry(ec2.VPC, "vpc", id="vpc-1", cidrBlock="10.0.0.0/16")


def _endpoint(service: str) -> tuple[Entry, Entry]:
    return (
        VPC,
        entry(
            ec2.VPC_ENDPOINT,
            "endpoint",
            vpcId="vpc-1",
            vpcEndpointType="Interface",
            serviceName=f"com.amazonaws.eu-west-1.{service}",
            privateDnsEnabled=True,
            securityGroupIds=["sg-1"],
        ),
    )


_ENDPOINTS = {10: "ec2", 55: "ecr.api", 56: "ecr.dkr", 57: "ssm", 58: "ssm-contacts", 60: "ssm-incidents"}

CASES = (
    Case(
        "EC2.2",
        (VPC, entry(ec2.DEFAULT_SECURITY_GROUP, "default", vpcId="vpc-1", ingress=[], egress=[])),
        "default",
        "egress",
        [{"protocol": "-1"}],
        missing="passes",
        reference="vpcId",
    ),
    Case(
        "EC2.6",
        (VPC, entry(ec2.FLOW_LOG, "log", vpcId="vpc-1", trafficType="ALL")),
        "log",
        "trafficType",
        "ACCEPT",
        reference="vpcId",
    ),
    *(
        Case(
            f"EC2.{number}",
            _endpoint(service),
            "endpoint",
            "serviceName",
            "com.amazonaws.eu-west-1.sts",
            reference="vpcId",
        )
        for number, service in _ENDPOINTS.items()
    ),
    Case("EC2.10", _endpoint("ec2"), "endpoint", "vpcEndpointType", "Gateway"),
    Case(
        "EC2.15",
        (entry(ec2.SUBNET, "subnet", mapPublicIpOnLaunch=False),),
        "subnet",
        "mapPublicIpOnLaunch",
        bad=True,
        missing="passes",
    ),
    Case("MLP.VPC.1", _endpoint("ssm"), "endpoint", "privateDnsEnabled", bad=False),
    Case("MLP.VPC.1", _endpoint("ssm"), "endpoint", "securityGroupIds", []),
)
