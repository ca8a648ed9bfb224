"""Elastic Load Balancing: load balancers, target groups and listeners."""

import time
from collections.abc import Mapping
from typing import Any

from infra.local.provider.handler import Handler, Scope
from infra.local.provider.names import Name
from infra.local.provider.spec import Call, Read, Spec, Tagging
from infra.local.provider.values import is_mapping, mapping

MISSING = frozenset(("LoadBalancerNotFound", "TargetGroupNotFound", "ListenerNotFound"))
TAGS = Tagging(
    read=Read(operation="DescribeTags", params={"ResourceArns": ["{id}"]}, select="TagDescriptions[0].Tags"),
    tag=Call(operation="AddTags", params={"ResourceArns": ["{id}"]}),
    untag=Call(operation="RemoveTags", params={"ResourceArns": ["{id}"]}),
)


class Attributed(Handler):
    """Much of a load balancer or target group is a list of attributes, text by text."""

    attributes: Mapping[str, str]
    """Property, as `accessLogs.bucket`, → attribute."""
    operation: str
    parameter: str

    def _wanted(self, scope: Scope, names: frozenset[str]) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for path, key in self.attributes.items():
            outer, _, inner = path.partition(".")
            value = scope.inputs.get(outer)
            value = value.get(inner) if inner and is_mapping(value) else value
            if outer in names and value is not None:
                found.append({"Key": key, "Value": str(value).lower() if isinstance(value, bool) else str(value)})
        return found

    def _put(self, scope: Scope, names: frozenset[str]) -> None:
        attributes = self._wanted(scope, names)
        if attributes:
            scope.call(self.operation, **{self.parameter: scope.id}, Attributes=attributes)

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The answer with the attributes as members."""
        item = super().fetch(scope)
        if item is None:
            return None
        keys = {key: path for path, key in self.attributes.items()}
        for attribute in item.pop("Attributes", ()):
            path, value = keys.get(attribute["Key"]), attribute.get("Value")
            if path is None or value in (None, ""):
                continue
            outer, _, inner = path.partition(".")
            if inner:
                item[outer] = {**item.get(outer, {}), inner: value}
            else:
                item[outer] = value
        return item

    def created(self, scope: Scope) -> None:
        """Attributes are no part of the create call."""
        self._put(scope, frozenset(scope.inputs))

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed."""
        super().update(scope, changed)
        self._put(scope, changed)


_LOAD_BALANCER_ATTRIBUTES = {
    "accessLogs.enabled": "access_logs.s3.enabled",
    "accessLogs.bucket": "access_logs.s3.bucket",
    "accessLogs.prefix": "access_logs.s3.prefix",
    "connectionLogs.enabled": "connection_logs.s3.enabled",
    "connectionLogs.bucket": "connection_logs.s3.bucket",
    "connectionLogs.prefix": "connection_logs.s3.prefix",
    "clientKeepAlive": "client_keep_alive.seconds",
    "desyncMitigationMode": "routing.http.desync_mitigation_mode",
    "dropInvalidHeaderFields": "routing.http.drop_invalid_header_fields.enabled",
    "enableCrossZoneLoadBalancing": "load_balancing.cross_zone.enabled",
    "enableDeletionProtection": "deletion_protection.enabled",
    "enableHttp2": "routing.http2.enabled",
    "enableTlsVersionAndCipherSuiteHeaders": "routing.http.x_amzn_tls_version_and_cipher_suite.enabled",
    "enableWafFailOpen": "waf.fail_open.enabled",
    "enableXffClientPort": "routing.http.xff_client_port.enabled",
    "idleTimeout": "idle_timeout.timeout_seconds",
    "preserveHostHeader": "routing.http.preserve_host_header.enabled",
    "xffHeaderProcessingMode": "routing.http.xff_header_processing.mode",
}

