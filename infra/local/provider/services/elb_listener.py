"""Elastic Load Balancing: listeners."""

from collections.abc import Mapping
from typing import Any

from infra.local.provider.handler import Handler, Scope
from infra.local.provider.services.elb import MISSING, TAGS
from infra.local.provider.spec import Call, Read, Spec
from infra.local.provider.values import is_mapping, mapping, sequence

LISTENER = Spec(
    type="aws:lb/listener:Listener",
    service="elbv2",
    id="@Listeners[0].ListenerArn",
    create=Call(operation="CreateListener"),
    read=Read(operation="DescribeListeners", params={"ListenerArns": ["{id}"]}, select="Listeners[0]"),
    updates=(
        Call(
            operation="ModifyListener",
            params={"ListenerArn": "{id}"},
            send=(
                "alpnPolicy",
                "certificateArn",
                "defaultActions",
                "mutualAuthentication",
                "port",
                "protocol",
                "sslPolicy",
            ),
        ),
    ),
    delete=Call(operation="DeleteListener", params={"ListenerArn": "{id}"}),
    find=Read(
        operation="DescribeListeners",
        params={"LoadBalancerArn": "{loadBalancerArn}"},
        select="Listeners[?Port==`{port}`].ListenerArn",
    ),
    tags=TAGS,
    replace=frozenset(("loadBalancerArn",)),
    delete_before_replace=True,
    rename={
        "arn": "ListenerArn",
        "certificateArn": "Certificates",
        "defaultActions.authenticateCognito": "AuthenticateCognitoConfig",
        "defaultActions.authenticateOidc": "AuthenticateOidcConfig",
        "defaultActions.jwtValidation": "JwtValidationConfig",
        "defaultActions.fixedResponse": "FixedResponseConfig",
        "defaultActions.forward": "ForwardConfig",
        "defaultActions.redirect": "RedirectConfig",
        "defaultActions.forward.targetGroups.arn": "TargetGroupArn",
        "defaultActions.forward.stickiness": "TargetGroupStickinessConfig",
        "defaultActions.forward.stickiness.duration": "DurationSeconds",
        "mutualAuthentication.advertiseTrustStoreCaNames": "AdvertiseTrustStoreCaNames",
    },
    to_aws={"certificateArn": lambda arn: [{"certificateArn": arn}]},
    from_aws={"certificateArn": lambda certificates: certificates[0].get("CertificateArn") if certificates else None},
    computed=frozenset(
        (
            "defaultActions.order",
            "defaultActions.forward",
            "defaultActions.redirect.host",
            "defaultActions.redirect.path",
            "defaultActions.redirect.query",
            "mutualAuthentication",
            "sslPolicy",
            "tcpIdleTimeoutSeconds",
        )
    ),
    unsupported=frozenset(
        (
            "tcpIdleTimeoutSeconds",
            "routingHttpRequestXAmznMtlsClientcertHeaderName",
            "routingHttpRequestXAmznMtlsClientcertIssuerHeaderName",
            "routingHttpRequestXAmznMtlsClientcertLeafHeaderName",
            "routingHttpRequestXAmznMtlsClientcertSerialNumberHeaderName",
            "routingHttpRequestXAmznMtlsClientcertSubjectHeaderName",
            "routingHttpRequestXAmznMtlsClientcertValidityHeaderName",
            "routingHttpRequestXAmznTlsCipherSuiteHeaderName",
            "routingHttpRequestXAmznTlsVersionHeaderName",
            "routingHttpResponseAccessControlAllowCredentialsHeaderValue",
            "routingHttpResponseAccessControlAllowHeadersHeaderValue",
            "routingHttpResponseAccessControlAllowMethodsHeaderValue",
            "routingHttpResponseAccessControlAllowOriginHeaderValue",
            "routingHttpResponseAccessControlExposeHeadersHeaderValue",
            "routingHttpResponseAccessControlMaxAgeHeaderValue",
            "routingHttpResponseContentSecurityPolicyHeaderValue",
            "routingHttpResponseServerEnabled",
            "routingHttpResponseStrictTransportSecurityHeaderValue",
            "routingHttpResponseXContentTypeOptionsHeaderValue",
            "routingHttpResponseXFrameOptionsHeaderValue",
        )
    ),
    missing=MISSING,
)


class Listener(Handler):
    """A listener's actions; AWS answers a target group both plainly and as a forward with one group."""

    def created(self, scope: Scope) -> None:
        """Everything was in the create call."""

    def fetch(self, scope: Scope) -> dict[str, Any] | None:
        """The listener with each action's target said once."""
        item = super().fetch(scope)
        if item is None:
            return None
        wanted = scope.inputs.get("defaultActions") or sequence(scope.state.get("defaultActions"))
        weighted = any(is_mapping(action) and action.get("forward") for action in wanted)
        item["DefaultActions"] = [_said_once(action, weighted=weighted) for action in item.get("DefaultActions", ())]
        return item


def _said_once(action: Mapping[str, Any], *, weighted: bool) -> dict[str, Any]:
    groups = sequence(mapping(action.get("ForwardConfig")).get("TargetGroups"))
    if weighted:
        return {name: value for name, value in action.items() if name != "TargetGroupArn"}
    single = {name: value for name, value in action.items() if name != "ForwardConfig"}
    if len(groups) == 1:
        return {**single, "TargetGroupArn": groups[0]["TargetGroupArn"]}
    return dict(action)


HANDLERS = (Listener(LISTENER),)
