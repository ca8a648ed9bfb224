"""What the stages share: their child options, tags and role policies."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra.documents import Statement, document, trust
from infra.environment import Environment, resource_tags
from infra.tags import DataClass


class Stage(pulumi.ComponentResource):
    """A stage of the platform; `stage` is its word in tags. Children are named `<name>-<role>`."""

    def __init__(
        self, token: str, stage: str, name: str, environment: Environment, opts: pulumi.ResourceOptions | None
    ) -> None:
        super().__init__(token, name, None, opts)
        self._prefix = name
        self._stage = stage
        self._environment = environment

    def _child(
        self,
        *,
        protect: bool = False,
        depends_on: Sequence[pulumi.Resource] = (),
        ignore_changes: Sequence[str] = (),
    ) -> pulumi.ResourceOptions:
        """Options of a child; `ignore_changes` are inputs, in Python's spelling, that only creation sets."""
        return pulumi.ResourceOptions(
            parent=self,
            protect=protect or None,
            depends_on=list(depends_on) or None,
            ignore_changes=list(ignore_changes) or None,
        )

    def _tags(self, data_class: DataClass) -> dict[str, str]:
        return resource_tags(self._environment, self._stage, data_class)

    def _role(
        self,
        role: str,
        description: str,
        service: str,
        statements: pulumi.Output[list[Statement]],
    ) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        """A role that `service` assumes, with one inline policy of `statements`."""
        made = aws.iam.Role(
            f"{self._prefix}-{role}-role",
            description=description,
            assume_role_policy=trust(service, self._environment["account_id"]),
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )
        policy = aws.iam.RolePolicy(
            f"{self._prefix}-{role}-policy",
            role=made.name,
            policy=statements.apply(document),
            opts=self._child(),
        )
        return made, policy

    def _security_group(self, role: str, description: str, vpc_id: pulumi.Input[str]) -> aws.ec2.SecurityGroup:
        """A security group without a rule: each rule is a resource of its own."""
        return aws.ec2.SecurityGroup(
            f"{self._prefix}-{role}-group",
            description=description,
            vpc_id=vpc_id,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )

    def _ingress(
        self,
        role: str,
        group: aws.ec2.SecurityGroup,
        port: int,
        description: str,
        *,
        group_id: pulumi.Input[str] | None = None,
        cidr: str | None = None,
    ) -> aws.vpc.SecurityGroupIngressRule:
        """Let TCP in on one port, from a group or a block."""
        return aws.vpc.SecurityGroupIngressRule(
            f"{self._prefix}-{role}",
            security_group_id=group.id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=group_id,
            cidr_ipv4=cidr,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )

    def _egress(
        self,
        role: str,
        group: aws.ec2.SecurityGroup,
        port: int,
        description: str,
        *,
        group_id: pulumi.Input[str] | None = None,
        prefix_list_id: pulumi.Input[str] | None = None,
    ) -> aws.vpc.SecurityGroupEgressRule:
        """Let TCP out to one port, of a group or a prefix list."""
        return aws.vpc.SecurityGroupEgressRule(
            f"{self._prefix}-{role}",
            security_group_id=group.id,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            referenced_security_group_id=group_id,
            prefix_list_id=prefix_list_id,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )

    def _log_group(
        self, role: str, name: str, key_arn: pulumi.Input[str], retention_days: int
    ) -> aws.cloudwatch.LogGroup:
        """An encrypted log group with a retention."""
        return aws.cloudwatch.LogGroup(
            f"{self._prefix}-{role}-logs",
            name=name,
            kms_key_id=key_arn,
            retention_in_days=retention_days,
            tags=self._tags(DataClass.OPERATIONAL),
            opts=self._child(),
        )