LOAD_BALANCER = Spec(
    type="aws:lb/loadBalancer:LoadBalancer",
    service="elbv2",
    id="@LoadBalancers[0].LoadBalancerArn",
    create=Call(operation="CreateLoadBalancer"),
    read=Read(operation="DescribeLoadBalancers", params={"LoadBalancerArns": ["{id}"]}, select="LoadBalancers[0]"),
    more=(Read(operation="DescribeLoadBalancerAttributes", params={"LoadBalancerArn": "{id}"}),),
    updates=(
        Call(operation="SetSecurityGroups", params={"LoadBalancerArn": "{id}"}, send=("securityGroups",)),
        Call(operation="SetSubnets", params={"LoadBalancerArn": "{id}"}, send=("subnets",)),
        Call(operation="SetIpAddressType", params={"LoadBalancerArn": "{id}"}, send=("ipAddressType",)),
    ),
    delete=Call(operation="DeleteLoadBalancer", params={"LoadBalancerArn": "{id}"}),
    find=Read(
        operation="DescribeLoadBalancers", params={"Names": ["{name}"]}, select="LoadBalancers[].LoadBalancerArn"
    ),
    tags=TAGS,
    name=Name("name", max=32, prefix_property="namePrefix"),
    replace=frozenset(("name", "internal", "loadBalancerType")),
    rename={
        "name": "Name|LoadBalancerName",
        "arn": "LoadBalancerArn",
        "internal": "Scheme",
        "loadBalancerType": "Type",
        "zoneId": "CanonicalHostedZoneId",
        "subnets": "Subnets",
    },
    to_aws={"internal": lambda internal: "internal" if internal else "internet-facing"},
    from_aws={"internal": lambda scheme: scheme == "internal"},
    defaults={"internal": False, "loadBalancerType": "application"},
    computed=frozenset(
        {path.split(".")[0] for path in _LOAD_BALANCER_ATTRIBUTES} | {"ipAddressType", "securityGroups", "subnets"}
    ),
    local=frozenset(("namePrefix",)),
    handled=frozenset(path.split(".")[0] for path in _LOAD_BALANCER_ATTRIBUTES),
    unsupported=frozenset(
        (
            "customerOwnedIpv4Pool",
            "dnsRecordClientRoutingPolicy",
            "enablePrefixForIpv6SourceNat",
            "enableZonalShift",
            "enforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
            "healthCheckLogs",
            "ipamPools",
            "minimumLoadBalancerCapacity",
            "secondaryIpsAutoAssignedPerSubnet",
            "subnetMappings",
        )
    ),
    missing=MISSING,
)


class LoadBalancer(Attributed):
    """A load balancer is usable once it is active."""

    attributes = _LOAD_BALANCER_ATTRIBUTES
    operation = "ModifyLoadBalancerAttributes"
    parameter = "LoadBalancerArn"

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The load balancer with its subnets."""
        item = super().fetch(scope)
        if item is not None:
            item["Subnets"] = [zone["SubnetId"] for zone in item.get("AvailabilityZones", ()) if zone.get("SubnetId")]
        return item

    def created(self, scope: Scope) -> None:
        """Set the attributes and wait until it is active."""
        super().created(scope)
        deadline = time.monotonic() + 600
        while (mapping(mapping(self.fetch(scope)).get("State"))).get("Code") == "provisioning":
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Add the part of the ARN that CloudWatch knows it by."""
        return {**super().outputs(scope, item), "arnSuffix": scope.id.split(":loadbalancer/")[-1]}


_HEALTH_CHECK = {
    "enabled": "HealthCheckEnabled",
    "healthyThreshold": "HealthyThresholdCount",
    "interval": "HealthCheckIntervalSeconds",
    "path": "HealthCheckPath",
    "port": "HealthCheckPort",
    "protocol": "HealthCheckProtocol",
    "timeout": "HealthCheckTimeoutSeconds",
    "unhealthyThreshold": "UnhealthyThresholdCount",
    "matcher": "Matcher",
}

_TARGET_GROUP_ATTRIBUTES = {
    "connectionTermination": "deregistration_delay.connection_termination.enabled",
    "deregistrationDelay": "deregistration_delay.timeout_seconds",
    "lambdaMultiValueHeadersEnabled": "lambda.multi_value_headers.enabled",
    "loadBalancingAlgorithmType": "load_balancing.algorithm.type",
    "loadBalancingAnomalyMitigation": "load_balancing.algorithm.anomaly_mitigation",
    "loadBalancingCrossZoneEnabled": "load_balancing.cross_zone.enabled",
    "preserveClientIp": "preserve_client_ip.enabled",
    "proxyProtocolV2": "proxy_protocol_v2.enabled",
    "slowStart": "slow_start.duration_seconds",
    "stickiness.enabled": "stickiness.enabled",
    "stickiness.type": "stickiness.type",
    "stickiness.cookieDuration": "stickiness.lb_cookie.duration_seconds",
    "stickiness.cookieName": "stickiness.app_cookie.cookie_name",
}

TARGET_GROUP = Spec(
    type="aws:lb/targetGroup:TargetGroup",
    service="elbv2",
    id="@TargetGroups[0].TargetGroupArn",
    create=Call(operation="CreateTargetGroup"),
    read=Read(operation="DescribeTargetGroups", params={"TargetGroupArns": ["{id}"]}, select="TargetGroups[0]"),
    more=(Read(operation="DescribeTargetGroupAttributes", params={"TargetGroupArn": "{id}"}),),
    delete=Call(operation="DeleteTargetGroup", params={"TargetGroupArn": "{id}"}),
    find=Read(operation="DescribeTargetGroups", params={"Names": ["{name}"]}, select="TargetGroups[].TargetGroupArn"),
    tags=TAGS,
    name=Name("name", max=32, prefix_property="namePrefix"),
    replace=frozenset(("name", "port", "protocol", "protocolVersion", "targetType", "vpcId", "ipAddressType")),
    rename={"name": "Name|TargetGroupName", "arn": "TargetGroupArn"},
    defaults={"targetType": "instance"},
    computed=frozenset(
        {path.split(".")[0] for path in _TARGET_GROUP_ATTRIBUTES}
        | {"healthCheck", "ipAddressType", "protocolVersion"}
        | {f"healthCheck.{name}" for name in _HEALTH_CHECK}
        | {"stickiness.cookieDuration", "stickiness.cookieName", "stickiness.enabled"}
    ),
    local=frozenset(("namePrefix",)),
    handled=frozenset({path.split(".")[0] for path in _TARGET_GROUP_ATTRIBUTES} | {"healthCheck"}),
    unsupported=frozenset(("targetControlPort", "targetFailovers", "targetGroupHealth", "targetHealthStates")),
    missing=MISSING,
)


class TargetGroup(Attributed):
    """The health check is one block in Pulumi and ten members on AWS."""

    attributes = _TARGET_GROUP_ATTRIBUTES
    operation = "ModifyTargetGroupAttributes"
    parameter = "TargetGroupArn"

    def amend(self, scope: Scope, params: dict[str, Any]) -> dict[str, Any]:
        """Add the health check."""
        return {**params, **self._health_check(scope)}

    def _health_check(self, scope: Scope) -> dict[str, Any]:
        check = mapping(scope.inputs.get("healthCheck"))
        members = {_HEALTH_CHECK[name]: value for name, value in check.items() if value is not None}
        if "Matcher" in members:
            grpc = str(scope.inputs.get("protocolVersion", "")).upper() == "GRPC"
            members["Matcher"] = {"GrpcCode" if grpc else "HttpCode": members["Matcher"]}
        return members

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The group with its health check as one member."""
        item = super().fetch(scope)
        if item is not None:
            check = {name: item[member] for name, member in _HEALTH_CHECK.items() if member in item}
            if is_mapping(check.get("matcher")):
                check["matcher"] = check["matcher"].get("HttpCode") or check["matcher"].get("GrpcCode")
            item["healthCheck"] = check
        return item

    def update(self, scope: Scope, changed: frozenset[str]) -> None:
        """Send what changed."""
        super().update(scope, changed)
        if "healthCheck" in changed:
            scope.call("ModifyTargetGroup", TargetGroupArn=scope.id, **self._health_check(scope))

    def outputs(self, scope: Scope, item: dict[str, Any]) -> dict[str, Any]:
        """Add the part of the ARN that CloudWatch knows it by."""
        return {**super().outputs(scope, item), "arnSuffix": scope.id.split(":")[-1]}


HANDLERS = (LoadBalancer(LOAD_BALANCER), TargetGroup(TARGET_GROUP))
